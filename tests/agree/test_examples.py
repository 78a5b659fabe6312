"""The whole way: every example compiled, bound and run, against references in plain NumPy.

On the CPU backend, and in Triton's interpreter, which runs what a GPU would.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hastec
from hastec.ir.graph import Graph, Param
from hastec.ir.types import DType
from hastec.levels.missing import missing
from hastec.levels.registry import default_registry
from hastec.options import Options
from tests.agree.reference.cases import Case, all_cases

EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = tuple(all_cases(3))
TOLERANCE = {"f64": 1e-12, "f32": 2e-5, "f16": 2e-3, "bf16": 2e-2}
INTERPRETED = {"spgemm", "scan", "hata", "moba", "append", "flush", "cats", "moe"}
"""Kernels that selections, updates, computed patterns or monoids keep from being compiled."""

RUNS = [
    (c, on) for c in CASES for on in ("cpu", "triton") if on == "cpu" or c.kernel not in INTERPRETED
]


@cache
def program(file: str, kernel: str, changes: tuple[tuple[str, str], ...], on: str) -> Any:
    """Return a compiled example; Triton's is interpreted."""
    text = (EXAMPLES / f"{file}.haste").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    options = Options.from_environment({}, interpret=on == "triton", skip_cache=True)
    return hastec.compile(text, kernel=kernel, backend_name=on, options=options)


def given(case: Case, graph: Graph) -> dict[str, Any]:
    """Return a case's tables in the types the program declares."""
    found: dict[str, Any] = {}
    for name, table in case.tables.items():
        param = graph.param(name)
        values = np.asarray(table.values)
        if table.present is not None:
            values = np.where(table.present, values, table.fill)
        found[name] = tensor(values, param) if param.shape else values.item()
    return found


def tensor(values: np.ndarray, param: Param) -> torch.Tensor:
    kind = getattr(torch, param.dtype.numpy, torch.uint8)
    return torch.from_numpy(np.ascontiguousarray(values)).to(kind)


def dense(found: Any) -> np.ndarray:
    whole = found.to_dense() if getattr(found, "layout", None) != torch.strided else found
    return np.asarray(whole.double().numpy())


def close(found: np.ndarray, wanted: np.ndarray, dtype: DType) -> None:
    """Compare: equal for integers, within rounding of the type for floats."""
    slack = TOLERANCE.get(dtype.name, 0.0)
    finite = np.abs(wanted[np.isfinite(wanted)])
    scale = max(1.0, float(np.nanmax(finite, initial=1.0)))
    np.testing.assert_allclose(found, wanted, rtol=slack, atol=slack * scale)


@pytest.mark.parametrize(("case", "on"), RUNS, ids=str)
def test_an_example_means_its_formula(case: Case, on: str) -> None:
    made = program(case.file, case.kernel, case.changes, on)
    result = made(**given(case, made.graph), **case.sizes)
    results = result if isinstance(result, tuple) else (result,)
    outs = [p for p in made.graph.params if p.role == "out"]
    for param, found in zip(outs, results, strict=len(results) == len(outs)):
        close(dense(found), np.asarray(case.wanted[param.name], np.float64), param.dtype)


def test_what_has_kernels_and_what_is_interpreted() -> None:
    """The list shrinks as lowering grows; nothing silently joins it."""
    graphs = [program(case.file, case.kernel, case.changes, "cpu").graph for case in CASES]
    found = {graph.name for graph in graphs if any(missing(graph, default_registry()))}
    assert found == INTERPRETED
