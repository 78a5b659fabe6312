"""Right results at some places, from the graph interpreter, at the real sizes.

A whole result would take the interpreter hours, some of its elements take milliseconds. So the
region is cut down to chosen coordinates of its outputs, with whole reductions: an output index
becomes a position in a short list of coordinates, tables that are only read at that very index are
cut to those rows, and all else reads the coordinate from the list.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hastec.arrays import arange, array, full_like, nonzero, numbers, put, take, torch_module
from hastec.diag import HasteError
from hastec.ir.graph import (
    Access,
    Const,
    Define,
    Graph,
    Index,
    Input,
    Node,
    NodeId,
    Op,
    Param,
    Present,
    Rank,
    SizeOf,
)
from hastec.ir.interp import Table, run_graph
from hastec.ir.types import I64
from hastec.levels.packed import Entries
from hastec.levels.registry import Registry
from hastec.passes.bound import table_name
from hastec.run.oracle import as_oracle
from hastec.run.tables import TableValue
from hastec.sym.size import Size
from hastec.tune.part import Part, elements, stored_ranks

MOST_ELEMENTS = 3_000_000
"""What the interpreter computes for one sample, in milliseconds."""
MOST_COORDINATES = 24
UNKNOWN_EXTENT = 4096

Points: TypeAlias = Mapping[str, tuple[int, ...]]
"""Coordinates of output ranks, ascending; a rank that is not named is whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Referee:
    """Knows right results of one region on given tables."""

    part: Part
    tables: Mapping[str, TableValue]
    sizes: Mapping[str, int]
    registry: Registry

    def sample(self, seed: int) -> Points | None:
        """Return coordinates to look at: the first, the last and random ones of every output
        rank, as many as are quick; None if even one takes too long.
        """
        ranges = dict(self._ranges())
        counts = {r: min(MOST_COORDINATES, hi - lo) for r, (lo, hi) in ranges.items()}
        while self._work(counts) > MOST_ELEMENTS:
            most = max(counts, key=lambda r: counts[r], default="")
            if not most or counts[most] <= 1:
                return None
            counts[most] //= 2
        chance = random.Random(seed)  # noqa: S311 (nothing is kept secret)
        return {r: _some(lo, hi, counts[r], chance) for r, (lo, hi) in ranges.items()}

    def _work(self, counts: Mapping[str, int]) -> int:
        extents = {r: self._extent(rank) for r, rank in self.part.ranks.items()}
        return elements(self.part, {**extents, **counts})

    def _extent(self, rank: Rank) -> int:
        return UNKNOWN_EXTENT if rank.extent is None else rank.extent.evaluate(self.sizes)

    def _ranges(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield the output ranks whose range only depends on sizes, with their ranges."""
        for name in dict.fromkeys(r for s in self.part.stores for r in stored_ranks(s)):
            rank = self.part.ranks[name]
            lo, hi = (self._number(self.part.graph.node(b).op) for b in (rank.lo, rank.hi))
            if lo is not None and hi is not None and lo < hi:
                yield name, (lo, hi)

    def _number(self, op: Op) -> int | None:
        match op:
            case Const(int(value)):
                return value
            case SizeOf(size):
                return size.evaluate(self.sizes)
            case _:
                return None

    def values(self, points: Points) -> dict[str, NDArray[Any]] | None:
        """Return what each store holds at ``points`` (a grid of them); None if the interpreter
        cannot tell.
        """
        cut = _Cut(self.part, points)
        tables = {n: self._table(n, cut) for n in self.part.names}
        try:
            found = run_graph(cut.graph(self.tables), {**tables, **cut.lists()}, self.sizes)
        except HasteError:
            return None
        return {name: np.asarray(table.values, np.float64) for name, table in found.items()}

    def _table(self, name: str, cut: _Cut) -> Table:
        value = self.tables[name]
        rows = cut.rows[name]
        param = replace(value.param, shape=tuple(Size.of(n) for n in value.shape), role="in")
        return as_oracle(param, _picked(replace(value, param=param), rows), self.registry)


def _some(lo: int, hi: int, count: int, chance: random.Random) -> tuple[int, ...]:
    ends = (lo, hi - 1)[:count]
    return tuple(sorted({*ends, *chance.sample(range(lo, hi), max(0, count - len(ends)))}))


class _Cut:
    """A region at chosen coordinates of its outputs."""

    def __init__(self, part: Part, points: Points) -> None:
        self.part = part
        self.points = points
        self.next = max(part.graph.by_id) + 1
        self.rows = {table_name(n): self._rows(n) for n in part.reads}
        """For each table, by dimension, the rank at whose coordinates alone it is read."""

    def _rows(self, table: Node) -> dict[int, tuple[int, ...]]:
        param = next((p for p in self.part.graph.params if p.name == table_name(table)), None)
        if param is not None and param.format is not None and not param.format.dense:
            return {}  # which entries a format holds depends on their neighbours
        found = {}
        for place in range(len(table.shape or ())):
            ranks = {self._read_at(n, place) for n in self._accesses(table.id)}
            (rank,) = ranks if len(ranks) == 1 else ("",)
            if rank in self.points:
                found[place] = self.points[rank]
        return found

    def _accesses(self, table: NodeId) -> Iterator[Access | Present]:
        for node in self.part.nodes:
            if isinstance(node.op, Access | Present) and node.op.table == table:
                yield node.op

    def _read_at(self, op: Access | Present, place: int) -> str:
        """Return the rank whose index a subscript is, "" if it is something else."""
        index = self.part.graph.node(op.subs[place]).op
        return index.rank if isinstance(index, Index) else ""

    def lists(self) -> dict[str, Table]:
        """Return the coordinates of each rank as a table."""
        return {_list(r): Table(np.asarray(at, np.int64)) for r, at in self.points.items()}

    def graph(self, tables: Mapping[str, TableValue]) -> Graph:
        """Return the region as a graph of its own."""
        old = self.part.graph
        first, nodes = self._fresh(Const(0)), list[Node]()
        nodes.append(first)
        ranks = {r.name: r for r in old.ranks}
        lists = {}
        for name, at in self.points.items():
            end = self._fresh(SizeOf(Size.of(len(at))))
            lists[name] = replace(self._fresh(Input(_list(name))), shape=(Size.of(len(at)),))
            ranks[name] = replace(ranks[name], lo=first.id, hi=end.id, extent=Size.of(len(at)))
            nodes += [end, lists[name]]
        places = {r: self._fresh(Index(r), (r,)) for r in self.points}
        nodes += places.values()
        nodes += [self._node(n, lists, places) for n in self.part.nodes]
        params = [*self._read(tables), *(_declared(lists[r]) for r in self.points)]
        params += [replace(_declared(n), role="out") for n in nodes if self._stored(n)]
        outputs = tuple((table_name(n), n.id) for n in nodes if self._stored(n))
        return replace(
            old,
            params=tuple(params),
            ranks=tuple(ranks.values()),
            nodes=tuple(nodes),
            outputs=outputs,
            laws=(),
            formats=(),
            regions=(),
            candidates=(),
        )

    def _fresh(self, op: Op, ranks: tuple[str, ...] = ()) -> Node:
        self.next += 1
        return Node(self.next, op, I64, ranks)

    def _stored(self, node: Node) -> bool:
        return node.id in self.part.region.stores

    def _node(self, node: Node, lists: Mapping[str, Node], places: Mapping[str, Node]) -> Node:
        match node.op:
            case Index(rank) if rank in self.points:
                return replace(node, op=Access(lists[rank].id, (places[rank].id,)))
            case Define(name, ranks) if self._stored(node):
                shape = zip(ranks, node.shape or (), strict=True)
                return replace(
                    node, shape=tuple(self._count(r) if r in self.points else s for r, s in shape)
                )
            case Input(name) | Define(name):
                return replace(node, op=Input(name), shape=self._shape(node))
            case Access(table, subs) | Present(table, subs):
                return replace(node, op=replace(node.op, subs=self._subs(table, subs, places)))
            case _:
                return node

    def _subs(
        self, table: NodeId, subs: tuple[NodeId, ...], places: Mapping[str, Node]
    ) -> tuple[NodeId, ...]:
        graph = self.part.graph
        cut = self.rows.get(table_name(graph.node(table)), {})
        found = list(subs)
        for place in cut:
            index = graph.node(subs[place]).op
            assert isinstance(index, Index)
            found[place] = places[index.rank].id
        return tuple(found)

    def _count(self, rank: str) -> Size:
        return Size.of(len(self.points[rank]))

    def _shape(self, node: Node) -> tuple[Size, ...]:
        cut = self.rows[table_name(node)]
        shape = enumerate(node.shape or ())
        return tuple(Size.of(len(cut[n])) if n in cut else s for n, s in shape)

    def _read(self, tables: Mapping[str, TableValue]) -> Iterator[Param]:
        for node in self.part.reads:
            param = tables[table_name(node)].param
            yield replace(param, shape=self._shape(node), role="in", like="")


def _list(rank: str) -> str:
    return f"{rank} at"


def _declared(node: Node) -> Param:
    return Param(table_name(node), node.dtype, node.shape or ())


def _picked(value: TableValue, rows: Mapping[int, tuple[int, ...]]) -> TableValue:
    """Return a table cut to some coordinates of some dimensions."""
    if not rows:
        return value
    shape = tuple(len(rows[n]) if n in rows else extent for n, extent in enumerate(value.shape))
    param = replace(value.param, shape=tuple(Size.of(n) for n in shape))
    if value.dense is not None:
        dense = value.dense
        for place, at in rows.items():
            index = numbers(at, dense)
            dense = array(torch_module().index_select(dense, place, index))
        return TableValue(param, shape, dense=dense)
    entries = value.entries()
    for place, at in rows.items():
        entries = _rows_of(entries, place, at)
    return TableValue(param, shape, loose=replace(entries, shape=shape))


def _rows_of(entries: Entries, place: int, at: tuple[int, ...]) -> Entries:
    """Return the entries at some coordinates of a dimension, renumbered by their place there."""
    extent, coord = entries.shape[place], entries.coords[place]
    where = full_like(extent, -1, numbers((), coord))
    put(where, numbers(at, coord), arange(len(at), coord))
    found = take(where, coord)
    kept = entries.pick(nonzero(found >= 0))
    coords = list(kept.coords)
    coords[place] = take(where, kept.coords[place])
    return replace(kept, coords=tuple(coords))
