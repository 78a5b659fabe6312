"""Which subscripts are checked when a call's tables are, and which a kernel must guard itself."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.graph import (
    Access,
    Define,
    Graph,
    Input,
    Map,
    NodeId,
    Present,
    Rank,
    Reduce,
    Softmax,
    operands,
)
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """Subscript ``place`` of the access ``access`` is an element of input ``table``.

    It must lie below ``extent``, and not be negative.
    """

    access: NodeId
    place: int
    table: str
    extent: Size


def index_checks(graph: Graph) -> tuple[IndexCheck, ...]:
    """Return the subscripts whose values are checked on entry: elements of an index table, read
    as they are, in an access that no condition guards.

    A subscript behind a condition may be anything where the condition is false, and an index
    table that is read up to a length may hold anything beyond it, so these tables cannot be
    checked as a whole; such subscripts are held inside by a mask, as are computed ones.
    """
    guarded, cut = _guarded(graph), {r.name for r in graph.ranks if _cut(graph, r)}
    found = []
    for node in graph.nodes:
        if not isinstance(node.op, Access | Present) or node.id in guarded:
            continue
        shape = graph.node(node.op.table).shape or ()
        for place, (sub, extent) in enumerate(zip(node.op.subs, shape, strict=True)):
            name = _index_table(graph, sub)
            if name and not cut.intersection(graph.node(sub).ranks):
                found.append(IndexCheck(node.id, place, name, extent))
    return tuple(found)


def _cut(graph: Graph, rank: Rank) -> bool:
    """Whether a range ends at a length that is read; segments, which begin at one too, go on."""
    return _reads(graph, rank.hi) and not _reads(graph, rank.lo)


def _reads(graph: Graph, node: NodeId) -> bool:
    op = graph.node(node).op
    return isinstance(op, Access) or any(
        _reads(graph, o) for o in operands(op) if not graph.node(o).is_table
    )


def _index_table(graph: Graph, sub: NodeId) -> str:
    """Return the input a subscript is an element of, or ""."""
    op = graph.node(sub).op
    while isinstance(op, Map) and op.fn == "cast" and graph.node(op.args[0]).dtype.is_integer:
        op = graph.node(op.args[0]).op
    if isinstance(op, Access):
        table = graph.node(op.table).op
        if isinstance(table, Input):
            return table.name
    return ""


def _guarded(graph: Graph) -> frozenset[NodeId]:
    """Return nodes that are evaluated behind a condition somewhere."""
    found: set[NodeId] = set()
    stack: list[NodeId] = []
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Map) and op.fn in ("where", "and", "or"):
            stack += op.args[1:]
        elif isinstance(op, Define | Reduce | Softmax) and op.guards:
            stack += [o for o in operands(op) if o != op.guards[0]]
    while stack:
        at = stack.pop()
        if at not in found and not graph.node(at).is_table:
            found.add(at)
            stack += operands(graph.node(at).op)
    return frozenset(found)
