"""Graphs of programs, exactly: nodes, types, ranks and their ranges, in the order of the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from hastec.diag import Source
from hastec.front.build import build, check
from hastec.front.ready import Known
from hastec.grammar.parser import parse
from hastec.ir.graph import Access, Define, Graph, Input, Reduce, Select, Softmax, Update
from hastec.ir.show import show_graph
from hastec.ir.verify import verify_graph
from tests.unit.build_help import kernel

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.haste"))

SCATTER = """\
graph scatter(N, D, V) {
  in X: f32[N, D]
  in to: i32[N]
  out Y: f32[V, D]
  rank v: %2 .. %3 extent V  0 .. V
  rank d: %2 .. %5 extent D  0 .. D
  rank n: %2 .. %7 extent N  0 .. N
  %0: f32[N, D] = input X
  %1: i32[N] = input to
  %2: i64 = const 0
  %3: i64 = size V
  %4: i64{v} = index v
  %5: i64 = size D
  %6: i64{d} = index d
  %7: i64 = size N
  %8: i64{n} = index n
  %9: i32{n} = access %1[%8]
  %10: bool{n, v} = eq(%9, %4)
  %11: f32{n, d} = access %0[%8, %6]
  %12: f32{v, d} = reduce sum[n; %10](%11)
  %13: f32[V, D] = define Y[v, d] = %12
  output Y = %13
}
"""

LINEAR = """\
graph linear(M, K, N) {
  in W: static sparse f16[M, K]
  in X: f16[K, N]
  in b: f16[M]
  out Y: f16[M, N]
  rank m: %3 .. %4 extent M  0 .. M
  rank n: %3 .. %6 extent N  0 .. N
  rank k: %3 .. %8 extent K  0 .. K
  %0: f16[M, K] = input W
  %1: f16[K, N] = input X
  %2: f16[M] = input b
  %3: i64 = const 0
  %4: i64 = size M
  %5: i64{m} = index m
  %6: i64 = size N
  %7: i64{n} = index n
  %8: i64 = size K
  %9: i64{k} = index k
  %10: f16{m, k} = access %0[%5, %9]
  %11: f16{k, n} = access %1[%9, %7]
  %12: f32{m, k, n} = mul(%10, %11)
  %13: f32{m, n} = reduce sum[k](%12)
  %14: f16{m} = access %2[%5]
  %15: f32{m, n} = add(%13, %14)
  %16: f32{m, n} = silu(%15)
  %17: f16[M, N] = define Y[m, n] = %16
  output Y = %17
}
"""


def shown(name: str) -> str:
    """Return the graph of an example without the places it comes from."""
    path = next(p for p in EXAMPLES if p.stem == name)
    lines = show_graph(check(Source(path.name, path.read_text()))[-1]).splitlines()
    return "\n".join(_without_place(line) for line in lines if line) + "\n"


def _without_place(line: str) -> str:
    head, _, tail = line.partition("   # ")
    _, _, note = tail.partition("  ")
    return head + (f"  {note}" if note else "")


def sums(graph: Graph) -> list[Reduce]:
    return [n.op for n in graph.nodes if isinstance(n.op, Reduce)]


def test_scatter() -> None:
    assert shown("scatter") == SCATTER


def test_linear() -> None:
    assert shown("linear") == LINEAR


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_build_the_same_graph_every_time(path: Path) -> None:
    source = Source(path.name, path.read_text())
    graphs = check(source)
    for graph in graphs:
        verify_graph(graph)
    assert [show_graph(g) for g in graphs] == [show_graph(g) for g in check(source)]


def test_equal_expressions_are_one_node() -> None:
    graph = kernel("x: f32[N]", "y: f32[N]", "y[i] = exp(x[i]) * exp(x[i]) + exp(x[i])")
    assert sum(1 for n in graph.nodes if getattr(n.op, "fn", "") == "exp") == 1


def test_unused_definitions_leave_no_node() -> None:
    graph = kernel("x: f32[N]", "y: f32[N]", "t[i] = x[i] + 1", "y[i] = x[i]")
    assert [n.op.name for n in graph.nodes if isinstance(n.op, Define)] == ["y"]


def test_a_lone_index_is_cut_to_the_table_only_where_it_may_leave_it() -> None:
    graph = kernel("x: f32[N]", "y: f32[N]", "y[i] = sum[j in i - 3 .. i] x[j]")
    lo, hi = graph.node(graph.rank("j").lo), graph.node(graph.rank("j").hi)
    assert getattr(lo.op, "fn", "") == "max"
    assert hi.op == graph.node(next(n.id for n in graph.nodes if n.ranks == ("i",))).op


@pytest.mark.parametrize(
    ("bounds", "cut"),
    [
        ("0 .. N", False),
        ("0 .. i", False),
        ("0 .. i + 1", False),
        ("0 .. i + 2", True),
        ("i / 2 .. (i + N) / 2", False),
        ("i / 4 * 4 .. i / 4 * 4 + 4", True),
        ("i % 4 .. i % 4 + 1", True),
        ("0 .. min(i * i, N)", False),
        ("max(i - 1, 0) .. N", False),
    ],
)
def test_cuts_that_are_proven_needless_are_left_out(bounds: str, cut: bool) -> None:
    graph = kernel("x: f32[N]", "y: f32[N]", f"y[i] = sum[j in {bounds}] x[j]")
    rank = graph.rank("j")
    limits = [graph.node(b) for b in (rank.lo, rank.hi)]
    own = [n for n in limits if n.span == rank.span and getattr(n.op, "fn", "") in ("min", "max")]
    assert bool(own) is cut
    assert str(rank.extent) == "N"


def test_extent_of_a_paged_range_follows_from_its_table() -> None:
    graph = kernel("K: f32[P, S], page: i32[T], len: i32", "y: f32",
                   "y = sum[t < len] K[page[t / S], t % S]")  # fmt: skip
    assert str(graph.rank("t").extent) == "S * T"


def test_extent_is_not_read_behind_a_condition() -> None:
    graph = kernel("K: f32[P, S], page: i32[T], len: i32", "y: f32",
                   "y = sum[t < len] (K[page[t / S], t % S] if t < T else 0)")  # fmt: skip
    assert graph.rank("t").extent is None


def test_conditions_stand_in_the_order_of_the_text() -> None:
    graph = kernel("x: f32[N], a: bool[N], b: bool[N]", "y: f32",
                   "y = sum[i, b[i], a[i]] x[i]")  # fmt: skip
    reads = [graph.node(g).op for g in sums(graph)[0].guards]
    tables = [graph.node(r.table).op for r in reads if isinstance(r, Access)]
    assert [t.name for t in tables if isinstance(t, Input)] == ["b", "a"]


def test_selection_by_name_takes_its_indices_in_the_order_of_its_key() -> None:
    graph = kernel("s: f32[H, L], n: i32[H]", "y: f32[H]",
                   "T = topk[l, l * 2 <= n[h]](s[h, l]; k = 2)",
                   "y[h] = sum[l in T] s[h, l]")  # fmt: skip
    (select,) = [n for n in graph.nodes if isinstance(n.op, Select)]
    assert [str(size) for size in select.shape or ()] == ["H", "L"]


def test_softmax_shares_the_conditions_of_its_sum() -> None:
    graph = kernel("s: f32[L], v: f32[L]", "y: f32", "y = sum[l, s[l] > 0] softmax[l](s[l]) * v[l]")
    (softmax,) = [n.op for n in graph.nodes if isinstance(n.op, Softmax)]
    assert softmax.guards == sums(graph)[0].guards
    assert softmax.rank == "l"


def test_updates_chain() -> None:
    graph = kernel("x: inout f32[N]", "y: f32", "x[i] := x[i] + 1", "x[i] := x[i] * 2", "y = 1")
    first, second = [n for n in graph.nodes if isinstance(n.op, Update)]
    assert isinstance(second.op, Update) and second.op.table == first.id
    assert dict(graph.outputs)["x"] == second.id


def test_declared_formats() -> None:
    graph = kernel(
        "A: f32[B, M, K] @ bsr(2, 4) values int4(group = 4) index u16, n: i32, "
        "C: f32[L, D] @ tail(n), E: f32[M, K] @ mixed",
        "y: f32[M]",
        "y[m] = n",
        before="""
format tail(l, d; c) = (dense(l), bitmap(d)) if l < c else (dense(l), dense(d))
format mixed(i, j) = nm(i, j; 2, 4) + csr(i, j) index u16""",
    )  # fmt: skip
    assert [str(graph.param(name).format) for name in ("A", "C", "E")] == [
        "bsr(d0, i, j) = dense(d0), dense(i / 2), compressed(j / 4), dense(i % 2), dense(j % 4)"
        " values int4(group = 4) index u16",
        "tail(l, d) = (dense(l), bitmap(d)) if l < n else (dense(l), dense(d))",
        "mixed(i, j) = (dense(i), dense(j / 4), choose(j % 4; n = 2))"
        " + (dense(i), compressed(j) index u16)",
    ]
    assert all(graph.param(name).sparse for name in ("A", "C", "E"))


def test_a_caller_may_add_levels() -> None:
    text = "format f(i, j) = dense(i), own(j; 3)\nkernel k(x: f32[N, M] @ f) -> y: f32 { y = 1 }"
    known = Known(levels={**Known().levels, "own": ("size",)})
    (graph,) = build(parse(Source("t", text)), known)
    layout = graph.param("x").format
    assert layout is not None and str(layout.only) == "dense(i), own(j; size = 3)"
