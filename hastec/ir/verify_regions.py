"""What must hold of the regions and laws of a graph."""

from __future__ import annotations

from collections.abc import Iterator

from hastec.ir.graph import Graph, Input, Law, NodeId, Reduce, operands
from hastec.ir.infer import needs
from hastec.ir.walk import walk


def region_faults(graph: Graph) -> Iterator[str]:
    """Yield what is wrong with the regions and laws of ``graph``."""
    yield from law_faults(graph)
    if graph.regions:
        yield from _stores(graph)
        yield from _reads(graph)


def law_faults(graph: Graph) -> Iterator[str]:
    """Yield what is wrong with the rescale laws: a max, and sums that depend on it."""
    for law in graph.laws:
        yield from (f"law on %{law.on}: {fault}" for fault in _law(graph, law))


def _law(graph: Graph, law: Law) -> Iterator[str]:
    on = graph.node(law.on).op
    if not isinstance(on, Reduce) or on.monoid != "max":
        yield "it is no maximum"
    if law.on not in operands(graph.node(law.floor).op):
        yield f"%{law.floor} is no floor of it"
    for reduce in law.reduces:
        if not isinstance(graph.node(reduce).op, Reduce):
            yield f"%{reduce} is no reduction"
        elif all(n.id != law.floor for n in walk(graph, (reduce,))):
            yield f"%{reduce} does not depend on it"


def _stores(graph: Graph) -> Iterator[str]:
    stored: list[NodeId] = []
    for region in graph.regions:
        for node in (graph.node(s) for s in region.stores):
            if not node.is_table or isinstance(node.op, Input):
                yield f"region {region.name}: %{node.id} cannot be stored"
            if node.id in stored:
                yield f"region {region.name}: %{node.id} is stored twice"
            stored.append(node.id)
        if not region.stores:
            yield f"region {region.name} stores nothing"
    for name, node_id in graph.outputs:
        if node_id not in stored and not isinstance(graph.node(node_id).op, Input):
            yield f"no region stores the output {name}"


def _reads(graph: Graph) -> Iterator[str]:
    """A region reads what it or an earlier region has stored."""
    order = {s: at for at, s in enumerate(s for r in graph.regions for s in r.stores)}
    for store, at in order.items():
        for read in reads(graph, store, frozenset(order)):
            if order[read] > at:
                yield f"the store of %{store} reads %{read}, which is stored later"


def reads(graph: Graph, store: NodeId, stored: frozenset[NodeId]) -> tuple[NodeId, ...]:
    """Return the stored tables that ``store`` reads, not looking behind them, in order."""
    nodes, ranks = graph.by_id, {r.name: r for r in graph.ranks}
    found: dict[NodeId, None] = {}
    seen: set[NodeId] = set()
    stack = list(needs(nodes[store].op, ranks))
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        if at in stored:
            found[at] = None
        else:
            stack.extend(needs(nodes[at].op, ranks))
    return tuple(sorted(found))
