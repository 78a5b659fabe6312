"""A level that has a position for every coordinate."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.levels.checking import Checking
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Facts, IndexCode, Step, Stored
from hastec.levels.unpacking import Unpacking
from hastec.sym.size import Size

FACTS = Facts(full=True)


@dataclass(frozen=True, slots=True)
class Dense:
    """``dense(i)``: ordinal and coordinate are the same number."""

    spec: LevelSpec
    number: int
    facts: Facts = FACTS

    def arrays(self) -> tuple[Stored, ...]:
        """Return nothing: coordinates are not stored."""
        return ()

    def numbers(self) -> tuple[str, ...]:
        """Return nothing: the extent is a size of the program."""
        return ()

    def extent(self, span: Size, table: str) -> Size:
        """Return the span."""
        return span

    def size(self, at: Cursor) -> Form:
        """Return the extent of the dimension this level stores."""
        extent = at.layout.extents[self.number]
        assert extent is not None
        return Form.of(extent)

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place ``ordinal``."""
        at.ordinals[self.number] = ordinal
        inside = at.within(self.number, ordinal, at.k.value(self.size(at)))
        return Step(ordinal, inside, None, inside)

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Place ``coord``: it is its own ordinal."""
        at.ordinals[self.number] = coord
        return Step(coord)

    # --------------------------------------------------------------------------------- arrays
    def pack(self, at: Packing) -> None:
        """Place the entries at their coordinates."""
        nodes = at.nodes(self.number)
        at.place(nodes, nodes.coord)

    def unpack(self, at: Unpacking) -> None:
        """Pass every coordinate."""
        at.coords[self.number] = at.spread(self.number, at.extent(self.number))

    def check(self, at: Checking) -> None:
        """Accept: no array belongs to this level."""


def make_dense(spec: LevelSpec, number: int, index: IndexCode) -> Dense:
    """Return a dense level; it stores no index, so the code does not matter."""
    return Dense(spec, number)
