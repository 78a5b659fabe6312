"""A level with the same number of positions in every fibre (ELL, top-k lists, block tables)."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

from hastec.arrays import Array, full, largest, long, most_at
from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.ir.types import I32
from hastec.levels.assembled import AssembledIndex
from hastec.levels.checking import Checking
from hastec.levels.faults import fault
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Facts, Step, Stored
from hastec.levels.search import bisect
from hastec.levels.structure import wrong
from hastec.levels.trail import round_up
from hastec.levels.unpacking import Unpacking
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class Fixed:
    """``fixed(j; k = 32)``; without ``k`` the longest fibre decides when the table is packed.

    Arrays: ``N.crd``, ``k`` coordinates a fibre, ascending; ``N.len``, how many are real. Padding
    repeats the last coordinate (0 if there is none) and holds the value 0.
    """

    spec: LevelSpec
    number: int
    index: AssembledIndex
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

    def extent(self, span: Size, table: str) -> Size:
        """Return ``k``, or the size ``table.N.k`` that packing finds."""
        k = self.spec.option("k")
        return Size.of(k if isinstance(k, int) else f"{table}.{self.number}.k")

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
        first = bisect(self, at, coord, length, after=False)
        self.place(at, k.form(first))
        inside = k.apply("lt", first, length)
        found, _ = self.index.read(at, n, f"{n}.crd", inside)
        hit = k.conj([inside, k.apply("eq", k.value(found), k.value(coord))])
        return Step(coord, None, hit, hit)

    def _length(self, at: Cursor) -> Value:
        return at.load(f"{self.number}.len", I32, at.fibre(self.number), hint="length")

    # --------------------------------------------------------------------------------- arrays
    def room(self, at: Packing) -> Array | None:
        """Return which entries are among the first ``k`` of their fibre."""
        k = self.spec.option("k")
        if not isinstance(k, int):
            return None
        nodes = at.nodes(self.number)
        return nodes.spread(self.index.place(nodes) < k)

    def pack(self, at: Packing) -> None:
        """Store coordinates and lengths; without ``k`` the longest fibre gives it."""
        n, nodes = self.number, at.nodes(self.number)
        ordinal = self.index.place(nodes)
        at.reserve(at.fibres(n), "int64")
        lengths = most_at(nodes.trail.fibre(n), at.fibres(n), ordinal + 1)
        longest = largest(lengths)
        self._settle(at, longest)
        at.place(nodes, ordinal)
        room = full(nodes.count, at.extent(n), "int64", at.like)
        self.index.encode(at, nodes, f"{n}.crd", room)
        at.store(f"{n}.len", lengths, "int32")
        at.tell(f"{n}.halvings", longest.bit_length())

    def _settle(self, at: Packing, longest: int) -> None:
        """Tell how many positions fibres have; where there is no coordinate, padding has none."""
        n, unit = self.number, self.facts.unit
        if not isinstance(self.spec.option("k"), int):
            at.tell(f"{n}.k", max(unit, round_up(longest, unit)) if at.span(n) else 0)
        elif not at.span(n) and at.fibres(n):
            rule = f"has no coordinate to fill the positions of {self.spec} with"
            raise fault("HST4015", at.layout.table, rule, "leave k out, or choose another format")

    def unpack(self, at: Unpacking) -> None:
        """Pass the real positions of every fibre."""
        n = self.number
        ordinal = at.spread(n, at.extent(n))
        coord, real = self.index.decode(at, n, f"{n}.crd")
        inside = ordinal < at.arrays[f"{n}.len"][at.fibre(n)]
        at.coords[n] = coord
        at.keep(inside if real is None else inside & real)

    def check(self, at: Checking) -> None:
        """Check lengths and the range of coordinates; a full reading checks their order."""
        n, fibres = self.number, at.fibres(self.number)
        if not isinstance(self.spec.option("k"), int):
            whole = at.numel(f"{n}.crd") * self.index.per_word
            at.tell(f"{n}.k", whole // max(1, fibres))
        k = at.extent(n)
        lengths = long(at.array(f"{n}.len", ("int32", "int64"), fibres))
        at.within(f"{n}.len", lengths, 0, k + 1, "length")
        self.index.check(at, n, f"{n}.crd")
        at.tell(f"{n}.halvings", k.bit_length())
        at.unsure = True


def make_fixed(spec: LevelSpec, number: int, index: AssembledIndex) -> Fixed:
    """Return a fixed level."""
    unit = lcm(spec.number("unit", 1), index.per_word)
    if spec.number("k", unit) < 1 or spec.number("k", unit) % unit:
        advice = f"take {max(unit, round_up(spec.number('k', unit), unit))}, or leave k out"
        raise wrong("HST4503", f"level {spec}: k must be a positive multiple of {unit}", advice)
    facts = Facts(uniform=True, sequential=index.sequential, unit=unit, real=True)
    return Fixed(spec, number, index, facts)
