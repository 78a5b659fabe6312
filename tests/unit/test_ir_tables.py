"""Tables the interpreter makes: selections, updates, and which entries are stored."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.diag import HasteError
from hastec.ir.format import Coord, Format, LevelSpec, Part
from hastec.ir.graph import NodeId, Param
from hastec.ir.interp import Table
from hastec.ir.types import BOOL, F16, F32, F64, I32, I64, DType
from hastec.sym.size import Size
from tests.unit.ir_kernel import Kernel

INF, NAN = np.inf, np.nan


# --------------------------------------------------------------------------------------- selections
def selection(
    kind: str, dtype: DType = F32, always: bool = False, guard: bool = False, amount: DType = I32
) -> Kernel:
    """Members of a row of x; the amount, and what always belongs, are inputs."""
    k = Kernel()
    x = k.given("x", "N", dtype)
    i = k.over("i", "N")
    forced = (k.access(k.given("force", "N", BOOL), i),) if always else ()
    guards = (k.access(k.given("ok", "N", BOOL), i),) if guard else ()
    key = k.access(x, i)
    if kind == "where":
        key = k.map("gt", key, k.const(0))
        table = k.select("where", ("i",), "i", key, None, guards)
    else:
        count = k.access(k.given("k", dtype=amount))
        table = k.select(
            "topk" if kind == "topk" else "top_p", ("i",), "i", key, count, guards, forced
        )
    k.loop("j", "N")
    k.give("Y", "j", k.access(table, k.index("j")), dtype=BOOL)
    return k


def members(kernel: Kernel, **tables: object) -> list[int]:
    given = {name: np.asarray(table) for name, table in tables.items()}
    return [int(i) for i in np.flatnonzero(kernel.values(**given))]


@pytest.mark.parametrize(
    ("x", "count", "wanted"),
    [
        ([3, 1, 2, 5], 2, [0, 3]),
        ([2, 5, 2, 2], 2, [0, 1]),  # ties go to the lowest index
        ([NAN, 1, -INF, NAN], 2, [1, 2]),  # nan ranks last, behind -inf
        ([NAN, 1, NAN, NAN], 2, [0, 1]),
        ([1, 2], 5, [0, 1]),
        ([1, 2], 0, []),
        ([1, 2], -3, []),
        ([], 2, []),
        ([INF, INF, 3], 1, [0]),
        ([0.0, -0.0], 1, [0]),
    ],
)
def test_topk(x: list[float], count: int, wanted: list[int]) -> None:
    assert members(selection("topk"), x=np.array(x, float), k=count) == wanted


def test_topk_of_integers() -> None:
    least, most = -(2**63), 2**63 - 1
    assert members(selection("topk", I64), x=[least, most, 0, most - 1], k=2) == [1, 3]
    assert members(selection("topk", I64), x=[least, least], k=1) == [0]
    forced = selection("topk", I64, always=True)
    assert members(forced, x=[least, 5, least, 9], k=2, force=[1, 0, 1, 0]) == [0, 2]
    assert members(forced, x=[most, 5, least, 9], k=1, force=[0, 0, 1, 0]) == [2]
    # Those who always belong tie with each other, whatever their keys are.
    assert members(forced, x=[1, 2, 3, 4], k=2, force=[0, 1, 1, 1]) == [1, 2]


def test_always_is_the_key_inf() -> None:
    kernel = selection("topk", always=True)
    assert members(kernel, x=[INF, 1, NAN, 2], k=2, force=[0, 0, 1, 0]) == [0, 2]
    assert members(kernel, x=[1, INF, NAN, INF], k=1, force=[0, 0, 1, 0]) == [1]


def test_candidates_are_those_that_pass_the_guards() -> None:
    kernel = selection("topk", guard=True)
    assert members(kernel, x=[9, 1, 8, 2], k=3, ok=[0, 1, 0, 1]) == [1, 3]
    kernel = selection("topk", always=True, guard=True)
    assert members(kernel, x=[9, 1, 8, 2], k=1, ok=[0, 1, 0, 1], force=[1, 0, 0, 1]) == [3]


@pytest.mark.parametrize(
    ("x", "mass", "wanted"),
    [
        ([0.5, 0.125, 0.25, 0.125], 0.75, [0, 2]),
        ([0.5, 0.125, 0.25, 0.125], 0.76, [0, 1, 2]),
        ([0.5, 0.125, 0.25, 0.125], 0.0, []),
        ([0.5, 0.125, 0.25, 0.125], 9.0, [0, 1, 2, 3]),
        ([0.25, 0.25, 0.25], 0.25, [0]),
        ([NAN, 0.5, 0.25], 0.75, [1, 2]),
        ([NAN, 0.5, 0.25], 1.0, [0, 1, 2]),
        ([-1.0, 2.0], 2.0, [1]),
    ],
)
def test_top_p_takes_the_fewest_that_reach_the_mass(
    x: list[float], mass: float, wanted: list[int]
) -> None:
    assert members(selection("top_p", amount=F32), x=x, k=mass) == wanted


def test_where() -> None:
    assert members(selection("where", guard=True), x=[1, 2, -1, 5], ok=[1, 0, 1, 1]) == [0, 3]


def test_k_may_depend_on_other_indices_and_blocks_are_found_on_tokens() -> None:
    k = Kernel()
    x, count = k.given("x", "MB"), k.given("k", "M", I32)
    i, b = k.over("i", "M"), k.over("b", "B")
    causal = k.map("le", k.map("mul", b, k.const(2)), i)
    ranks = ("i", "b")
    table = k.select("topk", ranks, "b", k.access(x, i, b), k.access(count, i), (causal,))
    row, j = k.over("r", "M"), k.over("j", "L")
    k.give("Y", "rj", k.access(table, row, k.map("div", j, k.const(2))), dtype=BOOL)
    found = k.run(sizes={"L": 5}, x=[[1, 2, 3]] * 4, k=[1, 1, 1, 2])["Y"].values
    wanted = [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [1, 1, 1, 1, 0]]
    np.testing.assert_array_equal(found, wanted)


# ------------------------------------------------------------------------------------------ updates
def append() -> Kernel:
    """K[n[i], d] := x[i, d]."""
    k = Kernel()
    cache = k.given("K", "LD", F16, role="inout")
    at, x = k.given("n", "N", I32), k.given("x", "ND")
    i, d = k.over("i", "N"), k.over("d", "D")
    body = k.access(x, i, d)
    k.output(
        "K",
        k.update(cache, ("i", "d"), (k.access(at, i), d), body, (k.map("ne", body, k.const(0)),)),
    )
    return k


def test_updates_keep_other_entries_and_round() -> None:
    given = np.arange(6.0).reshape(3, 2)
    found = append().values(K=given, n=[2, 0], x=[[9.0, 0.0], [1.0001, -7.0]])
    np.testing.assert_array_equal(found, [[1.0, -7.0], [2, 3], [9, 5]])
    np.testing.assert_array_equal(given, np.arange(6.0).reshape(3, 2))


def test_a_place_is_written_once() -> None:
    k = append()
    with pytest.raises(HasteError, match="HST4902") as caught:
        k.run(K=np.zeros((3, 2)), n=[2, 2], x=[[1.0, 1.0], [0.0, 2.0]])
    assert "`K[2, 1]` is written twice by one update" in str(caught.value)
    k.run(K=np.zeros((3, 2)), n=[2, 2], x=[[1.0, 0.0], [0.0, 2.0]])


def test_a_write_out_of_range_is_an_error() -> None:
    with pytest.raises(HasteError, match="HST4901") as caught:
        append().run(K=np.zeros((3, 2)), n=[-1, 2], x=np.ones((2, 2)))
    assert "`K` is written out of range: subscript 1 is -1, not in 0 .. 3" in str(caught.value)
    assert append().values(K=np.zeros((3, 2)), n=[-1, 2], x=[[0, 0], [1, 2]]) is not None


def test_later_statements_see_an_update_and_scalars_can_be_updated() -> None:
    k = Kernel()
    cache, cut = k.given("K", "L", F16, role="inout"), k.given("c", "", I32, role="inout")
    at = k.access(cut)
    size = k.size("L")
    k.rank("l", k.map("min", k.map("add", at, k.const(2)), size), at, Size.of("L"))
    j = k.index("l")
    first = k.update(cache, ("l",), (j,), k.map("neg", k.access(cache, j)))
    moved = k.update(cut, (), (), k.map("add", at, k.const(2)))
    i = k.over("i", "L")
    k.give("Y", "i", k.map("mul", k.access(first, i), k.access(moved)))
    k.output("K", first)
    k.output("c", moved)
    found = k.run(K=[1.0, 2, 3, 4], c=1)
    np.testing.assert_array_equal(found["K"].values, [1, -2, -3, 4])
    np.testing.assert_array_equal(found["Y"].values, [3, -6, -9, 12])
    assert found["c"].values == 3


def test_a_scalar_is_written_once_or_not_at_all() -> None:
    k = Kernel()
    cut, n = k.given("c", "", I32, role="inout"), k.access(k.given("n", "", I32))
    k.rank("i", n, extent=Size.of(4))
    k.output("c", k.update(cut, ("i",), (), k.index("i")))
    assert k.values(c=7, n=0) == 7
    assert k.values(c=7, n=1) == 0
    with pytest.raises(HasteError, match="written twice"):
        k.values(c=7, n=2)


# ----------------------------------------------------------------------------------------- presence
A = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [3.0, 0.0, 1.0]])
STORED = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 1]], bool)
"""Entry (0, 2) is a stored zero."""


def sparse_pair() -> tuple[Kernel, NodeId, NodeId, NodeId, NodeId]:
    k = Kernel()
    a, b = (k.given(name, "NN", sparse=True) for name in "AB")
    return k, a, b, k.over("i", "N"), k.over("j", "N")


def stored(kernel: Kernel, **tables: Table) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    (found,) = kernel.run(False, None, **tables).values()
    assert found.present is not None
    return found.present


B = np.array([[1.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 5.0]])


def test_products_store_both_and_sums_store_either() -> None:
    given = {"A": Table(A, STORED), "B": Table(B)}
    there = B != 0
    for fn, wanted in (("mul", STORED & there), ("add", STORED | there), ("div", STORED)):
        k, a, b, i, j = sparse_pair()
        body = k.map(fn, k.access(a, i, j), k.access(b, i, j))
        k.give("Y", "ij", body, sparse=True)
        np.testing.assert_array_equal(stored(k, **given), wanted, fn)


def test_a_computed_product_stores_what_meets() -> None:
    k, a, b, i, j = sparse_pair()
    n = k.over("k", "N")
    total = k.reduce("sum", "k", k.map("mul", k.access(a, i, n), k.access(b, n, j)))
    k.give("Y", "ij", total, sparse=True)
    wanted = STORED.astype(int) @ (B != 0).astype(int) > 0
    np.testing.assert_array_equal(stored(k, A=Table(A, STORED), B=Table(B)), wanted)


def test_conditions_name_what_is_stored() -> None:
    k, a, _, i, j = sparse_pair()
    body = k.map("exp", k.access(a, i, j))  # exp(0) is no zero: every named entry is stored
    k.give("Y", "ij", body, (k.map("lt", i, j),), sparse=True)
    found = k.run(A=Table(A, STORED))["Y"]
    np.testing.assert_array_equal(found.present, np.triu(np.ones((3, 3), bool), 1))
    np.testing.assert_array_equal(np.asarray(found.values)[found.present == 0], 0)


def test_a_choice_stores_what_its_sides_store() -> None:
    k, a, b, i, j = sparse_pair()
    body = k.map("where", k.map("lt", i, j), k.access(a, i, j), k.const(0))
    k.give("Y", "ij", body, sparse=True)
    both = k.map("where", k.map("lt", i, j), k.access(a, i, j), k.access(b, i, j))
    k.give("Z", "ij", both, sparse=True)
    found = k.run(A=Table(A, STORED), B=Table(B))
    np.testing.assert_array_equal(found["Y"].present, np.triu(STORED, 1))
    np.testing.assert_array_equal(found["Z"].present, np.triu(STORED, 1) | np.tril(B != 0))


def test_an_output_like_a_table_has_exactly_its_pattern() -> None:
    k, a, _, i, j = sparse_pair()
    body = k.map("add", k.access(a, i, j), k.const(1))
    k.give("Y", "ij", body, (k.map("ne", i, k.const(2)),), like="A")
    k.loop("r", "N")
    k.give("Z", "rj", k.access(k.outputs["Y"], k.index("r"), j))
    found = k.run(A=Table(A, STORED))
    np.testing.assert_array_equal(found["Y"].present, STORED)
    wanted = np.where(STORED, A + 1, 0)
    wanted[2] = 0
    np.testing.assert_array_equal(found["Y"].values, wanted)
    np.testing.assert_array_equal(found["Z"].values, wanted)


def test_an_output_may_be_like_another_output() -> None:
    k, a, b, i, j = sparse_pair()
    k.param(Param("Z", F32, (Size.of("N"), Size.of("N")), "out", like="Y"))
    k.output("Z", k.define("Z", ("i", "j"), k.const(1.0)))
    product = k.map("mul", k.access(a, i, j), k.access(b, i, j))
    k.give("Y", "ij", product, sparse=True)
    found = k.run(A=Table(A, STORED), B=Table(B))
    np.testing.assert_array_equal(found["Z"].present, STORED & (B != 0))
    np.testing.assert_array_equal(found["Z"].values, STORED & (B != 0))


def test_presence_of_a_given_table_is_what_differs_from_the_fill() -> None:
    k = Kernel()
    e = k.given("E", "NN", sparse=True, fill=INF)
    i, j = k.over("i", "N"), k.over("j", "N")
    k.give("Y", "ij", k.present(e, i, j), dtype=BOOL)
    given = np.array([[0.0, INF], [NAN, -INF]])
    np.testing.assert_array_equal(k.values(E=given), [[1, 0], [1, 1]])


def test_absent_entries_are_the_declared_fill_whatever_was_given() -> None:
    k = Kernel()
    e = k.given("E", "N", sparse=True, fill=INF)
    i = k.over("i", "N")
    k.give("Y", "", k.reduce("min", "i", k.access(e, i)))
    table = Table(np.array([-5.0, 3.0]), np.array([False, True]))
    assert k.values(E=table) == 3


def test_present_zeros_multiply_and_strict_sums_leave_absent_ones_out() -> None:
    k, a, _, i, j = sparse_pair()
    x = k.given("x", "N")
    product = k.map("mul", k.access(a, i, j), k.access(x, j))
    strict = k.reduce("sum", "j", product, (k.present(a, i, j),))
    k.give("Y", "i", strict)
    found = np.asarray(k.values(A=Table(A, STORED), x=[INF, 1.0, INF]), float)
    np.testing.assert_array_equal(found, [NAN, 0, INF])  # 0 * inf where a zero is stored


def test_infinities_annihilate_in_the_other_semiring() -> None:
    """min over u of A[i, u] + B[u, j], absent meaning infinity."""
    k = Kernel()
    a, b = (k.given(name, "NN", sparse=True, fill=INF) for name in "AB")
    i, j, u = k.over("i", "N"), k.over("j", "N"), k.over("u", "N")
    path = k.reduce("min", "u", k.map("add", k.access(a, i, u), k.access(b, u, j)))
    k.give("Y", "ij", path, sparse=True, fill=INF)
    given = np.where(STORED, A, INF)
    found = k.run(A=given, B=given)["Y"]
    np.testing.assert_array_equal(found.present, STORED.astype(int) @ STORED > 0)
    wanted = (given[:, :, None] + given[None]).min(axis=1)
    np.testing.assert_array_equal(found.values, wanted)
    assert found.fill == INF


def test_updates_store_what_they_write_unless_it_is_the_fill() -> None:
    k = Kernel()
    a = k.given("A", "NN", role="inout", sparse=True)
    i, j = k.over("i", "N"), k.over("j", "N")
    big = k.map("where", k.map("gt", k.access(a, i, j), k.const(1)), k.access(a, i, j), k.const(0))
    k.output("A", k.update(a, ("i", "j"), (i, j), big, (k.map("eq", i, k.const(2)),)))
    found = k.run(A=Table(A, STORED))["A"]
    np.testing.assert_array_equal(found.present, [[0, 1, 1], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(found.values, [[0, 2, 0], [0, 0, 0], [3, 0, 0]])


def test_declared_formats_leave_entries_out() -> None:
    levels = (LevelSpec("dense", Coord("i")), LevelSpec("bitmap", Coord("j")))
    packed = Format("packed", ("i", "j"), (Part(levels),))
    plain = Format("plain", ("i", "j"), (Part((levels[0], LevelSpec("dense", Coord("j")))),))
    for fmt, wanted in ((packed, A != 0), (plain, np.ones((3, 3)))):
        k = Kernel()
        a = k.param(Param("A", F32, (Size.of("N"), Size.of("N")), format=fmt))
        assert a is not None
        k.give("Y", "ij", k.present(a, k.over("i", "N"), k.over("j", "N")), dtype=BOOL)
        np.testing.assert_array_equal(k.values(A=A), wanted)
    k = Kernel()
    a = k.given("A", "NN")
    k.over("i", "N")
    k.over("j", "N")
    k.give("Y", "ij", k.access(a, k.index("i"), k.index("j")), dtype=F64)
    assert k.run(A=A)["Y"].present is None
