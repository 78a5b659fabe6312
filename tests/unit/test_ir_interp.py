"""What values and reductions mean: over nothing, at the edges of types, behind conditions."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.diag import HasteError
from hastec.ir.graph import Monoid, Param
from hastec.ir.interp import Table, run_graph
from hastec.ir.types import BF16, BITS, BOOL, F16, F32, F64, I8, I32, I64, U8, DType
from hastec.sym.size import Size
from tests.unit.ir_kernel import Kernel

INF, NAN = np.inf, np.nan
INT = np.iinfo(np.int32)


def error(code: str, kernel: Kernel, **tables: object) -> str:
    with pytest.raises(HasteError) as caught:
        kernel.run(**tables)  # type: ignore[arg-type]  # tables of any kind
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.help or code == "HST4905"
    return diagnostic.message


def reduction(monoid: str, dtype: DType) -> Kernel:
    k = Kernel()
    x = k.given("x", "N", dtype)
    i = k.over("i", "N")
    wide = k.reduce(monoid, "i", k.access(x, i))
    k.give("Y", "", wide, dtype=k.nodes[wide].dtype)
    return k


@pytest.mark.parametrize(
    ("monoid", "floats", "integers"),
    [
        ("sum", 0.0, 0),
        ("mean", 0.0, 0),
        ("prod", 1.0, 1),
        ("max", -INF, INT.min),
        ("lse", -INF, -INF),
        ("min", INF, INT.max),
        ("any", False, False),
        ("all", True, True),
        ("argmax", -1, -1),
        ("argmin", -1, -1),
    ],
)
def test_over_nothing(monoid: str, floats: float, integers: float) -> None:
    assert reduction(monoid, F16).values(x=np.zeros(0)) == floats
    assert reduction(monoid, I8).values(x=np.zeros(0, int)) == integers


@pytest.mark.parametrize(
    ("monoid", "x", "wanted"),
    [
        ("sum", [1, -INF, 2], -INF),
        ("sum", [INF, -INF], NAN),
        ("max", [1, NAN, 3], NAN),
        ("min", [1, NAN, 3], NAN),
        ("prod", [0, INF], NAN),
        ("lse", [-INF, -INF], -INF),
        ("lse", [INF, 1], INF),
        ("lse", [NAN, 1], NAN),
        ("lse", [1000, 1000], 1000 + np.log(2)),
        ("mean", [1, 2, 6], 3),
        ("argmax", [1, 5, 5, 2], 1),
        ("argmin", [1, 5, 0, 0], 2),
        ("argmax", [-INF, -INF], 0),
        ("argmin", [INF, INF], 0),
        ("argmax", [1, NAN, 3, NAN], 1),
        ("argmin", [1, NAN, -INF], 1),
        ("any", [0, NAN], 1),
        ("all", [1, 0.5], 1),
    ],
)
def test_reductions_of_floats(monoid: str, x: list[float], wanted: float) -> None:
    found = reduction(monoid, F32).values(x=x)
    np.testing.assert_allclose(np.asarray(found, np.float64), wanted, 1e-7)


def test_sums_of_integers_wrap_and_sums_of_truth_count() -> None:
    assert reduction("sum", I32).values(x=[INT.max, 1]) == INT.min
    assert reduction("sum", I64).values(x=[INT.max, 1]) == 2**31
    assert reduction("prod", I32).values(x=[2**16, 2**16, 5]) == 0
    assert reduction("sum", U8).values(x=[255, 255]) == 510
    assert reduction("sum", BOOL).values(x=[True, False, True]) == 2
    assert reduction("max", BITS).values(x=[False, False]) == 0
    assert reduction("argmin", I64).values(x=[2**63 - 1, -(2**63)]) == 1


def test_sums_of_floats_round_once() -> None:
    ones = np.full(100, 2.0**-24)
    assert reduction("sum", F32).values(x=[1.0, *ones]) == np.float32(1 + 100 * 2.0**-24)


def test_exact_mode_rounds_outputs_only() -> None:
    k = Kernel()
    x = k.access(k.given("x"))
    tiny = k.map("sub", k.map("add", x, k.const(2.0**-30)), x)
    k.give("Y", "", tiny)
    assert k.run(x=1.0)["Y"].values == 0
    assert k.run(exact=True, x=1.0)["Y"].values == 2.0**-30
    k = Kernel()
    third = k.map("div", k.access(k.given("x")), k.const(3.0))
    k.give("Y", "", third, dtype=BF16)
    assert k.run(exact=True, x=1.0)["Y"].values == 0.333984375


def test_later_statements_see_the_rounded_output() -> None:
    k = Kernel()
    y = k.give("Y", "", k.access(k.given("x")), dtype=F16)
    k.give("Z", "", k.access(y))
    found = k.run(x=1.0001)
    assert found["Y"].values == found["Z"].values == 1.0


@pytest.mark.parametrize(
    ("dtype", "x", "wanted"),
    [(I8, 300.7, 127), (U8, -3.0, 0), (I32, -2.9, -2), (I64, 1e30, 2**63 - 1), (F16, 1e9, INF)],
)
def test_outputs_take_their_type(dtype: DType, x: float, wanted: float) -> None:
    k = Kernel()
    k.give("Y", "", k.access(k.given("x", dtype=F64)), dtype=dtype)
    assert k.values(x=x) == wanted


# ------------------------------------------------------------------------------------------- ranges
def test_ragged_ranges_with_negative_and_empty_ends() -> None:
    k = Kernel()
    lo, hi = k.given("lo", "N", I32), k.given("hi", "N", I32)
    i = k.over("i", "N")
    k.rank("j", k.access(hi, i), k.access(lo, i))
    k.give("Y", "i", k.reduce("sum", "j", k.index("j")))
    found = k.values(lo=[-3, 2, 5, 0], hi=[1, 5, 2, 0])
    np.testing.assert_array_equal(found, [-6, 9, 0, 0])


def test_ranges_inside_ranges() -> None:
    k = Kernel()
    off, length = k.given("off", "B", I64), k.given("len", "N", I32)
    b = k.over("b", "A")
    k.rank("n", k.access(off, k.map("add", b, k.const(1))), k.access(off, b))
    k.rank("t", k.access(length, k.index("n")), extent=Size.of("T"))
    k.give("Y", "b", k.reduce("sum", ("n", "t"), k.map("add", k.index("t"), k.const(1))))
    found = k.run(sizes={"A": 2, "T": 9}, off=[0, 2, 3], len=[2, 0, 4])["Y"].values
    np.testing.assert_array_equal(found, [3, 10])


def test_a_range_beyond_its_extent_is_an_error() -> None:
    k = Kernel()
    length = k.given("len", "B", I32)
    b = k.over("b", "B")
    k.rank("t", k.access(length, b), extent=Size.of("T"))
    k.give("Y", "b", k.reduce("sum", "t", k.index("t")))
    with pytest.raises(HasteError, match="HST4901") as caught:
        k.run(sizes={"T": 3}, len=[3, 4])
    assert "the range of `t` ends beyond 3, at b = 1" in str(caught.value)


def test_definitions_are_zero_outside_their_ranges_and_guards() -> None:
    k = Kernel()
    i = k.over("i", "N")
    k.rank("j", k.map("add", i, k.const(1)), extent=Size.of("N"))
    odd = k.map("eq", k.map("mod", k.index("j"), k.const(2)), k.const(1))
    k.give("Y", "ij", k.map("add", k.index("j"), k.const(5)), (odd,))
    found = k.run(sizes={"N": 4})["Y"].values
    np.testing.assert_array_equal(found, [[0, 0, 0, 0], [0, 6, 0, 0], [0, 6, 0, 0], [0, 6, 0, 8]])


# ------------------------------------------------------------------------------------------ faults
def gather(condition: str) -> Kernel:
    """x[id[i]], behind a condition or not."""
    k = Kernel()
    x, ids = k.given("x", "V"), k.given("id", "N", I32)
    i = k.over("i", "N")
    at = k.access(ids, i)
    value = k.access(x, at)
    inside = k.map("ge", at, k.const(0))
    match condition:
        case "where":
            value = k.map("where", inside, value, k.const(7.0))
        case "and":
            value = k.map("and", inside, k.map("gt", value, k.const(0)))
        case "or":
            value = k.map("or", k.map("not", inside), k.map("gt", value, k.const(0)))
        case _:
            pass
    guards = (inside,) if condition == "for" else ()
    k.give("Y", "i", value, guards)
    return k


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [("where", [7, 2, 1]), ("for", [0, 2, 1]), ("and", [0, 1, 1]), ("or", [1, 1, 1])],
)
def test_nothing_behind_a_false_condition_is_read(condition: str, wanted: list[float]) -> None:
    np.testing.assert_array_equal(gather(condition).values(x=[1, 2], id=[-1, 1, 0]), wanted)


def test_a_needed_access_out_of_range_is_an_error() -> None:
    message = error("HST4901", gather(""), x=[1.0, 2.0], id=[0, 1, 2, -1])
    assert message == "`x` is read out of range: subscript 1 is 2, not in 0 .. 2, at i = 2"


def test_the_first_bad_coordinate_of_a_reduction_is_named() -> None:
    k = Kernel()
    x, page = k.given("x", "PS"), k.given("page", "BT", I32)
    b, t = k.over("b", "B"), k.over("t", "T")
    taken = k.map("lt", t, k.const(2))
    value = k.access(x, k.access(page, b, t), k.map("mod", t, k.size("S")))
    k.give("Y", "b", k.reduce("sum", "t", value, (taken,)))
    pages = np.array([[0, 1, 9], [1, 5, 9]])
    message = error("HST4901", k, x=np.ones((2, 2)), page=pages)
    assert message == "`x` is read out of range: subscript 1 is 5, not in 0 .. 2, at b = 1, t = 1"
    pages[1, 1] = 0
    np.testing.assert_array_equal(k.values(x=np.ones((2, 2)), page=pages), [2, 2])


def test_garbage_behind_a_guard_bounds_no_range() -> None:
    k = Kernel()
    length, ok = k.given("len", "B", I32), k.given("ok", "B", BOOL)
    b = k.over("b", "B")
    k.rank("t", k.access(length, b), extent=Size.of("T"))
    total = k.reduce("sum", ("b", "t"), k.index("t"), (k.access(ok, b),))
    k.give("Y", "", total)
    found = k.run(sizes={"T": 5}, len=[3, 10**9, -7], ok=[True, False, True])["Y"].values
    assert found == 3


def test_guards_are_tested_from_left_to_right() -> None:
    k = Kernel()
    x, ids = k.given("x", "V"), k.given("id", "N", I32)
    i = k.over("i", "N")
    at = k.access(ids, i)
    guards = (k.map("ge", at, k.const(0)), k.map("gt", k.access(x, at), k.const(1)))
    k.give("Y", "", k.reduce("sum", "i", k.access(x, at), guards))
    assert k.values(x=[1, 2, 3], id=[-1, 0, 2, 1]) == 5
    k = Kernel()
    x, ids = k.given("x", "V"), k.given("id", "N", I32)
    at = k.access(ids, k.over("i", "N"))
    guards = (k.map("gt", k.access(x, at), k.const(1)), k.map("ge", at, k.const(0)))
    k.give("Y", "", k.reduce("sum", "i", k.access(x, at), guards))
    assert "subscript 1 is -1" in error("HST4901", k, x=[1.0, 2.0], id=[1, -1])


def test_nothing_is_needed_over_nothing() -> None:
    k = Kernel()
    x, n = k.given("x", "V"), k.access(k.given("n", dtype=I32))
    k.rank("t", n, extent=Size.of("V"))
    beyond = k.access(x, k.const(100))
    k.give("Y", "", k.reduce("sum", "t", beyond))
    assert k.values(x=[1.0, 2.0], n=0) == 0
    assert "subscript 1 is 100" in error("HST4901", k, x=[1.0, 2.0], n=1)


def test_integers_divided_by_zero_are_an_error_only_where_needed() -> None:
    k = Kernel()
    d = k.given("d", "N", I32)
    i = k.over("i", "N")
    by = k.access(d, i)
    inside = k.map("ne", by, k.const(0))
    k.give("Y", "i", k.map("where", inside, k.map("div", k.const(7), by), k.const(-1)))
    np.testing.assert_array_equal(k.values(d=[2, 0, -2]), [3, -1, -4])
    k = Kernel()
    by = k.access(k.given("d", "N", I32), k.over("i", "N"))
    k.give("Y", "i", k.map("mod", k.const(7), by))
    assert error("HST4904", k, d=[2, 0]) == "an integer is divided by zero, at i = 1"
    k = Kernel()
    k.give("Y", "", k.map("div", k.const(-1.0), k.access(k.given("d"))))
    assert k.values(d=0.0) == -INF


# ----------------------------------------------------------------------------------------- softmax
def softmax() -> Kernel:
    k = Kernel()
    x, ok = k.given("x", "MN"), k.given("ok", "MN", BOOL)
    i, j = k.over("i", "M"), k.over("j", "N")
    k.give("Y", "ij", k.softmax("j", k.access(x, i, j), (k.access(ok, i, j),)))
    return k


def test_softmax_is_zero_outside_and_where_nothing_is_left() -> None:
    x = np.array([[1.0, 2.0, 3.0], [-INF, -INF, 5.0], [1.0, 1.0, 1.0], [1e4, 1e4, -1e4]])
    ok = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0], [1, 1, 1]], bool)
    e = np.exp([1.0, 2.0]) / np.exp([1.0, 2.0]).sum()
    wanted = [[*e, 0], [0, 0, 0], [0, 0, 0], [0.5, 0.5, 0]]
    np.testing.assert_allclose(np.asarray(softmax().values(x=x, ok=ok), float), wanted, 1e-6)


def test_softmax_keeps_nan() -> None:
    found = np.asarray(softmax().values(x=[[NAN, 1.0], [INF, 1.0]], ok=[[1, 1], [1, 1]]), float)
    assert np.isnan(found[0]).all()
    assert np.isnan(found[1, 0])
    # What is not asked for does not matter.
    found = np.asarray(softmax().values(x=[[NAN, 1.0]], ok=[[False, True]]), float)
    np.testing.assert_array_equal(found, [[0, 1]])


# ------------------------------------------------------------------------------------ user monoids
def test_a_monoid_runs_in_index_order_and_gives_none_over_nothing() -> None:
    k = Kernel()
    merge = (("add", ("mul", ("state", "a", "v"), ("const", 10)), ("state", "b", "v")),)
    k.monoid(
        Monoid("digits", ("x",), ("v",), (("param", "x"),), (("const", 0),), merge, ("field", "v"))
    )
    x = k.given("x", "MN", I32)
    i, j = k.over("i", "M"), k.over("j", "N")
    odd = k.map("ne", k.access(x, i, j), k.const(0))
    k.give("Y", "", k.reduce("digits", ("i", "j"), k.access(x, i, j), (odd,)), dtype=I32)
    assert k.values(x=[[1, 0, 2], [3, 4, 0]]) == 1234
    assert k.values(x=np.zeros((0, 3), int)) == 0


def test_a_scan_is_a_reduction_up_to_its_index() -> None:
    k = Kernel()
    one = (("param", "g"), ("param", "x"))
    none = (("const", 1), ("const", 0))
    a, b = ("state", "a"), ("state", "b")
    merge = (
        ("mul", (*a, "p"), (*b, "p")),
        ("add", ("mul", (*a, "h"), (*b, "p")), (*b, "h")),
    )
    k.monoid(Monoid("recur", ("g", "x"), ("p", "h"), one, none, merge, ("field", "h")))
    g, x = k.given("g", "N"), k.given("x", "N")
    t = k.over("t", "N")
    k.rank("s", k.map("add", t, k.const(1)), extent=Size.of("N"))
    s = k.index("s")
    k.give("Y", "t", k.reduce("recur", "s", (k.access(g, s), k.access(x, s))))
    gates, xs = np.array([0.5, 0.25, 2.0, -1.0]), np.array([1.0, 2.0, 3.0, 4.0])
    state, wanted = 0.0, []
    for gate, value in zip(gates, xs, strict=True):
        state = gate * state + value
        wanted.append(state)
    np.testing.assert_array_equal(k.values(g=gates, x=xs), wanted)


# ------------------------------------------------------------------------------------------- inputs
def test_inputs_are_checked() -> None:
    k = reduction("sum", F32)
    assert error("HST4905", k) == "the size `N` is not known"
    message = error("HST4905", k, x=np.zeros((2, 2)))
    assert message == "the table given for `x` has 2 dimensions, not 1"
    with pytest.raises(HasteError, match="the table given for `x` is missing"):
        k.run(sizes={"N": 3})
    with pytest.raises(HasteError, match=r"has shape \(4,\), not \(3,\)"):
        k.run(sizes={"N": 3}, x=np.zeros(4))
    wrong = Table(np.zeros(3), np.ones(2, bool))
    with pytest.raises(HasteError, match="another shape than its presence"):
        k.run(x=wrong)


def test_sizes_follow_from_shapes() -> None:
    k = Kernel()
    off = k.param(Param("off", I32, (Size.of("B") + 1, Size.of("B") * Size.of("C"))))
    assert off is not None
    b, c = k.over("b", "B"), k.over("c", "C")
    k.give("Y", "bc", k.access(off, b, c))
    assert np.shape(k.values(off=np.zeros((4, 6), int))) == (3, 2)


def test_too_big_to_interpret() -> None:
    k = Kernel()
    i, j = k.over("i", "N"), k.over("j", "N")
    k.give("Y", "", k.reduce("sum", ("i", "j"), k.map("mul", i, j)))
    with pytest.raises(HasteError, match="HST4903") as caught:
        run_graph(k.graph(), {}, {"N": 1000}, limit=10**6)
    assert "an array of 1000 x 1000 elements is too much to interpret" in str(caught.value)
    assert run_graph(k.graph(), {}, {"N": 100}, limit=10**6)["Y"].values == 4950**2
