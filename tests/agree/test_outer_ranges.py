"""Ranges that end at another index, and a table that leads more than once."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.ir.interp import Table
from hastec.run.device import named
from hastec.target import Target
from tests.agree.harness import Check, agree
from tests.agree.program import bind, graph_of

TARGETS = [named("cpu").target, named("sm_90").target]


@pytest.mark.parametrize("target", TARGETS, ids=["cpu", "sm_90"])
def test_a_range_that_ends_at_a_tile_of_an_index_stays_in_its_table(target: Target) -> None:
    """Rows past the end of a tile would read past the end of a table along the inner range."""
    graph = graph_of(
        "kernel f(X: f32[L, L], V: f32[L, D]) -> O: f32[L, D] {\n"
        "    O[i, e] = sum[j <= i] X[i, j] * V[j, e]\n}"
    )
    draw = np.random.default_rng(0)
    tables = {
        name: Table(draw.integers(-3, 4, shape).astype(np.float32))
        for name, shape in (("X", (13, 13)), ("V", (13, 5)))
    }
    tally = agree(bind(graph, tables, {"L": 13, "D": 5}), Check(target, limit=40))
    assert sum(tally.ran.values()) >= 10


@pytest.mark.parametrize("target", TARGETS, ids=["cpu", "sm_90"])
def test_a_table_leads_for_two_ranks_at_once(target: Target) -> None:
    """Paths of two steps that close to a triangle: one table walked inside itself."""
    graph = graph_of(
        "kernel f(A: sparse f32[N, N]) -> t: f32[N] {\n"
        "    t[i] = sum[j, k] A[i, j] * A[j, k] * A[i, k]\n}"
    )
    draw = np.random.default_rng(1)
    values = np.where(draw.random((17, 17)) < 0.3, draw.integers(-2, 3, (17, 17)), 0)
    values[2] = 0
    tables = {"A": Table(values.astype(np.float32), values != 0)}
    bound = bind(graph, tables, {"N": 17})
    tally = agree(bound, Check(target, limit=40))
    assert sum(tally.ran.values()) >= 4
    wanted = np.einsum("ij,jk,ik->i", values, values, values)
    np.testing.assert_array_equal(bound.wanted()["t"].values, wanted)
