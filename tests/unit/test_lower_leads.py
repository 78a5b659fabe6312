"""Which tables are iterated themselves: only where every reduction may skip what they lack."""

from __future__ import annotations

import pytest

from hastec.ir.graph import Access, Input, Present
from hastec.lower import Work
from hastec.lower.leads import axes_of, leads
from tests.unit import table_formats as tf
from tests.unit.lower_help import SAMPLED, VECTOR, work
from tests.unit.table_help import by_name


def led(at: Work) -> list[tuple[str, tuple[str, ...]]]:
    """Return who leads what, by names."""
    found = []
    for lead in leads(at):
        op = at.nodes[lead.access].op
        assert isinstance(op, Access | Present)
        table = at.nodes[op.table].op
        assert isinstance(table, Input)
        found.append((table.name, lead.ranks))
    return found


def statement(body: str) -> Work:
    head = "kernel f(W: sparse f32[M, K], V: sparse f32[M, K], x: f32[K]) -> y: f32[M] {\n"
    return work(f"{head}    y[m] = {body}\n}}")


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("sum[k] W[m, k] * x[k]", [("W", ("k",))]),
        ("sum[k] W[m, k] / 2", [("W", ("k",))]),
        ("sum[k](W[m, k] + x[k])", []),
        ("sum[k](W[m, k] + V[m, k])", []),
        ("sum[k] exp(W[m, k])", []),
        ("max[k] W[m, k]", []),
        ("max[k in W[m]] x[k]", [("W", ("k",))]),
        ("sum[k in W[m]] V[m, k]", [("W", ("k",))]),
        ("sum[k, x[k] > 0 and k in W[m]] x[k]", [("W", ("k",))]),
        ("sum[k, x[k] > 0 or k in W[m]] x[k]", []),
        ("sum[k] W[m, k] * V[m, k]", [("W", ("k",))]),
        ("(sum[k] W[m, k]) + sum[k] V[m, k]", [("W", ("k",)), ("V", ("k.1",))]),
        ("(sum[k] W[m, k] * x[k]) + max[k] x[k]", [("W", ("k",))]),
        ("(sum[k] W[m, k] * x[k]) + max[k in W[m]] x[k]", [("W", ("k",))]),
        ("sum[k] W[m, k] * softmax[k](x[k])", []),
    ],
)
def test_a_table_leads_where_absent_entries_give_nothing(
    body: str, wanted: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert led(statement(body)) == wanted


def test_an_infinite_fill_leads_a_minimum() -> None:
    text = """kernel f(E: sparse(fill = inf) f32[N, N], x: f32[N]) -> y: f32[N] {
        y[v] = min[u](x[u] + E[v, u])
    }"""
    assert led(work(text)) == [("E", ("u",))]
    assert led(work(text.replace("min[u](x[u] + ", "max[u](x[u] + "))) == []


def test_an_output_is_led_by_the_table_it_is_like() -> None:
    assert led(work(SAMPLED)) == [("S", ("j",))]


def test_of_two_opposite_orders_one_leads() -> None:
    text = """kernel f(A: sparse f32[M, K], B: sparse f32[M, K]) -> d: f32 {
        d = sum[m, k] A[m, k] * B[m, k]
    }"""
    assert led(work(text, A=by_name("csr"), B=by_name("csc"))) == [("A", ("k",))]
    assert led(work(text, A=by_name("csr"), B=by_name("csr"))) == [("A", ("k",))]
    assert led(work(text, A=by_name("dcsr"), B=by_name("csc"))) == [("A", ("m", "k"))]


def test_a_range_that_depends_on_what_is_walked_is_not_walked_for() -> None:
    text = """kernel f(E: sparse f32[K, N]) -> y: f32 {
        y = sum[n, k in 0 .. min(n + 1, K)] E[k, n]
    }"""
    assert led(work(text, E=by_name("csr"))) == []
    assert led(work(text, E=by_name("csc"))) == [("E", ("k",))]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("csr", ("W.1",)),
        ("ell", ("W.1",)),
        ("bsr_2_3", ("W.1", "W.3")),
        ("sell4", ("W.2",)),
        ("bitmap", ("k",)),  # every coordinate has a bit: read, not walked
        ("nm_4_4", ("W.1", "W.2")),
        ("csc", ("k",)),
        ("coo", ("W.1",)),  # its rows are found by bisection
        ("ell2_coo", ("W.p0.1", "W.p1.1")),
    ],
)
def test_an_index_is_spread_over_the_levels_walked_for_it(
    name: str, wanted: tuple[str, ...]
) -> None:
    fmt = next(f for f in tf.EXACT if f.name == name)
    at = work(VECTOR, W=fmt)
    assert axes_of(at, leads(at), "k") == wanted
    assert axes_of(at, leads(at), "m") == ("m",)
