"""Values that are of use together only are read where words of bits say that all are there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hastec.ir.graph import Access, Node, Present
from hastec.ir.index import ValueId
from hastec.ir.interp import Table
from hastec.ir.kernel import Apply, Kernel, Load, Value, arguments
from hastec.lower import Refused, Work, lower
from hastec.lower.leads import needed
from hastec.lower.space import schedules
from hastec.target import CPU, SM90, Target
from tests.agree.executors import Interpreted
from tests.agree.harness import run
from tests.agree.program import Bound, bind, graph_of, plain
from tests.unit.lower_help import work
from tests.unit.table_help import by_name

SIZES = {"M": 5, "K": 77}
TABLES = ("A", "B", "C")
HEAD = "A: sparse f32[M, K], B: sparse f32[M, K], C: sparse f32[M, K], x: f32[K]"
PAIR = "sum[k] A[m, k] * B[m, k]"
KEPT = by_name("bitmap")
ENTRIES = ("bitmap", "bitmap_columns")
"""Formats with a bit an entry; of blocks, there may be a value in one table alone."""


def program(body: str) -> str:
    return f"kernel f({HEAD}) -> y: f32[M] {{\n    y[m] = {body}\n}}"


def region_of(text: str, name: str = "bitmap") -> Work:
    chosen = by_name(name)
    return work(text, A=chosen, B=chosen, C=chosen)


def table_of(at: Work, node: Node) -> str:
    assert isinstance(node.op, Access | Present)
    return at.layouts[node.op.table][0].table


def kernels(at: Work, target: Target = SM90) -> Iterator[Kernel]:
    for schedule in schedules(at, target, SIZES, 24):
        try:
            yield lower(at, schedule)
        except Refused:
            continue


def behind(kernel: Kernel, value: ValueId) -> Iterator[Value]:
    """Yield a value and all it is made of."""
    values = kernel.values()
    yield values[value]
    for used in arguments(values[value].op):
        yield from behind(kernel, used)


def read_under(kernel: Kernel, table: str) -> list[set[str]]:
    """Return, for every load of a table's values, the arrays its mask was read from."""
    found = []
    for value in kernel.values().values():
        op = value.op
        if isinstance(op, Load) and op.table == f"{table}.val":
            masks = () if op.mask is None else behind(kernel, op.mask)
            found.append({v.op.table for v in masks if isinstance(v.op, Load)})
    return found


@pytest.mark.parametrize("target", [SM90, CPU], ids=str)
@pytest.mark.parametrize("name", [*ENTRIES, "bitmap_blocks"])
def test_words_are_intersected_before_values_are_read(name: str, target: Target) -> None:
    at, seen = region_of(program(PAIR), name), 0
    words = {
        f"{t}.{level.number}.words"
        for layouts in at.layouts.values()
        for layout in layouts
        for level in layout.levels
        if level.facts.bits and (t := layout.table) in ("A", "B")
    }
    for kernel in kernels(at, target):
        for table in "AB":
            for arrays in read_under(kernel, table):
                assert words <= arrays
                seen += 1
        ands = [
            v.op
            for v in kernel.values().values()
            if isinstance(v.op, Apply) and v.op.fn == "bitand" and v.hint == "common"
        ]
        assert ands
        for op in ands:
            assert {kernel.values()[a].hint for a in op.args} == {"word"}
    assert seen


def test_a_table_that_is_walked_reads_no_more_than_one_that_is_found() -> None:
    head = "kernel f(A: sparse f32[M, K], B: sparse f32[M, K]) -> Y: f32[M, K] like A"
    at = work(f"{head} {{\n    Y[m, k] = A[m, k] * B[m, k]\n}}", A=KEPT, B=KEPT)
    found = [r for kernel in kernels(at) for t in "AB" for r in read_under(kernel, t)]
    assert found and all(r >= {"A.1.words", "B.1.words"} for r in found)


@pytest.mark.parametrize(
    ("body", "first", "wanted"),
    [
        (PAIR, "A", "B"),
        ("sum[k] A[m, k] * B[m, k] * C[m, k] * x[k]", "A", "BC"),
        ("sum[k](A[m, k] * B[m, k] + C[m, k])", "A", ""),
        ("sum[k] A[m, k] * (B[m, k] + C[m, k])", "B", "A"),
        ("sum[k](A[m, k] * B[m, k] + A[m, k] * x[k])", "A", ""),
        ("sum[k in B[m]] A[m, k]", "A", "B"),
        ("sum[k, A[m, k] > 0] A[m, k] * B[m, k]", "A", ""),
        ("max[k] A[m, k] * B[m, k]", "A", "B"),
        ("sum[k] exp(A[m, k]) * B[m, k]", "A", "B"),
    ],
)
def test_who_is_needed(body: str, first: str, wanted: str) -> None:
    at = region_of(program(body))
    named = {n.id: table_of(at, n) for n in at.accesses()}
    (access,) = [n for n in named if named[n] == first]
    found = {named[a] for a in needed(at, access)} - {"x"}
    assert found == set(wanted)


def test_a_value_that_may_be_infinite_is_read_where_it_is() -> None:
    text = program(PAIR).replace("A: sparse f32", "A: sparse(fill = inf) f32")
    at = region_of(text)
    for kernel in kernels(at):
        assert all(not any("B." in a for a in arrays) for arrays in read_under(kernel, "A"))


def spoilt(body: str, name: str) -> tuple[Bound, np.ndarray]:
    """Return a program whose tables hold NaN where they meet nothing, and its result."""
    rng = np.random.default_rng(3)
    shape = (SIZES["M"], SIZES["K"])
    here = {t: rng.random(shape) < 0.5 for t in TABLES}
    common = here["A"] & here["B"]
    value = {
        t: np.where(common, rng.integers(1, 5, shape), np.nan).astype(np.float32) for t in TABLES
    }
    tables = {t: Table(np.where(here[t], value[t], 0), here[t]) for t in TABLES}
    tables["x"] = Table(np.ones(SIZES["K"], np.float32))
    bound = bind(graph_of(program(body)), tables, SIZES, dict.fromkeys(TABLES, by_name(name)))
    product = np.where(common, value["A"].astype(float) * value["B"], 0.0)
    return bound, product.sum(1)


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("target", [SM90, CPU], ids=str)
def test_values_without_a_partner_are_not_read(name: str, target: Target) -> None:
    bound, want = spoilt(PAIR, name)
    (region,) = bound.graph.regions
    ran = 0
    for kernel in kernels(bound.work(region), target):
        if all(r.holds(bound.sizes) for r in kernel.requires):
            made = run(bound, region, kernel, Interpreted())["y.val"]
            np.testing.assert_array_equal(plain(made, bound.layout(region.stores[0]).dtype), want)
            ran += 1
    assert ran
