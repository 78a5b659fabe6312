"""What nodes of a graph need, in order."""

from __future__ import annotations

from collections.abc import Iterator

from hastec.ir.graph import Graph, Node, NodeId, Softmax, binds, operands


def walk(graph: Graph, roots: tuple[NodeId, ...]) -> Iterator[Node]:
    """Yield every node that ``roots`` need, operands first, bounds of bound ranks included."""
    nodes, ranks = graph.by_id, {r.name: r for r in graph.ranks}
    seen: set[NodeId] = set()
    stack: list[tuple[NodeId, bool]] = [(r, False) for r in reversed(roots)]
    while stack:
        at, ready = stack.pop()
        if ready:
            yield nodes[at]
            continue
        if at in seen:
            continue
        seen.add(at)
        stack.append((at, True))
        op = nodes[at].op
        bound = [ranks[r] for r in binds(op)]
        if isinstance(op, Softmax):
            bound.append(ranks[op.rank])
        needs = (*(b for r in bound for b in (r.lo, r.hi)), *operands(op))
        stack.extend((n, False) for n in reversed(needs) if n not in seen)
