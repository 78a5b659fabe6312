"""A place that is left out contributes nothing, whatever stands there: NaN and infinity too.

Under schedules that multiply tiles, where a row of a tile leaves out what another one sees.
References are sums over what is seen alone, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from hastec.ir.interp import Table
from hastec.ir.kernel import For, Kernel, statements
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.schedule import Schedule
from hastec.ir.schedule_text import show_schedule
from hastec.lower import Refused, lower
from hastec.lower.space import schedules
from hastec.target import SM90
from tests.agree.executors import Executor, Interpreted, triton
from tests.agree.harness import run
from tests.agree.program import Bound, bind, graph_of, plain

Floats = NDArray[np.float64]
Given = Mapping[str, Floats]

WEIGHTS = "kernel f(P: f16[I, J], V: f16[J, E]) -> O: f32[I, E]"
SCORES = "kernel f(Q: f16[H, L, D], K: f16[H, L, D], V: f16[H, L, D]) -> O: f32[H, L, D]"
SCORE = "sum[d] Q[h, i, d] * K[h, j, d] / sqrt(D)"


def places(rows: int, columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.arange(rows)[:, None], np.arange(columns)[None, :]


def seen_sum(p: Floats, v: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return the sums of products of a matrix with another one over what each row sees."""
    found = np.zeros((len(p), v.shape[1]))
    with np.errstate(invalid="ignore"):
        for i, at in enumerate(seen):
            found[i] = p[i, at] @ v[at]
    return found


def shares(q: Floats, k: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return the softmax of scaled scores over what each row sees, 0 elsewhere."""
    with np.errstate(invalid="ignore"):
        score = np.where(seen, q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    top = score.max(1, keepdims=True, initial=-1e300)
    weight = np.where(seen, np.exp(score - top), 0.0)
    return np.asarray(weight / np.maximum(weight.sum(1, keepdims=True), 1e-300))


def triangle(given: Given) -> Floats:
    i, j = places(*given["P"].shape)
    return seen_sum(given["P"], given["V"], j <= i)


def exponentials(given: Given) -> Floats:
    i, j = places(*given["P"].shape)
    return seen_sum(given["P"], np.exp(given["V"]), j <= i)


def thirds(given: Given) -> Floats:
    i, j = places(*given["P"].shape)
    return seen_sum(given["P"], given["V"], (i + j) % 3 > 0)


def chain(given: Given) -> Floats:
    inner = triangle(given)
    i, j = places(*given["X"].shape)
    return seen_sum(given["X"], inner, j <= i)


def band(given: Given) -> Floats:
    i, j = places(*given["P"].shape)
    return seen_sum(given["P"], given["V"], (i - j < 7) & (j <= i) & (j < given["n"]))


def attention(given: Given, see: Callable[..., NDArray[np.bool_]]) -> Floats:
    found = []
    for q, k, v in zip(given["Q"], given["K"], given["V"], strict=True):
        seen = see(*places(len(q), len(k)))
        found.append(seen_sum(shares(q, k, seen), v, seen))
    return np.array(found)


def causal(given: Given) -> Floats:
    return attention(given, lambda i, j: j <= i)


def window(given: Given) -> Floats:
    return attention(given, lambda i, j: (j <= i) & ((i - j < 9) | (j < 3)))


@dataclass(frozen=True)
class Case:
    """A program, its formula, and the sizes it runs at."""

    name: str
    text: str
    means: Callable[[Given], Floats]
    sizes: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return self.name


SMALL = (("I", 37), ("J", 45), ("E", 19))
HEADS = (("H", 2), ("L", 45), ("D", 16))
CASES = (
    Case("triangle", f"{WEIGHTS} {{\n O[i, e] = sum[j, j <= i] P[i, j] * V[j, e]\n}}",
         triangle, SMALL),
    Case("computed", f"{WEIGHTS} {{\n O[i, e] = sum[j, j <= i] P[i, j] * exp(V[j, e])\n}}",
         exponentials, SMALL),
    Case("band", WEIGHTS.replace("V:", "n: i32, V:") + " {\n"
         " O[i, e] = sum[j, i - j < 7 and j <= i and j < n] P[i, j] * V[j, e]\n}", band, SMALL),
    Case("thirds", f"{WEIGHTS} {{\n O[i, e] = sum[j, (i + j) % 3 > 0] P[i, j] * V[j, e]\n}}",
         thirds, SMALL),
    Case("chain", "kernel f(X: f16[M, I], P: f16[I, J], V: f16[J, E]) -> O: f32[M, E] {\n"
         " O[m, e] = sum[i, i <= m] X[m, i] * sum[j, j <= i] P[i, j] * V[j, e]\n}",
         chain, (("M", 41), *SMALL)),
    Case("causal", f"{SCORES} {{\n"
         f" O[h, i, e] = sum[j, j <= i] softmax[j]({SCORE}) * V[h, j, e]\n}}", causal, HEADS),
    Case("window", f"{SCORES} {{\n P = j <= i and (i - j < 9 or j < 3)\n"
         f" O[h, i, e] = sum[j in P] softmax[j in P]({SCORE}) * V[h, j, e]\n}}", window, HEADS),
)  # fmt: skip


def inputs(case: Case, spoil: bool) -> dict[str, Floats]:
    """Return tables; spoilt ones hold NaN and infinities in places that some rows leave out."""
    rng, sizes = np.random.default_rng(5), dict(case.sizes)
    given: dict[str, Floats] = {}
    for param in graph_of(case.text).params:
        if param.role == "out":
            continue
        shape = tuple(s.evaluate(sizes) for s in param.shape)
        table = np.float64(17) if not shape else rng.integers(-8, 9, shape) / 8
        given[param.name] = np.asarray(table)
    if spoil:
        v = given["V"]
        v[..., -3, 1], v[..., 11, 2], v[..., 20, 3] = np.nan, np.inf, -np.inf
        v[..., 30, 2] = -np.inf  # beside an infinity further up: NaN from there on
    return given


def bound(case: Case, given: Given) -> Bound:
    graph = graph_of(case.text)
    kinds = {p.name: p.dtype.numpy for p in graph.params}
    tables = {n: Table(x.astype(kinds[n])) for n, x in given.items()}
    return bind(graph, tables, dict(case.sizes))


def tiled(bound: Bound, limit: int) -> list[tuple[Schedule, Kernel]]:
    """Return kernels that multiply tiles, spread over the space."""
    (region,) = bound.graph.regions
    work, found = bound.work(region), []
    for schedule in schedules(work, SM90, bound.sizes, 300):
        if schedule.dots:
            try:
                found.append((schedule, lower(work, schedule)))
            except Refused:
                continue
    fit = [x for x in found if all(r.holds(bound.sizes) for r in x[1].requires)]
    return fit[:: max(1, len(fit) // limit)][:limit]


def check(case: Case, spoil: bool, executor: Executor, limit: int) -> None:
    given = inputs(case, spoil)
    at, want = bound(case, given), case.means(given)
    (region,) = at.graph.regions
    kernels = tiled(at, limit)
    assert kernels, "nothing multiplies tiles"
    for schedule, kernel in kernels:
        verify_kernel(kernel)
        made = run(at, region, kernel, executor)["O.val"]
        found = plain(made, at.layout(region.stores[0]).dtype).reshape(want.shape)
        near = np.isclose(found, want, 2e-3, 2e-3, equal_nan=True)
        assert near.all(), f"{np.argwhere(~near)[:4]} under {show_schedule(schedule)}"


@pytest.mark.parametrize("spoil", [False, True], ids=["finite", "spoilt"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_under_schedules(case: Case, spoil: bool) -> None:
    check(case, spoil, Interpreted(), 8)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_in_triton(case: Case) -> None:
    check(case, True, triton(), 2)


def rare(kernel: Kernel) -> bool:
    return any(isinstance(s, For) and s.rare for s in statements(kernel.body))


@pytest.mark.parametrize("condition", ["j <= i", "j < n"])
def test_a_second_pass_is_there_for_conditions_on_two_indices_alone(condition: str) -> None:
    text = WEIGHTS.replace("V:", "n: i32, V:")
    text += f" {{\n O[i, e] = sum[j, {condition}] P[i, j] * V[j, e]\n}}"
    case = Case("", text, triangle, SMALL)
    kernels = tiled(bound(case, inputs(case, False)), 4)
    assert {rare(k) for _, k in kernels} == {condition == "j <= i"}
