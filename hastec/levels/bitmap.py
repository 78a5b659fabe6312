"""A level with one bit a coordinate and values for the set bits only.

Arrays: ``N.words``, 32 coordinates a word, low bit first; ``N.rank``, the number of values stored
before each word.
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.arrays import count_at, long, offsets
from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.ir.types import I32
from hastec.levels.bits import bit_at, from_word, set_bits, to_word
from hastec.levels.checking import Checking
from hastec.levels.packing import Packing
from hastec.levels.protocol import Bits, Cursor, Facts, IndexCode, Step, Stored
from hastec.levels.unpacking import Unpacking
from hastec.sym.size import Size

WORD = 32

FACTS = Facts(full=True, ranked=True, bits=True)


@dataclass(frozen=True, slots=True)
class Bitmap:
    """``bitmap(j)``: walked over every coordinate; positions are ranks among the set bits."""

    spec: LevelSpec
    number: int
    facts: Facts = FACTS

    def arrays(self) -> tuple[Stored, ...]:
        """Return the words and the ranks before them."""
        return (Stored(f"{self.number}.words", I32), Stored(f"{self.number}.rank", I32))

    def numbers(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def extent(self, span: Size, table: str) -> Size:
        """Return the span: one bit a coordinate."""
        return span

    def size(self, at: Cursor) -> Form:
        """Return the number of coordinates."""
        extent = at.layout.extents[self.number]
        assert extent is not None
        return Form.of(extent)

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place coordinate ``ordinal``."""
        inside = at.within(self.number, ordinal, at.k.value(self.size(at)))
        bits, bit = self._place(at, ordinal, inside)
        return Step(ordinal, inside, bit, bit, bits)

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Place ``coord``: one word, one popcount."""
        bits, bit = self._place(at, coord, None)
        return Step(coord, None, bit, bit, bits)

    def _place(self, at: Cursor, coord: Form, mask: Value | None) -> tuple[Bits, Value]:
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
        return Bits(word, shift), hit

    # --------------------------------------------------------------------------------- arrays
    def pack(self, at: Packing) -> None:
        """Set the bits of the entries' coordinates and rank them in the order of the words."""
        n, nodes = self.number, at.nodes(self.number)
        at.place(nodes, nodes.coord)
        row = -(-at.extent(n) // WORD)
        at.reserve(2 * at.fibres(n) * row, "int32")
        index = nodes.trail.fibre(n) * row + nodes.coord // WORD
        bit = bit_at(nodes.coord % WORD)
        words = count_at(index, at.fibres(n) * row, bit)
        ranks = at.counted(n, offsets(set_bits(words)))
        at.store(f"{n}.words", to_word(words), "int32")
        at.store(f"{n}.rank", ranks[:-1], "int32")
        at.replace(nodes, ranks[index] + set_bits(words[index] & (bit - 1)))

    def unpack(self, at: Unpacking) -> None:
        """Pass the coordinates whose bits are set."""
        n = self.number
        # The first word of a fibre stands in for the position until the coordinates are there.
        at.replaced[n] = at.fibre(n) * -(-at.extent(n) // WORD)
        coord = at.coords[n] = at.spread(n, at.extent(n))
        index = at.replaced[n] + coord // WORD
        words, bit = from_word(at.arrays[f"{n}.words"][index]), bit_at(coord % WORD)
        at.replaced[n] = at.arrays[f"{n}.rank"][index] + set_bits(words & (bit - 1))
        at.keep((words & bit).ne(0))

    def check(self, at: Checking) -> None:
        """Check that ranks count the bits and that no bit stands past the last coordinate."""
        n, extent = self.number, at.extent(self.number)
        row = -(-extent // WORD)
        count = at.fibres(n) * row
        words = from_word(at.array(f"{n}.words", ("int32",), count))
        rank = long(at.array(f"{n}.rank", ("int32",), count))
        if extent % WORD and count:
            tails = words.reshape(-1, row)[:, row - 1] >> (extent % WORD)
            at.within(f"{n}.words", tails, 0, 1, "bits past the last coordinate:")
        expected = offsets(set_bits(words))
        at.equal(f"{n}.rank", rank, expected[:-1], "bits before each word")
        at.counted(n, expected)


def make_bitmap(spec: LevelSpec, number: int, index: IndexCode) -> Bitmap:
    """Return a bitmap level."""
    return Bitmap(spec, number)
