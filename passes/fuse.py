"""Fuse: which definitions are computed where they are read, and which become a kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from hastec.ir.forms import Form
from hastec.ir.graph import (
    Access,
    Convert,
    Define,
    Graph,
    Index,
    Node,
    NodeId,
    Present,
    Reduce,
    Region,
    Update,
)
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.infer import needs
from hastec.ir.rewrite import rewrite
from hastec.ir.substitute import inline_access
from hastec.ir.walk import walk
from hastec.passes.laws import state_laws
from hastec.passes.normalise import reduced
from hastec.passes.unify import unify


@dataclass(frozen=True, slots=True)
class Fuse:
    """Inline what costs nothing to compute where it is read; the rest become regions.

    before: ``%3 = define s[h, l] = …; %9 = define o[h] = … s[h, l] …``;
    after: ``%9 = define o[h] = …`` with ``s`` computed inside, ``region o { %9 }``

    A definition without reductions is always inlined. One with reductions is inlined where that
    does not repeat them: at the same coordinates outside any reduction, or where it lets a
    rescale law join its reduction with the one that reads it.
    """

    name: ClassVar[str] = "fuse"
    needs: ClassVar[frozenset[Form]] = frozenset({Form.NORMAL})
    gives: ClassVar[frozenset[Form]] = frozenset({Form.FUSED, Form.LAWS})

    def run(self, graph: Graph) -> Graph:
        """Return the graph with regions."""
        kept: set[NodeId] = set()
        while True:
            todo = next((n for n in graph.nodes if _inlinable(graph, n, kept)), None)
            if todo is None:
                break
            tried = _normal(_inline(graph, todo.id))
            if _accepted(graph, tried, todo):
                graph, kept = tried, set()
            else:
                kept.add(todo.id)
        return replace(state_laws(graph), regions=regions(graph))


def _normal(graph: Graph) -> Graph:
    return state_laws(reduced(unify(graph)))


def _inlinable(graph: Graph, node: Node, kept: set[NodeId]) -> bool:
    if not isinstance(node.op, Define) or node.id in kept:
        return False
    if any(p.name == node.op.name and (p.like or p.sparse) for p in graph.params):
        return False
    mine = [n.op for n in graph.nodes if _reads(n) == node.id]
    return bool(mine) and all(isinstance(op, Access) for op in mine)


def _reads(node: Node) -> NodeId | None:
    """Return the table a node reads directly."""
    op = node.op
    return op.table if isinstance(op, Access | Present | Update | Convert) else None


def _inline(graph: Graph, table: NodeId) -> Graph:
    def rule(b: GraphBuilder, node: Node) -> NodeId | None:
        if isinstance(node.op, Access) and node.op.table == table:
            return inline_access(b, node.id)
        return None

    return rewrite(graph, rule)


def _accepted(before: Graph, after: Graph, node: Node) -> bool:
    """Whether inlining a definition repeats no reduction."""
    assert isinstance(node.op, Define)
    if not _reductions(before, (*node.op.guards, node.op.body)):
        return True
    if _joined(after) > _joined(before):
        return True
    return _within_law(before, node) or _pointwise(before, node)


def _joined(graph: Graph) -> int:
    """Return how many reductions run beside the maximum they are taken relative to."""
    return sum(len(law.reduces) for law in graph.laws)


def _within_law(graph: Graph, node: Node) -> bool:
    """Whether one law's reductions, which share a pass, are all that read a definition."""
    readers = {n.id for n in graph.nodes if _reads(n) == node.id}
    if len(readers) != 1:
        return False
    users = {n.id for n in graph.nodes if isinstance(n.op, Reduce) and _direct(graph, n, readers)}
    return any(users and users <= {law.on, *law.reduces} for law in graph.laws)


def _direct(graph: Graph, reduce: Node, readers: set[NodeId]) -> bool:
    """Whether a reduction reads a table in its own argument, outside reductions within."""
    assert isinstance(reduce.op, Reduce)
    ranks, nodes = {r.name: r for r in graph.ranks}, graph.by_id
    stack, seen = list(reduce.op.args), set[NodeId]()
    while stack:
        at = stack.pop()
        if at in readers:
            return True
        if at in seen or nodes[at].is_table or isinstance(nodes[at].op, Reduce):
            continue
        seen.add(at)
        stack.extend(needs(nodes[at].op, ranks))
    return False


def _reductions(graph: Graph, roots: tuple[NodeId, ...]) -> frozenset[NodeId]:
    """Return the reductions that roots compute themselves (tables they read are memory)."""
    nodes, ranks = graph.by_id, {r.name: r for r in graph.ranks}
    found = set[NodeId]()
    stack, seen = list(roots), set[NodeId]()
    while stack:
        at = stack.pop()
        if at in seen or nodes[at].is_table:
            continue
        seen.add(at)
        if isinstance(nodes[at].op, Reduce):
            found.add(at)
        stack.extend(needs(nodes[at].op, ranks))
    return frozenset(found)


def _pointwise(graph: Graph, node: Node) -> bool:
    """Whether every reader wants the definition at its own coordinates, outside reductions."""
    inside: set[NodeId] = set()
    for reduce in (n for n in graph.nodes if isinstance(n.op, Reduce)):
        inside |= {n.id for n in walk(graph, (reduce.id,))} - {reduce.id}
    for reader in graph.nodes:
        if not isinstance(reader.op, Access) or reader.op.table != node.id:
            continue
        subs = [graph.node(s).op for s in reader.op.subs]
        plain = all(isinstance(s, Index) for s in subs) and len(set(subs)) == len(subs)
        if not plain or reader.id in inside or not _same_ranks(graph, reader):
            return False
    return True


def _same_ranks(graph: Graph, reader: Node) -> bool:
    """Whether all definitions that use a reader have its ranks and no more."""
    for node in graph.nodes:
        if not isinstance(node.op, Define) or set(node.op.ranks) == set(reader.ranks):
            continue
        if any(n.id == reader.id for n in walk(graph, (node.op.body, *node.op.guards))):
            return False
    return True


def regions(graph: Graph) -> tuple[Region, ...]:
    """Return one region a stored definition; those that share reductions become one."""
    found: list[list[NodeId]] = []
    for node in graph.nodes:
        if not isinstance(node.op, Define):
            continue
        for group in found:
            if _shares(graph, group, node):
                group.append(node.id)
                break
        else:
            found.append([node.id])
    return tuple(Region(_name(graph, group), tuple(group)) for group in found)


def _shares(graph: Graph, group: list[NodeId], node: Node) -> bool:
    mine = _reductions(graph, _roots(node))
    reads = {n.id for n in walk(graph, (node.id,)) if n.is_table}
    if reads & set(group) or _model(graph, node) != _model(graph, graph.node(group[0])):
        return False
    first = graph.node(group[0])
    assert isinstance(first.op, Define) and isinstance(node.op, Define)
    nested = set(first.op.ranks) <= set(node.op.ranks) or set(node.op.ranks) <= set(first.op.ranks)
    return nested and any(mine & _reductions(graph, _roots(graph.node(g))) for g in group)


def _model(graph: Graph, node: Node) -> str:
    """Return the table whose entries alone are stored, and so walked; "" for a dense output."""
    assert isinstance(node.op, Define)
    name = node.op.name
    return next((p.like for p in graph.params if p.name == name), "")


def _roots(node: Node) -> tuple[NodeId, ...]:
    assert isinstance(node.op, Define)
    return (*node.op.guards, node.op.body)


def _name(graph: Graph, group: list[NodeId]) -> str:
    names = []
    for node in group:
        op = graph.node(node).op
        assert isinstance(op, Define)
        names.append(op.name)
    return f"{graph.name}_{'_'.join(names)}"
