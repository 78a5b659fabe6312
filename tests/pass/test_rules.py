"""One small program a rule: what a pass makes of it, as text, and that it means the same.

A file holds a program, a line ``----`` and the graph behind the pass its folder is named after.
``--update-golden`` rewrites what stands below the line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hastec.diag import Source
from hastec.front.build import build
from hastec.grammar.parser import parse
from hastec.ir.graph import Graph, Param
from hastec.ir.interp import Table, run_graph
from hastec.ir.rewrite import drop_dead
from hastec.ir.show import show_graph
from hastec.passes.algebra import spell_out
from hastec.passes.fuse import Fuse
from hastec.passes.guards import settle
from hastec.passes.laws import state_laws
from hastec.passes.normalise import Normalise, reduced
from hastec.passes.patterns import Patterns
from hastec.passes.unify import unify
from hastec.pipeline import run_passes

FOLDER = Path(__file__).parent
LINE = "\n----\n"
STEPS: dict[str, Callable[[Graph], Graph]] = {
    "unify": unify,
    "algebra": spell_out,
    "guards": settle,
    "laws": lambda graph: state_laws(reduced(unify(graph))),
    "normalise": lambda graph: run_passes(graph, (Normalise(),)),
    "patterns": lambda graph: run_passes(graph, (Normalise(), Patterns())),
    "fuse": lambda graph: run_passes(graph, (Normalise(), Patterns(), Fuse())),
}
FILES = sorted(path for name in STEPS for path in (FOLDER / name).glob("*.txt"))
SIZES = {"H": 2, "L": 6, "M": 4, "N": 5, "K": 3, "D": 3}


def given(param: Param, random: np.random.Generator) -> Table:
    """Return a table for an input: small numbers, a third of them absent where it is sparse."""
    shape = tuple(size.evaluate(SIZES) for size in param.shape)
    if param.dtype.name == "bool":
        return Table(random.random(shape) < 0.5)
    values = random.integers(-3, 4, shape).astype(np.float64)
    if not param.sparse:
        return Table(values)
    present = random.random(shape) < 0.6
    return Table(np.where(present, values, param.fill), present, param.fill)


def check_meaning(before: Graph, after: Graph) -> None:
    for seed in range(3):
        random = np.random.default_rng(seed)
        tables = {p.name: given(p, random) for p in before.params if p.role != "out"}
        wanted = run_graph(before, tables, SIZES, exact=True)
        found = run_graph(after, tables, SIZES, exact=True)
        for name, table in wanted.items():
            made, want = (np.asarray(t.values, np.float64) for t in (found[name], table))
            np.testing.assert_allclose(made, want, 1e-6, 1e-6, err_msg=name)
            np.testing.assert_array_equal(found[name].present, table.present, name)


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_rule(path: Path, updating: bool) -> None:
    text = path.read_text(encoding="utf-8")
    program, _, wanted = text.partition(LINE)
    graph = drop_dead(build(parse(Source(path.name, f"haste 1\n{program}\n")))[-1])
    after = STEPS[path.parent.name](graph)
    check_meaning(graph, after)
    shown = show_graph(after)
    if updating:
        path.write_text(f"{program.rstrip()}{LINE}{shown}", encoding="utf-8")
        return
    assert shown == wanted, "run `make golden` if this is meant, and look at the difference"


def test_every_pass_has_rules() -> None:
    assert {path.parent.name for path in FILES} == set(STEPS)
