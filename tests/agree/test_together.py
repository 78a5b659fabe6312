"""Sparse tables that meet: pairs of formats, vectors, leading dimensions, other fills, a new level.

Each program runs through the kernel interpreter, the CPU backend and Triton's interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest

from hastec.front.ready import Known
from hastec.ir.interp import Table
from hastec.levels.registry import Registry, default_registry
from hastec.target import CPU, SM90
from tests.agree.executors import cpu, triton
from tests.agree.formats import FORMATS, WHOLE, Stored, dense, table
from tests.agree.harness import Check, agree
from tests.agree.program import bind, graph_of
from tests.unit.run_level import make_run


def through_all(
    text: str, given: Mapping[str, Table], sizes: Mapping[str, int], limit: int = 6
) -> None:
    bound = bind(graph_of(text), given, sizes)
    first = sum(map(ord, text)) % 5
    agree(bound, Check(CPU, limit, cpu(), 2, first=first))
    bound = bind(graph_of(text), given, sizes)
    agree(bound, Check(SM90, limit, triton(), 4, first=first))


LAYOUTS = ("csr", "bitmap", "coo", "ell", "bsr(2, 4)", "csc")


@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
def test_a_product_of_two(left: str, right: str) -> None:
    text = (
        f"kernel f(A: static sparse f32[M, K] @ {left}, B: static sparse f32[K, N] @ {right})"
        " -> Y: f32[M, N] {\n    Y[m, n] = sum[k] A[m, k] * B[k, n]\n}\n"
    )
    given = {"A": Table(table((7, 11), 1)), "B": Table(table((11, 5), 2))}
    through_all(text, given, {"M": 7, "K": 11, "N": 5}, 2)


@pytest.mark.parametrize(("left", "right"), tuple(combinations_with_replacement(LAYOUTS, 2)))
def test_two_entry_by_entry(left: str, right: str) -> None:
    text = (
        f"kernel f(A: static sparse f32[M, K] @ {left}, B: static sparse f32[M, K] @ {right},"
        " x: f32[K]) -> y: f32[M], Z: f32[M, K], d: f32 {\n"
        "    y[m] = sum[k]((A[m, k] + B[m, k]) * x[k])\n"
        "    Z[m, k] = max(A[m, k], B[m, k]) - A[m, k] * B[m, k]\n"
        "    d = sum[m, k] A[m, k] * B[m, k]\n}\n"
    )
    given = {"A": Table(table((7, 11), 3)), "B": Table(table((7, 11), 4)), "x": dense((11,), 5)}
    through_all(text, given, {"M": 7, "K": 11}, 2)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_leading_dimensions(fmt: Stored) -> None:
    text = (
        f"{fmt.declaration}kernel f(W: static sparse f32[H, M, K] {fmt.at}, x: f32[H, K])"
        " -> y: f32[H, M] {\n    y[h, m] = sum[k] W[h, m, k] * x[h, k]\n}\n"
    )
    values = np.stack([fmt.fit(table((7, 19), seed)) for seed in range(3)])
    values[1] = 0
    given = {"W": Table(values), "x": dense((3, 19), 1)}
    through_all(text, given, {"H": 3, "M": 7, "K": 19}, 3)


VECTORS = ("compressed(i)", "bitmap(i)", "dense(i / 4), bitmap(i % 4)", "ragged(i)", "fixed(i)")


@pytest.mark.parametrize("layout", VECTORS)
def test_sparse_vectors(layout: str) -> None:
    text = (
        f"format mine(i) = {layout}\n"
        "kernel f(v: static sparse f32[N] @ mine, W: f32[M, N], w: static sparse f32[N] @ mine)"
        " -> y: f32[M], d: f32, z: f32[N] {\n"
        "    y[m] = sum[n] v[n] * W[m, n]\n    d = sum[n] v[n] * w[n]\n"
        "    z[n] = v[n] + 2 * w[n]\n}\n"
    )
    v, w = table((1, 37), 1)[0], table((1, 37), 2)[0]
    through_all(text, {"v": Table(v), "w": Table(w), "W": dense((5, 37), 3)}, {"M": 5, "N": 37}, 4)


@pytest.mark.parametrize("fmt", WHOLE, ids=str)
def test_absent_entries_are_infinities(fmt: Stored) -> None:
    text = (
        f"{fmt.declaration}kernel f(E: static sparse(fill = inf) f32[N, N] {fmt.at}, x: f32[N])"
        " -> y: f32[N] {\n    y[v] = min(x[v], min[u](x[u] + E[v, u]))\n}\n"
    )
    values = fmt.fit(table((13, 13), 1))
    given = {"E": Table(values, values != 0, np.inf), "x": dense((13,), 2)}
    given["E"] = Table(np.where(values != 0, values, np.inf), values != 0, np.inf)
    through_all(text, given, {"N": 13}, 5)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_stored_zeros_are_there_for_those_who_ask(fmt: Stored) -> None:
    text = (
        f"{fmt.declaration}kernel f(W: static sparse f32[M, K] {fmt.at}, x: f32[K])"
        " -> n: i32[M], m: f32[M] {\n"
        "    n[i] = sum[k in W[i]] 1\n    m[i] = max[k in W[i]] x[k]\n}\n"
    )
    given = {"W": Table(fmt.fit(table((7, 19), 1))), "x": dense((19,), 2)}
    through_all(text, given, {"M": 7, "K": 19}, 4)


# ------------------------------------------------------------------------------------- a new level
def registry() -> Registry:
    mine = default_registry()
    return replace(mine, levels={**mine.levels, "run": make_run})


RUNS = {
    "leads": "y[m] = sum[k] W[m, k] * x[k]",
    "is_looked_up": "y[m] = max[k](W[m, k] * x[k])",
    "is_counted": "y[m] = sum[k in W[m]] x[k]",
}


@pytest.mark.parametrize("statement", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize(
    "layout", ["dense(i), run(j)", "dense(i / 4), run(j / 4), dense(i % 4), dense(j % 4)"]
)
def test_a_level_nobody_foresaw_compiles(layout: str, statement: str) -> None:
    words = Known()
    known = Known({**words.levels, "run": ()}, words.values, words.index)
    text = (
        f"format mine(i, j) = {layout}\n"
        "kernel f(W: static sparse f32[M, K] @ mine, x: f32[K]) -> y: f32[M] {\n"
        f"    {statement}\n}}\n"
    )
    values = np.zeros((7, 19))
    values[0, 3:8], values[2, :], values[3, 18], values[5, 2], values[5, 6] = 1, 2, 3, 4, 5
    given = {"W": Table(values), "x": dense((19,), 1)}
    for target, native in ((CPU, cpu()), (SM90, triton())):
        bound = bind(graph_of(text, known), given, {"M": 7, "K": 19}, registry=registry())
        tally = agree(bound, Check(target, 8, native, 3))
        assert len(tally.ran) == 2, tally
