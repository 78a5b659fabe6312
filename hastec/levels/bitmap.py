"""A level with one bit a coordinate and values for the set bits only.

Arrays: ``N.words``, 32 coordinates a word, low bit first; ``N.rank``, the number of values stored
before each word.
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.ir.types import I32
from hastec.levels.protocol import Cursor, Facts, IndexCode, Step, Stored

WORD = 32


@dataclass(frozen=True, slots=True)
class Bitmap:
    """``bitmap(j)``: walked over every coordinate; positions are ranks among the set bits."""

    spec: LevelSpec
    number: int
    facts: Facts = Facts(full=True)

    def arrays(self) -> tuple[Stored, ...]:
        """Return the words and the ranks before them."""
        return (Stored(f"{self.number}.words", I32), Stored(f"{self.number}.rank", I32))

    def numbers(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def size(self, at: Cursor) -> Form:
        """Return the number of coordinates."""
        extent = at.layout.extents[self.number]
        assert extent is not None
        return Form.of(extent)

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place coordinate ``ordinal``."""
        inside = at.within(self.number, ordinal, at.k.value(self.size(at)))
        bit = self._place(at, ordinal, inside)
        return Step(ordinal, inside, bit, bit)

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Place ``coord``: one word, one popcount."""
        bit = self._place(at, coord, None)
        return Step(coord, None, bit, bit)

    def _place(self, at: Cursor, coord: Form, mask: Value | None) -> Value:
        k, n = at.k, self.number
        at.ordinals[n] = coord
        index, place = k.divide(coord, WORD)
        at.replaced.pop(n, None)
        extent = at.layout.extents[n]
        assert extent is not None
        words = (extent + (WORD - 1)) // WORD
        address = at.fibre(n) * words + index
        word = at.load(f"{n}.words", I32, address, mask, hint="word")
        rank = at.load(f"{n}.rank", I32, address, mask, hint="rank")
        one = k.const(1)
        shift = k.value(place)
        below = k.apply("sub", k.apply("shl", one, shift), one)
        before = k.apply("popc", k.apply("bitand", word, below), hint="before")
        at.replaced[n] = k.form(rank) + k.form(before)
        bit = k.apply("bitand", k.apply("shr", word, shift), one)
        hit = k.conj([mask, k.apply("ne", bit, k.const(0), hint="bit")])
        assert hit is not None
        return hit


def make_bitmap(spec: LevelSpec, number: int, index: IndexCode) -> Bitmap:
    """Return a bitmap level."""
    return Bitmap(spec, number)
