"""Tables as coordinates and values, and tables in their formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hastec.arrays import Array, bits_of, concat, item, kind_of, nbytes, take, view_as
from hastec.levels.protocol import Layout


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """A table as coordinates (one int64 array a dimension) and the values there, in any order."""

    coords: tuple[Array, ...]
    values: Array
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of entries."""
        return self.values.shape[0]

    def pick(self, index: Array) -> Entries:
        """Return the entries at ``index``."""
        return Entries(tuple(c[index] for c in self.coords), take(self.values, index), self.shape)

    def at(self, index: int) -> tuple[int, ...]:
        """Return the coordinates of one entry."""
        return tuple(item(c, index) for c in self.coords)


def joined(parts: Sequence[Entries], default: Entries | None = None) -> Entries:
    """Return entries of several parts of one table together; ``default`` if there are no parts."""
    if len(parts) == 1 or not parts:
        found = parts[0] if parts else default
        assert found is not None
        return found
    coords = tuple(concat(cs) for cs in zip(*(p.coords for p in parts), strict=True))
    values = view_as(concat(bits_of(p.values) for p in parts), kind_of(parts[0].values))
    return Entries(coords, values, parts[0].shape)


@dataclass(frozen=True, slots=True, eq=False)
class PackedPart:
    """One part of a packed table: arrays and numbers by the names its levels and codes gave them.

    ``entries`` is how many it was given, ``slots`` how many values are stored.
    """

    layout: Layout
    arrays: Mapping[str, Array]
    numbers: Mapping[str, int]
    entries: int
    slots: int

    @property
    def bytes(self) -> int:
        """What the arrays take in memory."""
        return sum(nbytes(x) for x in self.arrays.values())


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A table in its format, part by part."""

    parts: tuple[PackedPart, ...]

    @property
    def entries(self) -> int:
        """The number of entries given."""
        return sum(part.entries for part in self.parts)

    @property
    def slots(self) -> int:
        """The number of values stored."""
        return sum(part.slots for part in self.parts)

    @property
    def bytes(self) -> int:
        """What all arrays take in memory."""
        return sum(part.bytes for part in self.parts)

    def named(self) -> dict[str, Array]:
        """Return the arrays under the names kernels know them by."""
        return {p.layout.array(n): x for p in self.parts for n, x in p.arrays.items()}

    def sizes(self) -> dict[str, int]:
        """Return the numbers under the names kernels know them by."""
        return {p.layout.array(n): x for p in self.parts for n, x in p.numbers.items()}

    def under(self, layouts: tuple[Layout, ...]) -> Packed:
        """Return the same arrays under other layouts, which store everything as these do."""
        pairs = zip(self.parts, layouts, strict=True)
        return Packed(tuple(replace(part, layout=layout) for part, layout in pairs))
