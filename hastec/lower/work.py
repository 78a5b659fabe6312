"""What lowering works on: a region of a graph, and where its tables lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from hastec.diag.diagnostic import InternalError
from hastec.ir.graph import (
    Access,
    Define,
    Graph,
    Law,
    Node,
    NodeId,
    Present,
    Rank,
    Reduce,
    Region,
    SizeOf,
    operands,
)
from hastec.ir.subscripts import index_checks
from hastec.levels.protocol import Layout
from hastec.sym.size import Size


class Refused(Exception):
    """A schedule that cannot be lowered; the text says which capability or role is missing."""


@dataclass(frozen=True, slots=True)
class Work:
    """A region with the layouts of every table it reads or stores, by table node.

    An output with ``like`` has an entry in ``like``: the access whose position it is stored at.
    """

    graph: Graph
    region: Region
    layouts: Mapping[NodeId, tuple[Layout, ...]]
    like: Mapping[NodeId, NodeId] = field(default_factory=dict)
    nodes: Mapping[NodeId, Node] = field(default_factory=dict)
    ranks: Mapping[str, Rank] = field(default_factory=dict)
    checked: frozenset[tuple[NodeId, int]] = frozenset()
    """Subscripts (access and place) that are known to be in range when a kernel runs."""
    ones: tuple[str, ...] = ()
    """Sizes that are 1 here."""

    @staticmethod
    def of(
        graph: Graph,
        region: Region,
        layouts: Mapping[NodeId, tuple[Layout, ...]],
        like: Mapping[NodeId, NodeId] | None = None,
    ) -> Work:
        """Return the work on a region, with nodes and ranks at hand."""
        return Work(
            graph,
            region,
            layouts,
            like or {},
            graph.by_id,
            {r.name: r for r in graph.ranks},
            frozenset((c.access, c.place) for c in index_checks(graph)),
        )

    def with_ones(self, names: tuple[str, ...]) -> Work:
        """Return the work at sizes ``names`` that are 1."""
        if not names or names == self.ones:
            return self
        given = {n: Size.of(1) for n in names}
        graph = replace(
            self.graph,
            nodes=tuple(_settled(n, given) for n in self.graph.nodes),
            ranks=tuple(
                r if r.extent is None else replace(r, extent=r.extent.substitute(given))
                for r in self.graph.ranks
            ),
        )
        layouts = {
            n: tuple(_settled_layout(lay, given) for lay in found)
            for n, found in self.layouts.items()
        }
        return replace(Work.of(graph, self.region, layouts, self.like), ones=names)

    @property
    def stores(self) -> tuple[tuple[NodeId, Define], ...]:
        """The tables this region stores."""
        found = []
        for store in self.region.stores:
            op = self.nodes[store].op
            if not isinstance(op, Define):
                raise InternalError(f"region {self.region.name} stores %{store}, not a definition")
            found.append((store, op))
        return tuple(found)

    @property
    def out_ranks(self) -> tuple[str, ...]:
        """The ranks of all stores, in order of first appearance."""
        return tuple(dict.fromkeys(r for _, op in self.stores for r in op.ranks))

    def value_operands(self, node: NodeId) -> tuple[NodeId, ...]:
        """Return the value nodes a value node uses (tables are read, not evaluated)."""
        op = self.nodes[node].op
        used = operands(op)
        if isinstance(op, Access | Present):
            used = used[1:]
        if isinstance(op, Reduce):
            used = (*used, *(b for r in op.ranks for b in self.bounds(r)))
        return used

    def bounds(self, rank: str) -> tuple[NodeId, NodeId]:
        """Return the nodes that bound a rank."""
        return self.ranks[rank].lo, self.ranks[rank].hi

    def reachable(self, roots: Iterable[NodeId]) -> tuple[NodeId, ...]:
        """Return the value nodes that ``roots`` need, operands first."""
        done: dict[NodeId, None] = {}
        stack = [(r, False) for r in reversed(tuple(roots))]
        while stack:
            at, ready = stack.pop()
            if ready:
                done[at] = None
            elif at not in done:
                stack.append((at, True))
                stack.extend((o, False) for o in reversed(self.value_operands(at)))
        return tuple(done)

    def accesses(self) -> tuple[Node, ...]:
        """Return every access of the region, operands first."""
        roots = [n for _, op in self.stores for n in (*op.guards, op.body)]
        roots += [b for r in self.out_ranks for b in self.bounds(r)]
        found = (self.nodes[n] for n in self.reachable(roots))
        return tuple(n for n in found if isinstance(n.op, Access | Present))

    def reduces(self) -> tuple[Node, ...]:
        """Return every reduction of the region, inner ones first."""
        roots = [n for _, op in self.stores for n in (*op.guards, op.body)]
        found = (self.nodes[n] for n in self.reachable(roots))
        return tuple(n for n in found if isinstance(n.op, Reduce))

    def law_of(self, node: NodeId) -> Law | None:
        """Return the rescale law a reduction takes part in."""
        return next((w for w in self.graph.laws if node == w.on or node in w.reduces), None)


def _settled(node: Node, given: Mapping[str, Size]) -> Node:
    op = SizeOf(node.op.size.substitute(given)) if isinstance(node.op, SizeOf) else node.op
    shape = None if node.shape is None else tuple(s.substitute(given) for s in node.shape)
    return replace(node, op=op, shape=shape)


def _settled_layout(layout: Layout, given: Mapping[str, Size]) -> Layout:
    shape = tuple(s.substitute(given) for s in layout.shape)
    extents = tuple(None if e is None else e.substitute(given) for e in layout.extents)
    return replace(layout, shape=shape, extents=extents)
