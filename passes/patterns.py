"""Patterns: what an output stores, stated as guards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hastec.ir.forms import Form
from hastec.ir.graph import Define, Graph, Node, NodeId, Present
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.rewrite import rewrite


@dataclass(frozen=True, slots=True)
class Patterns:
    """Guard outputs that have another table's pattern by its entries.

    before: ``C[i, j] = S[i, j] * sum[k](…)`` with ``like S``; after: the same ``for S has (i, j)``
    """

    name: ClassVar[str] = "patterns"
    needs: ClassVar[frozenset[Form]] = frozenset({Form.NORMAL})
    gives: ClassVar[frozenset[Form]] = frozenset()

    def run(self, graph: Graph) -> Graph:
        """Return the graph with every ``like`` stated."""
        like = {p.name: p.like for p in graph.params if p.like}
        if not like:
            return graph

        def rule(b: GraphBuilder, node: Node) -> NodeId | None:
            op = node.op
            if not isinstance(op, Define) or op.name not in like:
                return None
            source = b.input(like[op.name])
            entry = b.add(Present(source, tuple(b.index(r) for r in op.ranks)))
            if entry in op.guards:
                return None
            new = Define(op.name, op.ranks, (entry, *op.guards), op.body)
            return b.add(new, node.dtype, node.shape, node.span)

        return rewrite(graph, rule)
