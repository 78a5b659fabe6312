"""A level nobody foresaw, in a file of the tests: programs name it, both backends run it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import hastec
from hastec.diag import HasteError
from hastec.levels.registry import Registry, default_registry
from hastec.options import Options
from tests.unit.run_level import make_run

TEXT = """haste 1
format runs(i, j) = dense(i), run(j)
format bands(i, j) = dense(i / 2), run(j / 3), dense(i % 2), dense(j % 3)
kernel product(W: static f32[M, K] @ {}, X: f32[K, N]) -> Y: f32[M, N] {{
    Y[m, n] = sum[k] W[m, k] * X[k, n]
}}
"""


def registry() -> Registry:
    known = default_registry()
    return Registry({**known.levels, "run": make_run}, known.index, known.values)


@pytest.mark.parametrize("backend", ["cpu", "triton"])
@pytest.mark.parametrize("name", ["runs", "bands"])
def test_a_format_of_an_own_level_compiles_and_runs(
    name: str, backend: str, tmp_path: Path
) -> None:
    """On Triton's side generated modules run in its interpreter."""
    options = Options.from_environment({}, cache_dir=tmp_path, interpret=True)
    program = hastec.compile(
        TEXT.format(name), backend_name=backend, registry=registry(), options=options
    )
    draw = torch.Generator().manual_seed(3)
    for density in (0.0, 0.1, 1.0):
        w = torch.randint(-3, 4, (9, 14), generator=draw).float()
        w *= torch.rand(9, 14, generator=draw) < density
        plan = program.bind(W=w)
        assert plan.artefact is not None and "run(" in str(plan.formats["W"])
        for n in (1, 5):
            x = torch.randint(-3, 4, (14, n), generator=draw).float()
            assert torch.equal(plan(X=x), w @ x)
    # Nothing tells when the file that defines it changes, so nothing of it is kept.
    assert not list(tmp_path.rglob("manifest.json"))


def test_without_a_registry_nobody_knows_it() -> None:
    with pytest.raises(HasteError, match="HST3"):
        hastec.compile(TEXT.format("runs"), backend_name="cpu")


def test_options_of_an_own_level_are_told_by_the_registry() -> None:
    known = registry()
    text = TEXT.replace("run(j)", "run(j; gap = 2)").format("runs")
    with pytest.raises(HasteError, match="HST3004"):
        hastec.compile(text, backend_name="cpu", registry=known)
    told = Registry(known.levels, known.index, known.values, {"run": ("gap",)})
    graph = hastec.compile(text, backend_name="cpu", registry=told).graph
    fmt = graph.param("W").format
    assert fmt is not None and fmt.only.levels[1].option("gap") == 2
