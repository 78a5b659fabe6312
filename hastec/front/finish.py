"""The finished graph: what outputs need, in order, with readable names of ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hastec.front.nodes import Nodes
from hastec.ir.graph import Define, Graph, Index, NodeId, Op, Param, Reduce, Select, Softmax, Update
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.infer import needs, over
from hastec.ir.rewrite import map_operands


def live(nodes: Nodes, roots: Sequence[NodeId]) -> list[NodeId]:
    """Return the nodes ``roots`` need, each after what it is computed from, else as created."""
    found: set[NodeId] = set()
    stack = list(roots)
    while stack:
        at = stack.pop()
        if at not in found:
            found.add(at)
            stack += needs(nodes[at].op, nodes.ranks)
    done: dict[NodeId, None] = {}
    for first in sorted(found):
        stack = [first]
        while stack:
            at = stack[-1]
            waits = [n for n in needs(nodes[at].op, nodes.ranks) if n not in done]
            if at in done or not waits:
                done[stack.pop()] = None
            else:
                stack += reversed(waits)
    return list(done)


def finish(
    name: str,
    params: Sequence[Param],
    nodes: Nodes,
    outputs: Mapping[str, NodeId],
) -> Graph:
    """Return the graph of a kernel."""
    builder = GraphBuilder(name=name)
    builder.params += params
    order = live(nodes, list(outputs.values()))
    used = {op.monoid for n in order if isinstance(op := nodes[n].op, Reduce)}
    builder.monoids += [m for m in nodes.monoids.values() if m.name in used]
    ids: dict[NodeId, NodeId] = {}
    ranks: dict[str, str] = {}
    for at in order:
        node = nodes[at]
        named = (node.op.rank,) if isinstance(node.op, Index) else over(node.op)
        for rank in named:
            if rank not in ranks:
                old = nodes.ranks[rank]
                new = builder.fresh_rank(rank.split("#")[0])
                ranks[rank] = builder.rank(new, ids[old.hi], ids[old.lo], old.extent, old.span)
        op = _renamed(map_operands(node.op, ids.__getitem__), ranks)
        shape = builder.extents(op.ranks) if isinstance(op, Select) else node.shape
        ids[at] = builder.add(op, node.dtype, shape, node.span)
    for table, node_id in outputs.items():
        builder.output(table, ids[node_id])
    return builder.build()


def _renamed(op: Op, names: Mapping[str, str]) -> Op:
    def all_(ranks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names[r] for r in ranks)

    match op:
        case Index(rank):
            return Index(names[rank])
        case Reduce() | Define() | Update():
            return replace(op, ranks=all_(op.ranks))
        case Softmax():
            return replace(op, rank=names[op.rank])
        case Select():
            return replace(op, ranks=all_(op.ranks), over=names[op.over])
        case _:
            return op
