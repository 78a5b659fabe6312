"""Copies of values at other indices: a selection inside an expression is a table of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hastec.front.state import State
from hastec.ir.graph import Index, Node, NodeId, Op, Reduce, Softmax, binds
from hastec.ir.infer import needs
from hastec.ir.rewrite import map_operands


def copy_value(s: State, root: NodeId, mapping: Mapping[str, NodeId]) -> NodeId:
    """Return ``root`` with the coordinate of each rank of ``mapping`` replaced by an index node.

    before: ``x[i] * sum[k] y[i, k]``; after, with i → i.1: ``x[i.1] * sum[k.1] y[i.1, k.1]``
    """
    return _Copy(s, dict(mapping)).value(root)


class _Copy:
    def __init__(self, s: State, indices: dict[str, NodeId]) -> None:
        self.s = s
        self.indices = indices
        self.done: dict[NodeId, NodeId] = {}

    def value(self, root: NodeId) -> NodeId:
        """Copy ``root`` and what it needs; walks with a stack, since expressions may be long."""
        stack = [root]
        while stack:
            at = stack[-1]
            node = self.s.nodes[at]
            if at in self.done:
                stack.pop()
            elif node.is_table or not any(r in self.indices for r in self._mentioned(node)):
                # A table is computed on its own: it depends on no index around it.
                self.done[at] = at
            else:
                waits = [n for n in self._needs(node.op) if n not in self.done]
                if waits:
                    stack += waits
                else:
                    self.done[at] = self._copied(node)
        return self.done[root]

    def _mentioned(self, node: Node) -> tuple[str, ...]:
        """Ranks whose replacement changes ``node``; the bounds of bound ranks may vary too."""
        bounds = (self.s.nodes.ranks[r] for r in binds(node.op))
        varied = (self.s.nodes[b].ranks for rank in bounds for b in (rank.lo, rank.hi))
        return (*node.ranks, *(r for ranks in varied for r in ranks))

    def _needs(self, op: Op) -> tuple[NodeId, ...]:
        if isinstance(op, Index | Softmax):
            return () if isinstance(op, Index) else (*op.guards, op.arg)
        for rank in binds(op):
            if rank not in self.indices:
                fresh = self.s.new_index(rank.split("#")[0], self.s.nodes.span)
                fresh.closed = True
                self.indices[rank] = fresh.node
        return needs(op, self.s.nodes.ranks)

    def _copied(self, node: Node) -> NodeId:
        op = node.op
        if isinstance(op, Index):
            return self.indices[op.rank]
        new = map_operands(op, self.done.__getitem__)
        match new:
            case Softmax(rank, guards, arg):
                new = Softmax(self._renamed(rank), guards, arg)
            case Reduce(monoid, ranks, guards, args):
                for rank in ranks:
                    self._bounds(rank)
                new = Reduce(monoid, tuple(map(self._renamed, ranks)), guards, args)
            case _:
                pass
        return self.s.nodes.add(new, node.span, node.dtype, node.shape)

    def _bounds(self, rank: str) -> None:
        old = self.s.nodes.ranks[rank]
        name = self._renamed(rank)
        lo, hi = self.done[old.lo], self.done[old.hi]
        self.s.nodes.ranks[name] = replace(old, name=name, lo=lo, hi=hi)

    def _renamed(self, rank: str) -> str:
        return self.s.nodes.is_index(self.indices[rank]) if rank in self.indices else rank
