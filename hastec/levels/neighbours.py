"""Counts over entries that stand near each other: blocks, n:m groups, gaps, padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hastec.arrays import (
    Array,
    arange,
    clamp,
    concat,
    count_at,
    count_true,
    divided,
    full,
    holds_any,
    largest,
    marks,
    most_at,
    range_of,
    remainder,
    running,
    sorting,
    sum_all,
    where,
)
from hastec.levels import keys, reals

MARKS = 1 << 28
"""Up to how many blocks are marked in a mask rather than sorted."""


@dataclass(frozen=True, slots=True)
class Fill:
    """Blocks of ``rows`` x ``columns``: how many hold an entry, and how full those are."""

    rows: int
    columns: int
    touched: int
    fill: float

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns} {self.fill:.1%} full"


@dataclass(frozen=True, slots=True)
class Kept:
    """Groups of ``among`` neighbours in a row: the share of entries among the first ``keep``."""

    keep: int
    among: int
    share: float

    def __str__(self) -> str:
        return f"{self.keep}:{self.among} keeps {self.share:.1%}"


@dataclass(frozen=True, slots=True)
class Fillers:
    """A delta code of ``bits`` bits: how many fillers an entry it takes."""

    bits: int
    rate: float

    def __str__(self) -> str:
        return f"{self.bits} bits {self.rate:.2f} fillers an entry"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows and columns of entries, in order."""

    row: Array
    column: Array
    height: int
    width: int

    @property
    def count(self) -> int:
        """The number of entries."""
        return self.row.shape[0]


def ascending(row: Array, column: Array) -> bool:
    """Whether entries stand in the order of rows, then columns (equal ones allowed)."""
    down = (row[1:] < row[:-1]) | (row[1:].eq(row[:-1]) & (column[1:] < column[:-1]))
    return not holds_any(down)


def sorted_pairs(row: Array, column: Array, height: int, width: int, ordered: bool) -> Pairs:
    """Return entries in order."""
    order = None if ordered else keys.order((row, column), (height, width))
    if order is not None:
        row, column = row[order], column[order]
    return Pairs(row, column, height, width)


def twice(pairs: Pairs) -> int:
    """Return how many entries stand where another does."""
    same = pairs.row[1:].eq(pairs.row[:-1]) & pairs.column[1:].eq(pairs.column[:-1])
    return count_true(same)


def filled(pairs: Pairs, rows: int, columns: int, width: int) -> Fill:
    """Return how full blocks would be."""
    across = -(-width // columns)
    block = divided(pairs.row, rows) * across + divided(pairs.column, columns)
    touched = _different(block, -(-pairs.height // rows) * across, rows == 1)
    fill = pairs.count / (touched * rows * columns) if touched else 0.0
    return Fill(rows, columns, touched, fill)


def _different(x: Array, limit: int, ordered: bool) -> int:
    """Return how many different numbers of 0 … ``limit`` - 1 there are."""
    if not x.shape[0]:
        return 0
    if not ordered and limit <= MARKS:
        return count_true(marks(limit, x))
    if not ordered:
        x = x[sorting(x)]
    return count_true(x[1:].ne(x[:-1])) + 1


def kept(pairs: Pairs, keep: int, among: int) -> Kept:
    """Return the share of entries that are among the first ``keep`` of their group."""
    if not pairs.count:
        return Kept(keep, among, 1.0)
    across = -(-pairs.width // among)
    group = pairs.row * across + divided(pairs.column, among)
    first = concat((full(1, True, "bool", group), group[1:].ne(group[:-1])))
    sizes = count_at(running(first) - 1, count_true(first))
    return Kept(keep, among, sum_all(clamp(sizes, None, keep)) / pairs.count)


def gaps(pairs: Pairs, bits: int) -> Fillers:
    """Return how many fillers an entry differences of ``bits`` bits take."""
    if not pairs.count:
        return Fillers(bits, 0.0)
    row, column = pairs.row, pairs.column
    before = where(row[1:].eq(row[:-1]), column[:-1], 0)
    gap = concat((column[:1], column[1:] - before))
    return Fillers(bits, sum_all(gap // ((1 << bits) - 1)) / pairs.count)


def reach(row: Array, column: Array) -> tuple[int, int]:
    """Return the least and the largest of column minus row (0, 0 without entries)."""
    return range_of(column - row) if row.shape[0] else (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """How many entries pieces of ``width`` columns hold: all pieces of a row, row after row."""

    width: int
    count: int
    lengths: Array


def pieces(
    row: Array, column: Array, shape: tuple[int, int], widths: Sequence[int]
) -> tuple[Pieces, ...]:
    """Cut rows into pieces of each width, all multiples of the least, and count their entries."""
    if not widths:
        return ()
    height, columns = shape
    least = min(widths)
    fine = max(1, -(-columns // least))
    lengths = count_at(row * fine + divided(column, least), height * fine)
    return tuple(_joined(lengths, height, fine, w // least, w) for w in widths)


def _joined(lengths: Array, height: int, fine: int, times: int, width: int) -> Pieces:
    count = -(-fine // times)
    if times == 1:
        return Pieces(width, count, lengths)
    at = arange(height * fine, lengths)
    group = divided(at, fine) * count + divided(remainder(at, fine), times)
    return Pieces(width, count, count_at(group, height * count, lengths))


def padded_pieces(found: Pieces, height: int, unit: int, shared: bool) -> int:
    """Return the positions of pieces padded to the longest in ``height`` rows, in units: of the
    pieces of the same columns, or of all (``shared``).
    """
    total, lengths = found.lengths.shape[0], found.lengths
    at = arange(total, lengths)
    slices = -(-total // (found.count * height))
    group, members = divided(at, found.count * height), height * found.count
    if not shared:
        group, members = group * found.count + remainder(at, found.count), height
    most = most_at(group, slices * (1 if shared else found.count), lengths)
    return sum_all((most + (unit - 1)) // unit * unit) * members


def padded(lengths: Array, height: int, window: int, unit: int) -> int:
    """Return the positions of rows padded to the longest of ``height``, in units."""
    count = lengths.shape[0]
    if window > 1:
        place = arange(count, lengths) // window
        longest = largest(lengths) + 1
        lengths = lengths[sorting((place + 1) * longest - 1 - lengths)]
    most = reals.extreme_along(reals.in_groups(lengths, height), most=True)
    whole = (most + (unit - 1)) // unit * unit
    return sum_all(whole) * height
