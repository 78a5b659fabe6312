"""Which subscripts are checked when a call's tables are, and which a kernel must guard itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hastec.ir.graph import (
    Access,
    Define,
    Graph,
    Input,
    Map,
    NodeId,
    Param,
    Present,
    Rank,
    Reduce,
    Softmax,
    operands,
)
from hastec.ir.graph_builder import GraphBuilder
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """Subscript ``place`` of the access ``access`` is an element of input ``table``.

    It must lie below ``extent``, and not be negative. ``reads``: a graph whose only output are the
    elements that are read, for a table that is read up to a length; None if all are.
    """

    access: NodeId
    place: int
    table: str
    extent: Size
    reads: Graph | None = None

    @property
    def tables(self) -> tuple[str, ...]:
        """The inputs that decide."""
        return (self.table,) if self.reads is None else _inputs(self.reads)


def index_checks(graph: Graph) -> tuple[IndexCheck, ...]:
    """Return the subscripts whose values are checked on entry: elements of an index table, read
    as they are, in an access that no condition guards.

    A subscript behind a condition may be anything where the condition is false, so its table
    cannot be checked as a whole; it is held inside by a mask, as are computed ones. A table that
    is read up to a length may hold anything beyond it: what is read is checked.
    """
    guarded, cut = _guarded(graph), {r.name for r in graph.ranks if _cut(graph, r)}
    found = []
    for node in graph.nodes:
        if not isinstance(node.op, Access | Present) or node.id in guarded:
            continue
        shape = graph.node(node.op.table).shape or ()
        for place, (sub, extent) in enumerate(zip(node.op.subs, shape, strict=True)):
            name = _index_table(graph, sub)
            if name:
                partly = cut.intersection(graph.node(sub).ranks)
                reads = _reads_of(graph, sub) if partly else None
                found.append(IndexCheck(node.id, place, name, extent, reads))
    return tuple(found)


READ = "read"
"""The output of :attr:`IndexCheck.reads`."""


def _reads_of(graph: Graph, sub: NodeId) -> Graph | None:
    """Return a graph of the values a subscript takes, None if a range has no known extent."""
    build = GraphBuilder(graph)
    ranks = graph.node(sub).ranks
    if any(build.ranks[r].extent is None for r in ranks):
        return None
    output = build.define(READ, ranks, sub)
    whole = build.build()
    by_id, bounds = whole.by_id, {r.name: r for r in whole.ranks}
    needed: dict[NodeId, None] = {}
    left = [output]
    while left:
        at = left.pop()
        if at in needed:
            continue
        needed[at] = None
        node = by_id[at]
        own = node.op.ranks if isinstance(node.op, Define) else ()
        left += operands(node.op)
        left += (b for r in (*node.ranks, *own) for b in (bounds[r].lo, bounds[r].hi))
    nodes = tuple(n for n in whole.nodes if n.id in needed)
    names = {n.op.name for n in nodes if isinstance(n.op, Input)}
    used = {r for n in nodes for r in n.ranks} | set(ranks)
    made = by_id[output]
    told = Param(READ, made.dtype, made.shape or (), role="out")
    return replace(
        whole,
        nodes=nodes,
        ranks=tuple(r for r in whole.ranks if r.name in used),
        params=(*(p for p in whole.params if p.name in names), told),
        outputs=((READ, output),),
    )


def _inputs(graph: Graph) -> tuple[str, ...]:
    return tuple(p.name for p in graph.params if p.role != "out")


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
