"""Addresses of many positions at once: the array twin of a cursor.

What :class:`hastec.levels.protocol.Cursor` states with index forms for one position of a kernel
is computed here with arrays for any number of positions, by the same rule: an address is the
mixed-radix number of the storage digits up to a level, and the start of a fibre (or a rank read
from memory) replaces what stands to the left of its digit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hastec.arrays import Array, divided, item, remainder, zeros
from hastec.diag import InternalError
from hastec.ir.format import Digit
from hastec.levels import placement
from hastec.levels.faults import fault
from hastec.levels.protocol import Layout
from hastec.levels.structure import span

POSITIONS = 2**31 - 1
"""The most positions a level may have whose starts or ranks are stored."""


@dataclass(slots=True)
class Trail:
    """Where ``length`` positions stand in one table, level by level.

    ``sizes`` are the sizes of the program and the numbers packing found. ``totals`` holds, for a
    level whose positions are counted at run time, how many there are in all (with padding).
    ``like`` is an array on the device all others are made on.
    """

    layout: Layout
    sizes: dict[str, int]
    like: Array
    length: int
    ordinals: dict[int, Array] = field(default_factory=dict)
    starts: dict[int, Array] = field(default_factory=dict)
    replaced: dict[int, Array] = field(default_factory=dict)
    totals: dict[int, int] = field(default_factory=dict)

    def extent(self, level: int) -> int:
        """Return the number of positions of every fibre of a level that has one."""
        size = self.layout.extents[level]
        if size is None:
            raise InternalError(f"level {level} of {self.layout.table} has no extent")
        return size.evaluate(self.sizes)

    def span(self, level: int) -> int:
        """Return how many values the coordinate of a level can take."""
        coord = self.layout.levels[level].spec.coord
        return span(coord, self.layout.dims, self.layout.shape).evaluate(self.sizes)

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the table."""
        return tuple(size.evaluate(self.sizes) for size in self.layout.shape)

    def pick(self, index: Array) -> Trail:
        """Return where the positions ``index`` stand."""
        return replace_arrays(self, index)

    def counted(self, level: int, starts: Array) -> Array:
        """Note that the last of ``starts`` is the number of positions of a level; return them.

        TableError HST4016 if kernels, which hold starts in 32 bits, cannot address so many.
        """
        self.totals[level] = item(starts, starts.shape[0] - 1)
        if self.totals[level] > POSITIONS:
            raise fault(
                "HST4016",
                self.layout.table,
                f"level {self.layout.levels[level].spec} would hold {self.totals[level]} "
                f"positions, kernels address {POSITIONS}",
                "split the table, or store blocks in a dense level below",
            )
        return starts

    # ------------------------------------------------------------------- addresses and counts
    def position(self, level: int, per_word: int = 1) -> Array:
        """Return the addresses of positions of ``level`` (of words that hold ``per_word``)."""
        return self._address(placement.position_digits(self.layout, level), level, per_word)

    def positions(self, level: int, per_word: int = 1) -> int:
        """Return how many such addresses there are."""
        return self._count(placement.position_digits(self.layout, level), level, per_word)

    def group(self, level: int) -> Array:
        """Return the numbers of the groups fibres of ``level`` belong to."""
        return self._address(placement.group_digits(self.layout, level), level, 1)

    def groups(self, level: int) -> int:
        """Return how many groups there are."""
        return self._count(placement.group_digits(self.layout, level), level, 1)

    def fibre(self, level: int) -> Array:
        """Return the numbers of fibres of ``level``."""
        return self._address(placement.fibre_digits(self.layout, level), level, 1)

    def fibres(self, level: int) -> int:
        """Return how many fibres there are."""
        return self._count(placement.fibre_digits(self.layout, level), level, 1)

    def over(self, levels: tuple[int, ...]) -> Array:
        """Return the mixed-radix number of the ordinals of ``levels``, which have extents."""
        digits = tuple(d for d in self.layout.order if d.level in levels)
        return self._address(digits, -1, 1)

    def all_over(self, levels: tuple[int, ...]) -> int:
        """Return how many such numbers there are."""
        return self._count(tuple(d for d in self.layout.order if d.level in levels), -1, 1)

    def _address(self, digits: tuple[Digit, ...], level: int, per_word: int) -> Array:
        total: Array | None = None
        for digit in digits:
            packed = per_word if digit.level == level and digit.div == 1 else 1
            if digit.level in self.replaced:
                total = self.replaced[digit.level]
            elif digit.extent == 0 and digit.level in self.starts:
                total = self.starts[digit.level] // (digit.div * packed) + self._value(
                    digit, packed
                )
            else:
                value = self._value(digit, packed)
                extent = self._values(digit, packed)
                total = value if total is None else total * extent + value
        return zeros(self.length, "int64", self.like) if total is None else total

    def _count(self, digits: tuple[Digit, ...], level: int, per_word: int) -> int:
        total = 1
        for digit in digits:
            packed = per_word if digit.level == level and digit.div == 1 else 1
            if digit.level in self.totals and digit.extent == 0:
                total = self.totals[digit.level] // (digit.div * packed)
            else:
                total *= self._values(digit, packed)
        return total

    def _value(self, digit: Digit, packed: int) -> Array:
        value = divided(self.ordinals[digit.level], digit.div * packed)
        if digit.extent and not placement.topmost(self.layout, digit):
            value = remainder(value, max(1, digit.extent // packed))
        return value

    def _values(self, digit: Digit, packed: int) -> int:
        if digit.extent:
            return max(1, digit.extent // packed)
        return -(-self.extent(digit.level) // digit.div) // packed


def replace_arrays(trail: Trail, index: Array | None) -> Trail:
    """Return a plain trail of the positions ``index`` (None: all); sizes and totals are shared."""

    def picked(arrays: dict[int, Array]) -> dict[int, Array]:
        return {n: x if index is None else x[index] for n, x in arrays.items()}

    return Trail(
        trail.layout,
        trail.sizes,
        trail.like,
        trail.length if index is None else index.shape[0],
        picked(trail.ordinals),
        picked(trail.starts),
        picked(trail.replaced),
        trail.totals,
    )


def round_up(count: int, unit: int) -> int:
    """Return the least multiple of ``unit`` that is at least ``count``."""
    return -(-count // unit) * unit
