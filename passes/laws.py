"""Rescale laws: which sums may run beside the maximum they are taken relative to."""

from __future__ import annotations

from dataclasses import replace

from hastec.ir.graph import Graph, Law, Map, Node, NodeId, Reduce
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.walk import walk
from hastec.passes.algebra import is_floor
from hastec.passes.products import factors


def state_laws(graph: Graph) -> Graph:
    """State every law the graph contains.

    before: ``%2 = max[j](%1); %3 = max(%2, lowest); %4 = sum[j](exp(%1 - %3) * %5)``; after:
    ``law %2 %3 (%4)``: while the maximum grows by d, the sum so far is multiplied by exp(-d)
    """
    b = GraphBuilder(graph)
    laws = []
    for node in graph.nodes:
        if isinstance(node.op, Map) and is_floor(b, node.id):
            law = _law(graph, b, node)
            if law is not None:
                laws.append(law)
    return graph if tuple(laws) == graph.laws else replace(graph, laws=tuple(laws))


def _law(graph: Graph, b: GraphBuilder, floor: Node) -> Law | None:
    assert isinstance(floor.op, Map)
    on = floor.op.args[0]
    most = b.nodes[on].op
    assert isinstance(most, Reduce)
    sums = tuple(
        n.id
        for n in graph.nodes
        if isinstance(n.op, Reduce)
        and n.op.monoid == "sum"
        and (n.op.ranks, n.op.guards) == (most.ranks, most.guards)
        and _scaled(graph, b, n.op.args[0], floor.id)
    )
    return Law(on, floor.id, sums) if sums else None


def _scaled(graph: Graph, b: GraphBuilder, body: NodeId, floor: NodeId) -> bool:
    """Whether ``body`` is exp(score - floor) times factors in which ``floor`` does not occur."""
    weights = 0
    for factor in factors(b, body):
        if factor not in graph.by_id:
            return False
        match b.nodes[factor].op:
            case Map("exp", (arg,)) if _below(b, arg, floor):
                weights += 1
            case _:
                if any(n.id == floor for n in walk(graph, (factor,))):
                    return False
    return weights == 1


def _below(b: GraphBuilder, arg: NodeId, floor: NodeId) -> bool:
    match b.nodes[arg].op:
        case Map("sub", (score, relative)):
            return relative == floor and score != floor
        case _:
            return False
