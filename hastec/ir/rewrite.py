"""The kit for passes: rebuild a graph bottom-up, copy a value under other coordinates, clean up.

A pass states rules; ids, order, sharing and ranks are seen to here. A node that survives keeps
its id, new nodes get fresh ones, and a graph in which nothing changed is returned as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import assert_never

from hastec.ir.graph import (
    Access,
    Const,
    Convert,
    Define,
    Graph,
    Index,
    Input,
    Law,
    Map,
    Node,
    NodeId,
    Op,
    Present,
    Reduce,
    Region,
    Select,
    SizeOf,
    Softmax,
    Update,
)
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.infer import needs, over

Rule = Callable[[GraphBuilder, Node], "NodeId | None"]
"""What a node becomes: the id of a node that has the same meaning, or None to keep it."""


def map_operands(op: Op, f: Callable[[NodeId], NodeId]) -> Op:
    """Return ``op`` with every operand ``x`` replaced by ``f(x)``.

    before: ``mul(%1, %2)``; after, with 1 → 7: ``mul(%7, %2)``
    """
    match op:
        case Input() | Const() | SizeOf() | Index():
            return op
        case Map(fn, args):
            return Map(fn, _all(args, f))
        case Access(table, subs):
            return Access(f(table), _all(subs, f))
        case Present(table, subs):
            return Present(f(table), _all(subs, f))
        case Convert(table, fmt):
            return Convert(f(table), fmt)
        case Reduce() | Softmax() | Select() | Define() | Update():
            return _map_binder(op, f)
        case _ as never:
            assert_never(never)


def _map_binder(op: Reduce | Softmax | Select | Define | Update, f: Callable[[int], int]) -> Op:
    guards = _all(op.guards, f)
    match op:
        case Reduce(monoid, ranks, _, args):
            return Reduce(monoid, ranks, guards, _all(args, f))
        case Softmax(rank, _, arg):
            return Softmax(rank, guards, f(arg))
        case Define(name, ranks, _, body):
            return Define(name, ranks, guards, f(body))
        case Update(table, ranks, subs, _, body):
            return Update(f(table), ranks, _all(subs, f), guards, f(body))
        case Select(kind, ranks, over, _, key, amount, always):
            given = None if amount is None else f(amount)
            return Select(kind, ranks, over, guards, f(key), given, _all(always, f))


def _all(ids: tuple[NodeId, ...], f: Callable[[NodeId], NodeId]) -> tuple[NodeId, ...]:
    return tuple(f(i) for i in ids)


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """Rebuild ``graph`` from its operands up, each node by ``rule``.

    The rule sees every node once, its operands already rewritten, and may add nodes to the
    builder; these are not visited. It may use the node itself as an operand of its replacement.
    What nothing uses any more is removed.
    """
    # A node is shared only once it has been visited: until then it may still change.
    builder = GraphBuilder(graph, shared=False)
    became: dict[NodeId, NodeId] = {}
    for old in graph.nodes:
        kept = builder.put(replace(old, op=map_operands(old.op, became.__getitem__)))
        new = rule(builder, builder.nodes[kept])
        became[old.id] = kept if new is None else new
        if became[old.id] != old.id:
            _move_bounds(builder, old.id, became[old.id])
    done = _renamed(builder.build(), became)
    return graph if done == graph else drop_dead(done)


def replace_uses(graph: Graph, became: Mapping[NodeId, NodeId]) -> Graph:
    """Let every user of a node use its replacement, which must not depend on that node itself.

    before: ``%1 = …; %2 = …; %3 = neg(%1)``; after, with 1 → 2: ``%2 = …; %3 = neg(%2)``
    """
    return rewrite(graph, lambda _, node: became.get(node.id))


def _move_bounds(builder: GraphBuilder, old: NodeId, new: NodeId) -> None:
    for name, rank in builder.ranks.items():
        if old in (rank.lo, rank.hi):
            lo, hi = (new if bound == old else bound for bound in (rank.lo, rank.hi))
            builder.ranks[name] = replace(rank, lo=lo, hi=hi)


def _renamed(graph: Graph, became: dict[NodeId, NodeId]) -> Graph:
    """Let what refers to nodes from outside the nodes follow their replacements."""
    return replace(
        graph,
        outputs=tuple((name, became[i]) for name, i in graph.outputs),
        laws=tuple(
            Law(became[w.on], became[w.floor], _all(w.reduces, became.__getitem__))
            for w in graph.laws
        ),
        formats=tuple((became[i], fmt) for i, fmt in graph.formats),
        candidates=tuple((became[i], fmt) for i, fmt in graph.candidates),
        regions=tuple(replace(r, stores=_all(r.stores, became.__getitem__)) for r in graph.regions),
    )


def drop_dead(graph: Graph) -> Graph:
    """Remove nodes that no output needs, ranks that no node uses, and what refers to them.

    before: ``%1 = …; %2 = …; output Y = %1``; after: ``%1 = …; output Y = %1``
    """
    live = needed(graph, tuple(i for _, i in graph.outputs))
    if len(live) == len(graph.nodes):
        return graph
    nodes = tuple(n for n in graph.nodes if n.id in live)
    ranks = {r for n in nodes for r in (*n.ranks, *over(n.op))}
    return replace(
        graph,
        nodes=nodes,
        ranks=tuple(r for r in graph.ranks if r.name in ranks),
        laws=tuple(law for law in (_law(w, live) for w in graph.laws) if law.reduces),
        formats=tuple((i, fmt) for i, fmt in graph.formats if i in live),
        candidates=tuple((i, fmt) for i, fmt in graph.candidates if i in live),
        regions=tuple(r for r in (_region(r, live) for r in graph.regions) if r.stores),
    )


def _law(law: Law, live: frozenset[NodeId]) -> Law:
    whole = law.on in live and law.floor in live
    return replace(law, reduces=tuple(i for i in law.reduces if whole and i in live))


def _region(region: Region, live: frozenset[NodeId]) -> Region:
    return replace(region, stores=tuple(i for i in region.stores if i in live))


def needed(graph: Graph, roots: tuple[NodeId, ...]) -> frozenset[NodeId]:
    """Return the ids of all nodes that ``roots`` are computed from, themselves included."""
    nodes, ranks = graph.by_id, {r.name: r for r in graph.ranks}
    found: set[NodeId] = set()
    stack = list(roots)
    while stack:
        at = stack.pop()
        if at not in found:
            found.add(at)
            stack.extend(needs(nodes[at].op, ranks))
    return frozenset(found)
