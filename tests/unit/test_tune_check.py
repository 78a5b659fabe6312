"""Checks of candidates: right results at chosen places, exactness, and who is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from hastec.ir.interp import Table, run_graph
from hastec.passes.bound import table_name
from hastec.run.oracle import as_oracle
from hastec.tune.exact import exact
from hastec.tune.inputs import data_for
from hastec.tune.part import part_of, stored_ranks
from hastec.tune.problem import Problem
from hastec.tune.referee import Referee
from hastec.tune.tables import magnitudes
from hastec.tune.verdict import Judge, Verdict
from tests.unit.tune_help import LINEAR, linear, problem_of, program, pruned

SAMPLED = """
kernel sampled(S: static sparse f32[M, N], A: f32[M, K], B: f32[N, K]) -> C: f32[M, N] like S {
    C[i, j] = S[i, j] * sum[k] A[i, k] * B[j, k]
}
"""
PAGED = """
kernel paged(q: f32[B, D], K: f32[P, S, D], page: i32[B, T], len: i32[B]) -> o: f32[B, D] {
    o[b, e] = sum[t < len[b]] q[b, e] * K[page[b, t / S], t % S, e]
}
"""
BAGS = """
kernel bags(E: f32[V, D], id: i32[N], off: i64[B + 1]) -> Y: f32[B, D] {
    Y[b, d] = sum[n in off[b] .. off[b + 1]] E[id[n], d]
}
"""
NEAR = """
kernel near(Q: f32[L, D], K: f32[L, D], V: f32[L, D]) -> O: f32[L, D] {
    P = i - j in 0 .. 7
    O[i, e] = sum[j in P] softmax[j in P](sum[d] Q[i, d] * K[j, d]) * V[j, e]
}
"""
SEGMENTS = """
kernel segments(X: f32[N, D], to: i32[N]) -> Y: f32[V, D] {
    Y[v, d] = sum[n, to[n] == v] X[n, d]
}
"""
SHIFTED = """
kernel shifted(W: static sparse f32[M, K] @ csr, x: f32[K]) -> y: f32[M], z: f32[M] {
    y[m] = sum[k in W[m]] W[m, k] * x[k] + m
    z[m] = max[k] W[m, k]
}
"""
PROGRAMS: dict[str, tuple[str, dict[str, object]]] = {
    "linear": (LINEAR, {"W": pruned(50, 30), "N": 40}),
    "sampled": (SAMPLED, {"S": pruned(45, 33), "K": 9}),
    "paged": (PAGED, {"B": 30, "D": 31, "P": 6, "S": 4, "T": 5}),
    "bags": (BAGS, {"V": 20, "D": 29, "N": 60, "B": 31}),
    "near": (NEAR, {"L": 40, "D": 8}),
    "segments": (SEGMENTS, {"N": 50, "D": 30, "V": 37}),
    "shifted": (SHIFTED, {"W": pruned(60, 30)}),
}


def problem_for(name: str) -> Problem:
    text, given = PROGRAMS[name]
    return problem_of(program(text), given)


def referees(problem: Problem, kind: str) -> list[tuple[Referee, Mapping[str, Table]]]:
    """Return a referee for each region that reads inputs alone, and what is right."""
    data = data_for(problem.graph, problem.given, problem.sizes, "cpu")
    tables = data.trial if kind == "trial" else data.real
    params = {p.name: p for p in problem.graph.params}
    oracle = {n: as_oracle(params[n], v) for n, v in tables.items()}
    wanted = run_graph(problem.graph, oracle, problem.sizes)
    parts = [part_of(problem.graph, region) for region in problem.graph.regions]
    return [
        (Referee(part, tables, problem.sizes, problem.tile.registry), wanted)
        for part in parts
        if set(part.names) <= set(tables)
    ]


def dense(table: Table) -> np.ndarray:
    """Return a table's values, absent ones too."""
    values = np.asarray(table.values, np.float64)
    return values if table.present is None else np.where(table.present, values, table.fill)


@pytest.mark.parametrize("kind", ["trial", "real"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_referee_knows_what_the_interpreter_says(name: str, kind: str) -> None:
    found = referees(problem_for(name), kind)
    assert found
    for referee, wanted in found:
        points = referee.sample(seed=3)
        assert points
        values = referee.values(points)
        assert values
        for store in referee.part.stores:
            table = dense(wanted[table_name(store)])
            at = [points[r] for r in stored_ranks(store)]
            assert any(len(a) < n for a, n in zip(at, table.shape, strict=True))
            assert np.isfinite(table).all() and (table != 0).any()
            np.testing.assert_allclose(values[table_name(store)], table[np.ix_(*at)], 1e-6, 1e-6)


def test_the_first_and_the_last_place_are_looked_at() -> None:
    ((referee, _),) = referees(problem_for("linear"), "trial")
    points = referee.sample(seed=0)
    assert points and all(len(at) > 3 for at in points.values())
    assert {(at[0], at[-1]) for at in points.values()} == {(0, 49), (0, 39)}
    assert referee.sample(seed=1) != points


def test_a_large_problem_is_looked_at_in_fewer_places() -> None:
    ((referee, _),) = referees(problem_for("linear"), "trial")
    large = replace(referee, sizes={"M": 10**5, "K": 10**5, "N": 10**5})
    points = large.sample(seed=0)
    assert points and sorted(len(at) for at in points.values())[0] < 8
    assert replace(referee, sizes={"M": 9, "K": 10**8, "N": 9}).sample(seed=0) is None


EXACT = {
    "linear": True,
    "sampled": True,
    "paged": True,
    "bags": True,
    "near": False,
    "segments": True,
    "shifted": True,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_sums_of_products_of_whole_numbers_are_exact(name: str) -> None:
    problem = problem_for(name)
    data = data_for(problem.graph, problem.given, problem.sizes, "cpu")
    parts = [part_of(problem.graph, r) for r in problem.graph.regions]
    trial = [exact(p, magnitudes(data.trial), problem.sizes) for p in parts]
    assert all(trial) == EXACT[name]
    if any(p.dtype.is_float and p.role == "in" for p in problem.graph.params):
        assert not all(exact(p, magnitudes(data.real), problem.sizes) for p in parts)


def test_sums_that_a_float_cannot_hold_are_not_exact() -> None:
    problem = problem_for("linear")
    (part,) = [part_of(problem.graph, r) for r in problem.graph.regions]
    largest = {"W": 2.0, "X": 8.0, "b": 2.0}
    assert exact(part, largest, {"M": 4, "N": 4, "K": 2**20 - 1})
    assert not exact(part, largest, {"M": 4, "N": 4, "K": 2**20})
    assert not exact(part, {"W": 2.0, "X": 8.0}, problem.sizes)


# ------------------------------------------------------------------------------------------ judging
def judged(name: str = "linear") -> tuple[Judge, torch.Tensor]:
    """Return a judge and right results of the one region."""
    ((referee, wanted),) = referees(problem_for(name), "trial")
    judge = Judge(referee.part, referee, EXACT[name], seed=0)
    (store,) = referee.part.stores
    return judge, torch.from_numpy(dense(wanted[table_name(store)])).float()


def changed(right: torch.Tensor, at: tuple[int, ...], by: float) -> dict[str, torch.Tensor]:
    made = right.clone()
    made[at] += by
    return {"Y": made}


def unseen(judge: Judge) -> tuple[int, int]:
    """Return a place that is not among the sampled ones."""
    assert judge.points
    row, column = (next(n for n in range(99) if n not in judge.points[rank]) for rank in ("m", "n"))
    return row, column


def test_right_results_pass_and_lead() -> None:
    judge, right = judged()
    assert judge.judge({"Y": right}) == Verdict()
    assert judge.leader is not None and judge.judge({"Y": right.clone()}) == Verdict()


def test_one_wrong_bit_at_a_sampled_place_is_seen() -> None:
    judge, right = judged()
    bit = float(torch.finfo(torch.float32).eps * max(1.0, right[0, 0].abs()))
    found = judge.judge(changed(right, (0, 0), bit))
    assert found.reason.startswith("Y[0, 0] is ") and "instead of" in found.reason
    assert judge.leader is None


def test_one_wrong_element_anywhere_is_seen() -> None:
    judge, right = judged()
    judge.judge({"Y": right})
    at = unseen(judge)
    found = judge.judge(changed(right, at, 1.0))
    assert found.reason.startswith(f"Y[{at[0]}, {at[1]}] is ") and not found.leader


def test_the_leader_falls_where_it_is_the_wrong_one() -> None:
    judge, right = judged()
    assert judge.judge(changed(right, unseen(judge), 1.0)) == Verdict()
    found = judge.judge({"Y": right})
    assert found.leader and found.reason


def test_missing_values_are_wrong() -> None:
    judge, right = judged()
    judge.judge({"Y": right})
    assert judge.judge(changed(right, unseen(judge), float("nan"))).reason


def test_rounding_is_allowed_where_results_are_not_exact() -> None:
    judge, right = judged("near")
    noise = 1 + 1e-6 * torch.randn(right.shape)
    assert judge.judge({"O": right}) == Verdict()
    assert judge.judge({"O": right * noise}) == Verdict()
    assert judge.judge({"O": right * (1 + 1e-2)}).reason


# ------------------------------------------------------------------------------------------- inputs
def test_invented_tables_are_the_same_for_a_seed() -> None:
    problem = problem_for("paged")
    one, two, other = (
        data_for(problem.graph, {}, problem.sizes, "cpu", seed).real for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[n].dense, two[n].dense) for n in one)
    assert not torch.equal(one["q"].dense, other["q"].dense)


def test_trial_tables_keep_the_pattern_and_lose_the_values() -> None:
    weight = pruned(40, 24)
    problem = linear()
    value = data_for(problem.graph, problem.given, problem.sizes, "cpu").trial["W"]
    made = torch.zeros(40, 24)
    entries = value.entries()
    made[tuple(torch.as_tensor(c) for c in entries.coords)] = torch.as_tensor(entries.values)
    assert torch.equal(made != 0, weight != 0)
    assert set(made.unique().tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
