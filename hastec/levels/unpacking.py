"""Positions of a layout on their way out of its arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hastec.arrays import Array, arange, nonzero, offsets, repeat
from hastec.diag import InternalError
from hastec.levels.protocol import Level
from hastec.levels.trail import Trail


@runtime_checkable
class Unpacks(Protocol):
    """A level that can be read back."""

    def unpack(self, at: Unpacking) -> None:
        """Put the positions of this level, and their coordinates, in the place of its parents."""
        ...


@dataclass(slots=True)
class Unpacking(Trail):
    """Positions on their way out of arrays; ``coords`` has the coordinates of levels passed."""

    arrays: Mapping[str, Array] = field(default_factory=dict)
    coords: dict[int, Array] = field(default_factory=dict)

    def descend(self, levels: Iterable[Level]) -> None:
        """Pass levels, outermost first."""
        for level in levels:
            if not isinstance(level, Unpacks):
                raise InternalError(f"level {level.spec} cannot be read back")
            level.unpack(self)

    def spread(self, level: int, counts: Array | int) -> Array:
        """Put ``counts`` positions of ``level`` in the place of every position, in order.

        Returns their ordinals, which are placed.
        """
        if isinstance(counts, int):
            whole = arange(self.length * counts, self.like)
            source = whole // max(1, counts)
            ordinal = whole - source * counts
        else:
            source = repeat(arange(self.length, self.like), counts)
            ordinal = arange(source.shape[0], self.like) - offsets(counts)[source]
        self._move(source)
        self.ordinals[level] = ordinal
        return ordinal

    def keep(self, mask: Array) -> None:
        """Leave the positions where ``mask`` is false."""
        self._move(nonzero(mask))

    def _move(self, index: Array) -> None:
        for arrays in (self.ordinals, self.starts, self.replaced, self.coords):
            for name, x in arrays.items():
                arrays[name] = x[index]
        self.length = index.shape[0]
