"""A level that has a position for every coordinate."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.levels.protocol import Cursor, Facts, IndexCode, Step, Stored


@dataclass(frozen=True, slots=True)
class Dense:
    """``dense(i)``: ordinal and coordinate are the same number."""

    spec: LevelSpec
    number: int
    facts: Facts = Facts(full=True)

    def arrays(self) -> tuple[Stored, ...]:
        """Return nothing: coordinates are not stored."""
        return ()

    def numbers(self) -> tuple[str, ...]:
        """Return nothing: the extent is a size of the program."""
        return ()

    def size(self, at: Cursor) -> Form:
        """Return the extent of the dimension this level stores."""
        extent = at.layout.extents[self.number]
        assert extent is not None
        return Form.of(extent)

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place ``ordinal``."""
        at.ordinals[self.number] = ordinal
        return Step(ordinal)

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Place ``coord``: it is its own ordinal."""
        at.ordinals[self.number] = coord
        return Step(coord)


def make_dense(spec: LevelSpec, number: int, index: IndexCode) -> Dense:
    """Return a dense level; it stores no index, so the code does not matter."""
    return Dense(spec, number)
