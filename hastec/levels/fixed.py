"""A level with the same number of positions in every fibre (ELL, top-k lists, block tables)."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.ir.types import I32
from hastec.levels.protocol import Cursor, Facts, IndexCode, Step, Stored
from hastec.levels.search import bisect


@dataclass(frozen=True, slots=True)
class Fixed:
    """``fixed(j; k = 32)``; without ``k`` the longest fibre decides when the table is packed.

    Arrays: ``N.crd``, ``k`` coordinates a fibre, ascending; ``N.len``, how many are real. Padding
    repeats the last coordinate (0 if there is none) and holds the value 0.
    """

    spec: LevelSpec
    number: int
    index: IndexCode
    facts: Facts

    def arrays(self) -> tuple[Stored, ...]:
        """Return the coordinates and the lengths."""
        return (Stored(f"{self.number}.crd", self.index.word), Stored(f"{self.number}.len", I32))

    def numbers(self) -> tuple[str, ...]:
        """Return the halvings of a fibre."""
        return (f"{self.number}.halvings",)

    def place(self, at: Cursor, ordinal: Form) -> None:
        """Stand at ``ordinal`` of the fibre."""
        at.ordinals[self.number] = ordinal

    def size(self, at: Cursor) -> Form:
        """Return the number of positions of every fibre."""
        extent = at.layout.extents[self.number]
        assert extent is not None
        return Form.of(extent)

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place ``ordinal`` and read its coordinate."""
        k, n = at.k, self.number
        self.place(at, ordinal)
        inside = at.within(n, ordinal, k.value(self.size(at)))
        coord, real = self.index.read(at, n, f"{n}.crd", inside)
        present = k.apply("lt", k.value(ordinal), self._length(at))
        return Step(coord, inside, None, k.conj([present, real]))

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Find ``coord`` by bisection (coordinates ascend)."""
        k, n = at.k, self.number
        length = self._length(at)
        at.starts[n] = Form.of(0)
        first = bisect(self, at, coord, length, after=False)
        self.place(at, k.form(first))
        inside = k.apply("lt", first, length)
        found, _ = self.index.read(at, n, f"{n}.crd", inside)
        hit = k.conj([inside, k.apply("eq", k.value(found), k.value(coord))])
        return Step(coord, None, hit, hit)

    def _length(self, at: Cursor) -> Value:
        return at.load(f"{self.number}.len", I32, at.fibre(self.number), hint="length")


def make_fixed(spec: LevelSpec, number: int, index: IndexCode) -> Fixed:
    """Return a fixed level."""
    return Fixed(spec, number, index, Facts(uniform=True, sequential=index.sequential))
