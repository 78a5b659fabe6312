"""Entries of a table on their way into the arrays of a layout."""

from __future__ import annotations

from dataclasses import dataclass, field

from hastec.arrays import (
    Array,
    arange,
    bytes_of,
    cast,
    concat,
    count_true,
    full,
    nonzero,
    offsets,
    repeat,
    running,
    running_max,
    where,
)
from hastec.levels.faults import fault, shown_bytes
from hastec.levels.trail import Trail, replace_arrays
from hastec.levels.unpacking import Unpacking


@dataclass(slots=True)
class Nodes:
    """The positions of one level that entries stand at, in the order of the entries.

    ``coord`` is the level's coordinate there, ``first`` marks the first of each fibre, ``index``
    is an entry at each position and ``of`` the position of every entry (None: each has its own).
    ``trail`` stands at them.
    """

    level: int
    trail: Trail
    coord: Array
    first: Array
    index: Array
    of: Array | None

    @property
    def count(self) -> int:
        """The number of positions."""
        return self.trail.length

    def spread(self, x: Array) -> Array:
        """Return what belongs to positions, for every entry."""
        return x if self.of is None else x[self.of]

    def rank(self) -> Array:
        """Return how many positions of the same fibre come before each."""
        here = arange(self.count, self.coord)
        return here - running_max(where(self.first, here, 0))

    def last(self) -> Array:
        """Return which positions are the last of their fibre."""
        return concat((self.first[1:], full(min(self.count, 1), True, "bool", self.first)))

    def stretch(self, counts: Array) -> tuple[Trail, Array, Array]:
        """Return trails at ``counts`` copies of each position, which one each copies, and 0, 1 …
        among the copies.
        """
        source = repeat(arange(self.count, self.coord), counts)
        nth = arange(source.shape[0], self.coord) - offsets(counts)[source]
        return replace_arrays(self.trail, source), source, nth


@dataclass(slots=True)
class Packing(Trail):
    """Entries on their way into arrays: ``coords`` has one array a level, sorted.

    ``changes[n]`` marks entries that differ from the one before in a coordinate up to level ``n``,
    ``opens[n]`` those at another position of it (more, where coordinates repeat). ``budget`` is
    how many bytes may still be stored.
    """

    coords: tuple[Array, ...] = ()
    opens: tuple[Array, ...] = ()
    changes: tuple[Array, ...] = ()
    arrays: dict[str, Array] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    budget: int = 0

    def nodes(self, level: int) -> Nodes:
        """Return the positions of a level; the levels above are placed."""
        opens = self.opens[level]
        every = count_true(opens) == self.length
        index = arange(self.length, self.like) if every else nonzero(opens)
        trail = replace_arrays(self, None if every else index)
        coord = self.coords[level] if every else self.coords[level][index]
        if not level:
            first = arange(trail.length, self.like).eq(0)
        else:
            first = self.opens[level - 1] if every else self.opens[level - 1][index]
        return Nodes(level, trail, coord, first, index, None if every else running(opens) - 1)

    def place(self, nodes: Nodes, ordinal: Array, start: Array | None = None) -> None:
        """Give the positions of a level their ordinals and, in fibre levels, starts."""
        level = nodes.level
        nodes.trail.ordinals[level] = ordinal
        self.ordinals[level] = nodes.spread(ordinal)
        if start is not None:
            nodes.trail.starts[level] = start
            self.starts[level] = nodes.spread(start)

    def replace(self, nodes: Nodes, position: Array) -> None:
        """Give the positions of a level addresses that were not counted."""
        nodes.trail.replaced[nodes.level] = position
        self.replaced[nodes.level] = nodes.spread(position)

    def make(self, count: int, kind: str, value: float = 0) -> Array:
        """Return an array of ``count`` copies of ``value`` that may be stored."""
        self.reserve(count, kind)
        return full(count, value, kind, self.like)

    def reserve(self, count: int, kind: str) -> None:
        """Take memory for ``count`` elements; TableError HST4017 if there is not enough."""
        need = count * bytes_of(kind)
        if need > self.budget:
            raise fault(
                "HST4017",
                self.layout.table,
                f"storing it takes {shown_bytes(need)} more, {shown_bytes(self.budget)} are left",
                "choose a format that stores fewer positions, or raise the limit",
            )
        self.budget -= need

    def store(self, name: str, values: Array, kind: str) -> None:
        """Keep an array under its name."""
        self.arrays[name] = cast(values, kind)

    def tell(self, name: str, number: int) -> None:
        """Keep a number kernels ask for; sizes may use it from now on."""
        self.numbers[name] = number
        self.sizes[self.layout.array(name)] = number

    def distinct(self, level: int) -> Array:
        """Return which entries differ from the one before in a coordinate up to ``level``."""
        return self.changes[level]

    def above(self, level: int) -> Unpacking:
        """Return where all fibres of a level stand; the levels above are packed."""
        walk = Unpacking(self.layout, self.sizes, self.like, 1, arrays=self.arrays)
        walk.descend(self.layout.levels[:level])
        return walk
