"""What integer tables must hold for a program to stay inside its tables, read off its graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hastec.ir.graph import Access, Const, Graph, Input, Map, NodeId, Present, Rank, Update
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class Demand:
    """Elements must lie in ``0 .. limit`` (excluded) for each of ``limits``.

    ``ascending``: they begin ranges, so neighbours must not descend.
    """

    limits: tuple[Size, ...]
    ascending: bool = False

    def below(self, sizes: Mapping[str, int]) -> int:
        """Return the least of the limits."""
        return min(limit.evaluate(sizes) for limit in self.limits)


def demands(graph: Graph) -> dict[str, Demand]:
    """Return what is demanded of the elements of integer inputs, by name.

    Tables that are used as subscripts, or as ends of ranges, as they are (or clamped, or a constant
    on) are found; what is computed from elements in other ways is not.
    """
    found: dict[str, Demand] = {}
    for name, limit, begins in (*_subscripts(graph), *_ends(graph)):
        known = found.get(name, Demand(()))
        limits = known.limits if limit in known.limits else (*known.limits, limit)
        found[name] = Demand(limits, known.ascending or begins)
    return found


def _subscripts(graph: Graph) -> Iterator[tuple[str, Size, bool]]:
    for node in graph.nodes:
        if isinstance(node.op, Access | Present | Update):
            shape = graph.node(node.op.table).shape or ()
            for sub, extent in zip(node.op.subs, shape, strict=True):
                for name, more in _elements(graph, sub):
                    yield name, extent - Size.of(more), False


def _ends(graph: Graph) -> Iterator[tuple[str, Size, bool]]:
    for rank in graph.ranks:
        if rank.extent is not None:
            yield from _ends_of(graph, rank, rank.extent + Size.of(1))


def _ends_of(graph: Graph, rank: Rank, limit: Size) -> Iterator[tuple[str, Size, bool]]:
    for bound in (rank.lo, rank.hi):
        for name, more in _elements(graph, bound):
            yield name, limit - Size.of(more), bound == rank.lo


def _elements(graph: Graph, node: NodeId) -> Iterator[tuple[str, int]]:
    """Yield the inputs whose elements a value is, perhaps converted or clamped, and what natural
    number is added to them.
    """
    op = graph.node(node).op
    match op:
        case Map("cast" | "min" | "max", args):
            for arg in args:
                yield from _elements(graph, arg)
        case Map("add", (left, right)):
            for arg, other in ((left, right), (right, left)):
                match graph.node(other).op:
                    case Const(int(more)) if more >= 0:
                        yield from ((name, more + rest) for name, rest in _elements(graph, arg))
        case Access(table, _):
            source = graph.node(table)
            if isinstance(source.op, Input) and source.dtype.is_integer:
                yield source.op.name, 0
        case _:
            return
