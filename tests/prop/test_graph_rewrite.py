"""The rewriting kit keeps graphs valid and their meaning, on random programs."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.ir.graph import Access, Define, Graph, Map, Node, NodeId, Param
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.interp import Table, run_graph
from hastec.ir.read import read_graph
from hastec.ir.rewrite import drop_dead, replace_uses, rewrite
from hastec.ir.show import show_graph
from hastec.ir.substitute import inline_access, substitute
from hastec.ir.types import F32, I32
from hastec.ir.verify import verify_graph
from hastec.sym.size import Size
from tests.prop.gen_graph import random_program

SEEDS = range(120)


def same_meaning(
    before: Graph, after: Graph, tables: dict[str, Table], sizes: dict[str, int], seed: int
) -> None:
    verify_graph(after)
    assert read_graph(show_graph(after)) == after
    wanted, given = run_graph(before, tables, sizes), run_graph(after, tables, sizes)
    for name, table in wanted.items():
        message = f"seed {seed}, output {name}"
        np.testing.assert_array_equal(given[name].values, table.values, message)
        np.testing.assert_array_equal(given[name].present, table.present, message)


def test_generated_programs_are_valid() -> None:
    for seed in SEEDS:
        graph, tables, sizes = random_program(seed, exact=seed % 2 == 0)
        verify_graph(graph)
        assert set(run_graph(graph, tables, sizes)) == {name for name, _ in graph.outputs}


def test_equal_seeds_give_equal_programs() -> None:
    for seed in range(20):
        first, second = random_program(seed), random_program(seed)
        assert first[0] == second[0]
        for name, table in first[1].items():
            np.testing.assert_array_equal(table.values, second[1][name].values)


def test_a_rule_that_does_nothing_returns_the_same_graph() -> None:
    for seed in range(30):
        graph, _, _ = random_program(seed)
        assert rewrite(graph, lambda builder, node: None) is graph


def test_dead_nodes_do_not_matter() -> None:
    for seed in SEEDS:
        graph, tables, sizes = random_program(seed)
        smaller = drop_dead(graph)
        same_meaning(graph, smaller, tables, sizes, seed)
        assert drop_dead(smaller) is smaller


def inline(builder: GraphBuilder, node: Node) -> NodeId | None:
    """Compute what a definition holds wherever it is read."""
    if not isinstance(node.op, Access):
        return None
    table = builder.nodes[node.op.table].op
    if not isinstance(table, Define):
        return None
    return inline_access(builder, node.id)


def test_inlining_every_definition_keeps_the_meaning() -> None:
    changed = 0
    for seed in range(250):
        graph, tables, sizes = random_program(seed)
        after = rewrite(graph, inline)
        changed += after is not graph
        same_meaning(graph, after, tables, sizes, seed)
    assert changed > 60


def test_renaming_the_ranks_of_definitions_keeps_the_meaning() -> None:
    def renamed(builder: GraphBuilder, node: Node) -> NodeId | None:
        op = node.op
        if not isinstance(op, Define) or not op.ranks:
            return None
        fresh: dict[str, str] = {}
        for rank in op.ranks:
            old = builder.ranks[rank]
            name = builder.fresh_rank(f"{rank}.x")
            fresh[rank] = builder.rank(name, old.hi, old.lo, old.extent)
        mapping = {old: builder.index(new) for old, new in fresh.items()}
        guards = tuple(substitute(builder, g, mapping) for g in op.guards)
        body = substitute(builder, op.body, mapping)
        new = Define(op.name, tuple(fresh.values()), guards, body)
        return builder.add(new, node.dtype, node.shape)

    for seed in SEEDS:
        graph, tables, sizes = random_program(seed, exact=seed % 3 != 0)
        after = rewrite(graph, renamed)
        same_meaning(graph, after, tables, sizes, seed)
        old_ranks = {r.name for r in graph.ranks}
        for node in after.nodes:
            if isinstance(node.op, Define) and node.op.ranks:
                assert old_ranks.isdisjoint(node.op.ranks)


def test_a_replacement_may_use_what_it_replaces() -> None:
    """x → -(-x) for every sum, ids of everything else kept."""

    def twice_negated(builder: GraphBuilder, node: Node) -> NodeId | None:
        if isinstance(node.op, Map) and node.op.fn == "add":
            return builder.map("neg", builder.map("neg", node.id))
        return None

    for seed in SEEDS:
        graph, tables, sizes = random_program(seed)
        after = rewrite(graph, twice_negated)
        same_meaning(graph, after, tables, sizes, seed)
        kept = {n.id: n for n in after.nodes if n.id in graph.by_id}
        assert all(type(n.op) is type(graph.by_id[i].op) for i, n in kept.items())


def test_uses_can_be_replaced() -> None:
    b = GraphBuilder(name="uses")
    x = b.param(Param("x", F32, ()))
    assert x is not None
    old, new = b.access(x), b.map("neg", b.const(2.0))
    b.param(Param("Y", F32, (), "out"))
    b.output("Y", b.define("Y", (), b.map("mul", old, old)))
    graph = replace_uses(b.build(), {old: new})
    verify_graph(graph)
    assert run_graph(graph, {}, {})["Y"].values == 4
    assert {type(n.op).__name__ for n in graph.nodes} == {"Const", "Map", "Define"}


# ------------------------------------------------------------------------------------- substitution
def ragged() -> tuple[GraphBuilder, NodeId, NodeId]:
    """y[b] = sum[t < len[b]] x[t] * b, as a builder, the value and the index b."""
    b = GraphBuilder(name="ragged")
    x = b.param(Param("x", F32, (Size.of("T"),)))
    length = b.param(Param("len", I32, (Size.of("B"),)))
    assert x is not None and length is not None
    b.loop("b", "B")
    at = b.index("b")
    b.rank("t", b.access(length, at), extent=Size.of("T"))
    t = b.index("t")
    return b, b.reduce("sum", "t", b.map("mul", b.access(x, t), at)), at


@pytest.mark.parametrize("shift", [0, 1])
def test_ranges_follow_a_substitution(shift: int) -> None:
    b, value, _ = ragged()
    b.loop("c", "C")
    moved = b.map("sub", b.index("c"), b.const(shift)) if shift else b.index("c")
    inside = b.map("ge", moved, b.const(0))
    b.param(Param("Y", F32, (Size.of("C"),), "out"))
    b.output("Y", b.define("Y", ("c",), substitute(b, value, {"b": moved}), (inside,)))
    graph = drop_dead(b.build())
    verify_graph(graph)
    x, lengths = np.arange(1.0, 6.0), np.array([0, 3, 5])
    found = run_graph(graph, {"x": Table(x), "len": Table(lengths)}, {"C": 3})["Y"].values
    wanted = [x[:n].sum() * i for i, n in enumerate(lengths)]
    np.testing.assert_array_equal(found, [0] * shift + wanted[: 3 - shift])
    assert "t.1" in {r.name for r in graph.ranks}


def test_bound_ranks_do_not_capture_what_is_put_in() -> None:
    """sum[t] x[t] * b with b → t is not sum[t] x[t] * t."""
    b = GraphBuilder(name="capture")
    x = b.param(Param("x", F32, (Size.of("T"),)))
    assert x is not None
    b.loop("b", "T")
    b.loop("t", "T")
    value = b.reduce("sum", "t", b.map("mul", b.access(x, b.index("t")), b.index("b")))
    b.param(Param("Y", F32, (Size.of("T"),), "out"))
    b.output("Y", b.define("Y", ("t",), substitute(b, value, {"b": b.index("t")})))
    graph = drop_dead(b.build())
    verify_graph(graph)
    found = run_graph(graph, {"x": Table(np.array([1.0, 2.0, 4.0]))}, {})["Y"].values
    np.testing.assert_array_equal(found, [0, 7, 14])


def test_a_softmax_at_a_shifted_coordinate_is_spelled_out() -> None:
    b = GraphBuilder(name="shifted")
    x = b.param(Param("x", F32, (Size.of("T"),)))
    assert x is not None
    b.loop("t", "T")
    b.loop("u", "T")
    t = b.index("t")
    share = b.softmax("t", b.access(x, t), (b.map("ge", t, b.const(1)),))
    next_place = b.map("add", b.index("u"), b.const(1))
    b.param(Param("Y", F32, (Size.of("T"),), "out"))
    inside = b.map("lt", next_place, b.size("T"))
    b.output("Y", b.define("Y", ("u",), substitute(b, share, {"t": next_place}), (inside,)))
    graph = drop_dead(b.build())
    verify_graph(graph)
    x_values = np.array([5.0, 1.0, 2.0, -np.inf])
    found = run_graph(graph, {"x": Table(x_values)}, {})["Y"].values
    weights = np.exp([1.0, 2.0, -np.inf])
    wanted = [*(weights / weights.sum()), 0.0]
    np.testing.assert_allclose(np.asarray(found, np.float64), wanted, 1e-6)


def test_deep_expressions_do_not_exhaust_the_stack() -> None:
    b = GraphBuilder(name="deep")
    x = b.param(Param("x", F32, (Size.of("T"),)))
    assert x is not None
    b.loop("t", "T")
    b.loop("u", "T")
    at = b.index("t")
    value = b.access(x, at)
    for _ in range(3000):
        value = b.map("add", value, at)
    b.param(Param("Y", F32, (Size.of("T"),), "out"))
    b.output("Y", b.define("Y", ("u",), substitute(b, value, {"t": b.index("u")})))
    graph = rewrite(drop_dead(b.build()), lambda builder, node: None)
    verify_graph(graph)
    found = run_graph(graph, {"x": Table(np.zeros(2))}, {})["Y"].values
    np.testing.assert_array_equal(found, [0, 3000])
