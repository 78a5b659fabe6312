"""Choices that guards decide: what is asked again behind a guard is known to hold."""

from __future__ import annotations

from hastec.ir.graph import Define, Graph, Map, Node, NodeId, Reduce, operands
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.rewrite import map_operands, rewrite


def settle(graph: Graph) -> Graph:
    """Take the branch that enclosing guards decide.

    before: ``sum[j; %1](where(%1, %2, 0) * %3)``; after: ``sum[j; %1](%2 * %3)``
    """
    return rewrite(graph, _rule)


def _rule(b: GraphBuilder, node: Node) -> NodeId | None:
    op = node.op
    if not isinstance(op, Reduce | Define) or not op.guards:
        return None
    facts = frozenset(f for g in op.guards for f in conjuncts(b, g))
    known = _Assume(b)
    guards = _distinct(b, op.guards)
    if isinstance(op, Reduce):
        args = tuple(known.value(a, facts) for a in op.args)
        new = b.add(Reduce(op.monoid, op.ranks, guards, args), node.dtype, span=node.span)
    else:
        body = known.value(op.body, facts)
        new = b.add(Define(op.name, op.ranks, guards, body), node.dtype, node.shape, node.span)
    return None if new == node.id else new


def conjuncts(b: GraphBuilder, node: NodeId) -> tuple[NodeId, ...]:
    """Return the parts of a conjunction."""
    match b.nodes[node].op:
        case Map("and", (left, right)):
            return (*conjuncts(b, left), *conjuncts(b, right))
        case _:
            return (node,)


def _distinct(b: GraphBuilder, guards: tuple[NodeId, ...]) -> tuple[NodeId, ...]:
    return tuple(dict.fromkeys(f for g in guards for f in conjuncts(b, g)))


class _Assume:
    """Copies values with conditions that are known to hold replaced by true."""

    def __init__(self, b: GraphBuilder) -> None:
        self.b = b
        self.done: dict[tuple[NodeId, frozenset[NodeId]], NodeId] = {}

    def value(self, node: NodeId, facts: frozenset[NodeId]) -> NodeId:
        """Return ``node`` under ``facts``."""
        if not facts or self.b.nodes[node].is_table:
            return node
        key = node, facts
        if key not in self.done:
            self.done[key] = self._value(node, facts)
        return self.done[key]

    def _value(self, node: NodeId, facts: frozenset[NodeId]) -> NodeId:
        b, at = self.b, self.b.nodes[node]
        match at.op:
            case Map("where", (test, yes, no)):
                left = self._remaining(test, facts)
                if left is None:
                    return self.value(yes, facts)
                return b.map("where", left, self.value(yes, facts), self.value(no, facts))
            case Reduce(_, ranks, _, _):
                # A fact about an index the reduction binds is about another index.
                facts = frozenset(f for f in facts if not set(b.nodes[f].ranks) & set(ranks))
            case _:
                pass
        if not facts or not operands(at.op):
            return node
        op = map_operands(at.op, lambda i: self.value(i, facts))
        return node if op == at.op else b.add(op, at.dtype, at.shape, at.span)

    def _remaining(self, test: NodeId, facts: frozenset[NodeId]) -> NodeId | None:
        """Return the part of a condition that is not known; None if all of it is."""
        parts = [p for p in conjuncts(self.b, test) if p not in facts]
        if not parts:
            return None
        total = parts[0]
        for part in parts[1:]:
            total = self.b.map("and", total, part)
        return total
