"""What a sparse table looks like: the numbers that decide between formats.

Lengths of rows and columns are exact. What needs neighbours in sight (blocks, n:m groups, gaps) is
counted on whole bands of rows, evenly spread, once a table has more than a million entries;
``sampled`` is the share of entries looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod, sqrt

from hastec.arrays import Array, count_at, count_true, distinct, long, nonzero, range_of, sum_all
from hastec.levels import neighbours
from hastec.levels.neighbours import Fill, Fillers, Kept, Pieces

SAMPLE = 1 << 20
"""How many entries are looked at for what needs neighbours."""

LONG, MANY = 1 << 24, 16
"""A dimension is long past ``LONG`` coordinates, and past ``MANY`` an entry."""

BAND = 64
"""Rows that are looked at together."""

BLOCKS = ((1, 4), (1, 8), (1, 16), (4, 4), (8, 8), (16, 16), (32, 32))
GROUPS = ((2, 4), (4, 8))
BITS = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many entries the rows (or columns …) of a table have: least, mean, most, and the
    coefficient of variation; ``empty`` is the share that has none.
    """

    extent: int
    least: int
    mean: float
    most: int
    variation: float
    empty: float

    def __str__(self) -> str:
        return (
            f"{self.extent} with {self.least} … {self.mean:.4g} … {self.most} entries, "
            f"variation {self.variation:.3g}, {self.empty:.1%} empty"
        )


@dataclass(frozen=True, slots=True)
class Stats:
    """A table's numbers. Rows are all dimensions but the last, taken together.

    ``blocks`` says how full blocks would be, ``groups`` what share n:m groups would keep,
    ``fillers`` how many fillers an entry a delta code would take; ``reach`` is the least and
    largest of column minus row. ``lengths`` holds the length of every row, for ``padding``.
    """

    shape: tuple[int, ...]
    entries: int
    dims: tuple[Lengths, ...]
    rows: Lengths
    blocks: tuple[Fill, ...]
    groups: tuple[Kept, ...]
    fillers: tuple[Fillers, ...]
    reach: tuple[int, int]
    sorted: bool
    duplicates: int
    sampled: float
    lengths: Array = field(repr=False, compare=False)
    pieces: tuple[Pieces, ...] = field(default=(), repr=False, compare=False)

    @property
    def density(self) -> float:
        """The share of all places that hold an entry."""
        return self.entries / max(1, prod(self.shape))

    def padding(
        self,
        height: int = 1,
        window: int = 1,
        unit: int = 1,
        width: int | None = None,
        shared: bool = False,
    ) -> float:
        """Return positions an entry if rows are padded to the longest of every ``height``.

        With ``window`` rows sorted by length among themselves first, and lengths in multiples of
        ``unit``: 1 if nothing is padded; exact. The whole height for ``fixed``: ELL.
        With a ``width``, one of those described, rows are cut into pieces of that many columns;
        ``shared`` ones are padded to the longest piece of all those in ``height`` rows.
        """
        if not self.entries:
            return 1.0
        if width is not None:
            found = next((p for p in self.pieces if p.width == width), None)
            if found is None:
                return 1.0 + unit / 2 * (self.rows.extent * self.shape[-1] / width) / self.entries
            return neighbours.padded_pieces(found, height, unit, shared) / self.entries
        slots = neighbours.padded(self.lengths, max(1, height), window, unit)
        return slots / self.entries

    def json(self) -> dict[str, object]:
        """Return the numbers as JSON holds them (without the length of every row)."""
        return {
            "shape": list(self.shape),
            "entries": self.entries,
            "density": self.density,
            "dims": [_fields(d) for d in self.dims],
            "rows": _fields(self.rows),
            "blocks": [_fields(b) for b in self.blocks],
            "groups": [_fields(g) for g in self.groups],
            "fillers": [_fields(f) for f in self.fillers],
            "reach": list(self.reach),
            "sorted": self.sorted,
            "duplicates": self.duplicates,
            "sampled": self.sampled,
        }

    def __str__(self) -> str:
        lines = [
            f"shape {' x '.join(str(n) for n in self.shape)}, {self.entries} entries, "
            f"density {self.density:.3g}, columns - rows {self.reach[0]} … {self.reach[1]}",
            f"rows: {self.rows}",
            f"columns: {self.dims[-1]}" if self.dims else "",
            "blocks: " + ", ".join(str(b) for b in self.blocks),
            "groups: " + ", ".join(str(g) for g in self.groups),
            "deltas: " + ", ".join(str(f) for f in self.fillers),
        ]
        if self.sampled < 1:
            lines.append(f"blocks, groups and deltas from {self.sampled:.1%} of the entries")
        return "\n".join(line for line in lines if line)


def _fields(value: Lengths | Fill | Kept | Fillers) -> dict[str, object]:
    names = type(value).__dataclass_fields__
    return {name: getattr(value, name) for name in names}


def describe(
    coords: Sequence[Array],
    shape: tuple[int, ...],
    blocks: Sequence[tuple[int, int]] = BLOCKS,
    groups: Sequence[tuple[int, int]] = GROUPS,
    bits: Sequence[int] = BITS,
    widths: Sequence[int] = (),
) -> Stats:
    """Return the numbers of a table with entries at ``coords`` (one array a dimension, sound).

    ``widths`` are those of pieces of rows that :meth:`Stats.padding` may be asked about.

    Half a second for ten million entries on two processor cores.
    """
    row, height = _rows(coords, shape)
    column, width = long(coords[-1]), shape[-1]
    each = [_counted(long(c), n) for c, n in zip(coords, shape, strict=True)]
    lengths = each[0] if len(shape) == 2 else _counted(row, height)
    entries = column.shape[0]
    near, share = _sample(row, column, height)
    in_order = neighbours.ascending(row, column)
    sample = neighbours.sorted_pairs(*near, height, width, in_order)
    return Stats(
        shape,
        entries,
        tuple(_lengths(x, n, entries) for x, n in zip(each, shape, strict=True)),
        _lengths(lengths, height, entries),
        tuple(neighbours.filled(sample, r, c, width) for r, c in blocks),
        tuple(neighbours.kept(sample, n, m) for n, m in groups),
        tuple(neighbours.gaps(sample, b) for b in bits),
        neighbours.reach(row, column),
        in_order,
        neighbours.twice(sample),
        share,
        lengths,
        neighbours.pieces(row, column, (height, width), widths),
    )


def _rows(coords: Sequence[Array], shape: tuple[int, ...]) -> tuple[Array, int]:
    """Return the row of every entry, and how many rows there are."""
    row = long(coords[0]) if len(coords) > 1 else long(coords[0]) * 0
    for coord, extent in zip(coords[1:-1], shape[1:-1], strict=True):
        row = row * extent + coord
    return row, prod(shape[:-1])


def _sample(row: Array, column: Array, height: int) -> tuple[tuple[Array, Array], float]:
    """Return the entries of evenly spread bands of rows, and their share."""
    entries = row.shape[0]
    step = min(-(-entries // SAMPLE), max(1, height // BAND))
    if step <= 1:
        return (row, column), 1.0
    taken = nonzero((row // BAND % step).eq(step // 2))
    return (row[taken], column[taken]), taken.shape[0] / entries


def _counted(index: Array, extent: int) -> Array:
    """Return how many entries each coordinate has; of a dimension far longer than the table has
    entries, those coordinates alone that have any.
    """
    if extent <= max(LONG, MANY * index.shape[0]):
        return count_at(index, extent)
    found, which = distinct(index)
    return count_at(which, found.shape[0])


def _lengths(lengths: Array, extent: int, entries: int) -> Lengths:
    if not lengths.shape[0]:
        return Lengths(extent, 0, 0.0, 0, 0.0, 1.0 if extent else 0.0)
    mean = entries / extent
    variance = sum_all(lengths * lengths) / extent - mean * mean
    variation = sqrt(max(0.0, variance)) / mean if mean else 0.0
    least, most = range_of(lengths)
    least = least if lengths.shape[0] == extent else 0
    empty = 1.0 - count_true(lengths.ne(0)) / extent
    return Lengths(extent, least, mean, most, variation, empty)
