"""What does not count is never felt: padding, columns past the end, what conditions leave out.

Also reductions that share a range, of which only some may skip absent entries.
"""

from __future__ import annotations

import numpy as np
import pytest

from hastec.ir.interp import Table
from hastec.target import CPU, SM90
from tests.agree.executors import cpu, triton
from tests.agree.formats import table
from tests.agree.harness import Check, agree
from tests.agree.program import bind, graph_of

SIZES = {"H": 2, "I": 5, "L": 7, "D": 4, "M": 5, "K": 7, "N": 3}


def through_all(text: str, given: dict[str, Table], tolerance: float = 0.0) -> None:
    graph = graph_of(text)
    sizes = {name: SIZES[name] for p in graph.params for s in p.shape for name in s.names()}
    agree(bind(graph, given, sizes), Check(CPU, 6, cpu(), 3, tolerance))
    agree(bind(graph, given, sizes), Check(SM90, 12, triton(), 6, tolerance))


def positive(*shape: int) -> Table:
    return Table(np.random.default_rng(len(shape)).integers(1, 4, shape).astype(float))


@pytest.mark.parametrize("condition", ["", ", j <= i"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_scores_of_any_size(condition: str, sign: int) -> None:
    """Padded columns score 0, which is far more, or far less, than those that are there."""
    text = (
        "kernel f(Q: f32[H, I, D], K: f32[H, L, D], V: f32[H, L, D]) -> O: f32[H, I, D] {\n"
        f"    O[h, i, e] = sum[j{condition}] "
        "softmax[j](sum[d] Q[h, i, d] * K[h, j, d]) * V[h, j, e]\n}\n"
    )
    q, k = np.full((2, 5, 4), 10.0), np.full((2, 7, 4), sign * 10.0)
    through_all(text, {"Q": Table(q), "K": Table(k), "V": positive(2, 7, 4)}, 1e-5)


@pytest.mark.parametrize("body", ["(1 / A[m, k]) * B[k, n]", "B[k, n] * (1 / A[m, k])"])
def test_a_computed_factor_may_be_infinite_past_the_end(body: str) -> None:
    text = (
        "kernel f(A: f32[M, K], B: f32[K, N]) -> Y: f32[M, N] {\n"
        f"    Y[m, n] = sum[k]({body})\n}}\n"
    )
    through_all(text, {"A": positive(5, 7), "B": positive(7, 3)}, 1e-5)


@pytest.mark.parametrize("side", ["A", "B"])
def test_what_a_condition_leaves_out_may_be_nan(side: str) -> None:
    text = (
        "kernel f(A: f32[M, K], B: f32[K, N], t: i32[K]) -> Y: f32[M, N] {\n"
        "    Y[m, n] = sum[k, t[k] > 0] A[m, k] * B[k, n]\n}\n"
    )
    t = np.array([1, 0, 1, 1, 0, 1, 1])
    a, b = np.array(positive(5, 7).values), np.array(positive(7, 3).values)
    if side == "A":
        a[:, t == 0] = np.nan
    else:
        b[t == 0] = np.nan
    through_all(text, {"A": Table(a), "B": Table(b), "t": Table(t)})


@pytest.mark.parametrize(
    "statement",
    [
        "(sum[k] W[m, k] * x[k]) + max[k] x[k]",
        "(sum[k] W[m, k]) + sum[k] V[m, k]",
        "(sum[k] W[m, k] * x[k]) / (1 + sum[k] x[k] * x[k])",
        "(sum[k] W[m, k] * x[k]) + max[k in W[m]] x[k]",
        "(sum[k] W[m, k] * V[m, k]) + sum[k] V[m, k] * x[k]",
        "sum[k] W[m, k] * (x[k] - max[j] x[j])",
    ],
)
def test_one_reduction_may_skip_what_another_needs(statement: str) -> None:
    tables = {"W": table((5, 7), 1), "V": table((5, 7), 2), "x": np.arange(-3.0, 4.0)}
    used = {name: Table(values) for name, values in tables.items() if f"{name}[" in statement}
    types = {"W": "sparse f32[M, K]", "V": "sparse f32[M, K]", "x": "f32[K]"}
    params = ", ".join(f"{name}: {types[name]}" for name in used)
    through_all(f"kernel f({params}) -> y: f32[M] {{\n    y[m] = {statement}\n}}\n", used, 1e-6)


def test_a_dense_output_is_whole_beside_one_with_a_pattern() -> None:
    text = (
        "kernel f(S: sparse f32[M, K], x: f32[N]) -> C: f32[M, K] like S, Y: f32[M, K] {\n"
        "    C[i, j] = S[i, j] * sum[n] x[n] * x[n]\n"
        "    Y[i, j] = S[i, j] + sum[n] x[n] * x[n]\n}\n"
    )
    given = {"S": Table(table((5, 7), 1)), "x": Table(np.array([1.0, -2.0, 3.0]))}
    through_all(text, given)
