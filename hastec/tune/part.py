"""One region of a graph on its own: what it computes, and the tables it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hastec.ir.graph import Access, Define, Graph, Map, Node, NodeId, Present, Rank, Region
from hastec.ir.infer import needs, over
from hastec.passes.bound import table_name


@dataclass(frozen=True, slots=True)
class Part:
    """A region's nodes, operands first. A table that an earlier region computes is read."""

    graph: Graph
    region: Region
    nodes: tuple[Node, ...]

    @property
    def stores(self) -> tuple[Node, ...]:
        """The tables it computes."""
        return tuple(n for n in self.nodes if n.id in self.region.stores)

    @property
    def reads(self) -> tuple[Node, ...]:
        """The tables it reads: inputs, and what earlier regions store."""
        return tuple(n for n in self.nodes if n.is_table and n.id not in self.region.stores)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tables it reads."""
        return tuple(table_name(n) for n in self.reads)

    @property
    def ranks(self) -> Mapping[str, Rank]:
        """The ranks of the graph by name."""
        return {r.name: r for r in self.graph.ranks}


def part_of(graph: Graph, region: Region) -> Part:
    """Return a region with the nodes it needs."""
    nodes, ranks = graph.by_id, {r.name: r for r in graph.ranks}
    done: dict[NodeId, Node] = {}
    stack = [(s, False) for s in reversed(region.stores)]
    while stack:
        at, ready = stack.pop()
        node = nodes[at]
        if ready:
            done[at] = node
        elif at not in done:
            stack.append((at, True))
            leaf = node.is_table and at not in region.stores
            asked = () if leaf else needs(node.op, ranks)
            stack.extend((n, False) for n in reversed(asked) if n not in done)
    return Part(graph, region, tuple(done.values()))


def stored_ranks(store: Node) -> tuple[str, ...]:
    """Return the ranks a stored table is computed over, one a dimension."""
    assert isinstance(store.op, Define)
    return store.op.ranks


def elements(part: Part, extents: Mapping[str, int]) -> int:
    """Return how many elements all values of a region have, if ranks have ``extents``."""
    total = 0
    for node in part.nodes:
        if not node.is_table or node.id in part.region.stores:
            names = dict.fromkeys((*node.ranks, *over(node.op)))
            count = 1
            for name in names:
                count *= max(1, extents[name])
            total += count
    return total


def tables_in(graph: Graph, root: NodeId) -> Iterator[Node]:
    """Yield the tables whose entries a value is computed from (not those used as subscripts)."""
    for node in _inside(graph, root):
        if isinstance(node.op, Access | Present):
            yield graph.node(node.op.table)


def _inside(graph: Graph, root: NodeId) -> Iterator[Node]:
    """Yield the nodes a value is made of by scalar functions."""
    stack, seen = [root], set[NodeId]()
    while stack:
        node = graph.node(stack.pop())
        if node.id in seen:
            continue
        seen.add(node.id)
        yield node
        if isinstance(node.op, Map):
            stack.extend(node.op.args)
