"""Levels whose fibres have run-time lengths: exact (``compressed``) or padded (``ragged``).

Arrays: ``N.pos``, one start a group and one more at the end; ``N.crd``, coordinates in storage
order; for padded fibres ``N.len``, the number of positions of each up to its last entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

from hastec.arrays import full, largest, long, most_at, nonzero, offsets, repeat
from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.types import I32
from hastec.levels.assembled import AssembledIndex
from hastec.levels.checking import INDEX, Checking
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Facts, Step, Stored
from hastec.levels.search import bisect
from hastec.levels.structure import wrong
from hastec.levels.unpacking import Unpacking
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class Compressed:
    """``compressed(j)``, ``compressed(j; unique = 0)`` and ``ragged(j; pad = i / c)``.

    A padded fibre is as long as the longest of its group, in multiples of ``facts.unit``; padding
    repeats the last coordinate (0 if there is none) and holds the value 0.
    """

    spec: LevelSpec
    number: int
    index: AssembledIndex
    facts: Facts

    @property
    def padded(self) -> bool:
        """Whether fibres may be longer than what they hold."""
        return self.facts.uniform or self.facts.unit > 1

    def arrays(self) -> tuple[Stored, ...]:
        """Return the starts, the coordinates and, if padded, the lengths."""
        found = (Stored(f"{self.number}.pos", I32), Stored(f"{self.number}.crd", self.index.word))
        return (*found, Stored(f"{self.number}.len", I32)) if self.padded else found

    def numbers(self) -> tuple[str, ...]:
        """Return the number of halvings that empty the longest fibre."""
        return (f"{self.number}.halvings",)

    def place(self, at: Cursor, ordinal: Form) -> None:
        """Stand at ``ordinal`` of the fibre."""
        at.ordinals[self.number] = ordinal

    def extent(self, span: Size, table: str) -> None:
        """Return None: fibres differ in length."""

    def size(self, at: Cursor) -> Form:
        """Return the number of positions of the fibre (with padding)."""
        k, n = at.k, self.number
        if n not in at.counts:
            group = at.group(n)
            lo = at.load(f"{n}.pos", I32, group, hint="start")
            hi = at.load(f"{n}.pos", I32, group + 1, hint="stop")
            at.starts[n] = k.form(lo)
            at.counts[n] = k.bounded(k.apply("sub", hi, lo, hint="count"), k.size_bound)
        return k.form(at.counts[n])

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place ``ordinal`` and read its coordinate."""
        k, n = at.k, self.number
        self.place(at, ordinal)
        count = at.counts[n]
        inside = at.within(n, ordinal, count)
        coord, real = self.index.read(at, n, f"{n}.crd", inside)
        present = inside
        if self.padded:
            length = at.load(f"{n}.len", I32, at.fibre(n), hint="length")
            present = k.apply("lt", k.value(ordinal), length, hint="present")
        strict = k.conj([present, real])
        return Step(coord, inside, None, strict)

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Find ``coord`` by bisection (coordinates ascend)."""
        k, n = at.k, self.number
        self.size(at)
        length = at.counts[n]
        if self.padded:
            length = at.load(f"{n}.len", I32, at.fibre(n), hint="length")
        first = bisect(self, at, coord, length, after=False)
        self.place(at, k.form(first))
        if not self.facts.unique:
            last = bisect(self, at, coord, length, after=True)
            at.starts[n + 1] = at.starts[n] + k.form(first)
            at.counts[n + 1] = k.apply("sub", last, first, hint="count")
            return Step(coord)
        inside = k.apply("lt", first, length)
        found, _ = self.index.read(at, n, f"{n}.crd", inside)
        hit = k.conj([inside, k.apply("eq", k.value(found), k.value(coord))])
        return Step(coord, None, hit, hit)

    # --------------------------------------------------------------------------------- arrays
    def pack(self, at: Packing) -> None:
        """Store starts, coordinates and lengths; a group is as long as its longest fibre."""
        n, unit, nodes = self.number, self.facts.unit, at.nodes(self.number)
        ordinal = self.index.place(nodes)
        group, groups = nodes.trail.group(n), at.groups(n)
        at.reserve(groups + 1, "int32")
        ends = nonzero(nodes.last())  # the largest ordinals
        longest = most_at(group[ends], groups, ordinal[ends] + 1)
        whole = (longest + (unit - 1)) // unit * unit
        pos = at.counted(n, offsets(whole))
        at.store(f"{n}.pos", pos, "int32")
        at.place(nodes, ordinal, pos[group])
        room = pos[group + 1] - pos[group] if self.padded else None
        self.index.encode(at, nodes, f"{n}.crd", room)
        at.tell(f"{n}.halvings", largest(whole).bit_length())
        if self.padded:
            at.reserve(at.fibres(n), "int32")
            lengths = most_at(nodes.trail.fibre(n)[ends], at.fibres(n), ordinal[ends] + 1)
            at.store(f"{n}.len", lengths, "int32")

    def unpack(self, at: Unpacking) -> None:
        """Pass the real positions of every fibre."""
        n, group = self.number, at.group(self.number)
        pos = long(at.arrays[f"{n}.pos"])
        at.starts[n] = pos[group]
        ordinal = at.spread(n, pos[group + 1] - pos[group])
        coord, real = self.index.decode(at, n, f"{n}.crd")
        at.coords[n] = coord
        if self.padded:
            inside = ordinal < at.arrays[f"{n}.len"][at.fibre(n)]
            real = inside if real is None else inside & real
        if real is not None:
            at.keep(real)

    def check(self, at: Checking) -> None:
        """Check starts, lengths and the range of coordinates, and where possible their order."""
        n, unit = self.number, self.facts.unit
        pos = long(at.array(f"{n}.pos", INDEX, at.groups(n) + 1))
        at.rising(f"{n}.pos", pos)
        room = at.counted(n, pos)[1:] - pos[:-1]
        at.multiples(f"{n}.pos", pos, unit)
        at.tell(f"{n}.halvings", largest(room).bit_length())
        if self.padded:
            lengths = long(at.array(f"{n}.len", INDEX, at.fibres(n)))
            beside = at.fibres(n) // max(1, at.groups(n))
            at.at_most(f"{n}.len", lengths, repeat(room, full(room.shape[0], beside, "int64", pos)))
        crd = self.index.check(at, n, f"{n}.crd")
        if self.facts.unique and not self.padded and crd is not None:
            at.runs(f"{n}.crd", crd, pos[:-1])
        else:
            at.unsure = True


def make_compressed(spec: LevelSpec, number: int, index: AssembledIndex) -> Compressed:
    """Return ``compressed(j)``: fibres of exact length (a multiple of a code's word)."""
    unique, unit = spec.number("unique", 1) == 1, lcm(spec.number("unit", 1), index.per_word)
    if index.sequential and not unique:
        advice = "use a plain code: u8, u16, i32 or i64"
        raise wrong("HST4503", f"level {spec} cannot have index {index.spec}", advice)
    facts = Facts(fibre=True, unique=unique, sequential=index.sequential, unit=unit, real=True)
    return Compressed(spec, number, index, facts)


def make_ragged(spec: LevelSpec, number: int, index: AssembledIndex) -> Compressed:
    """Return ``ragged(j; pad = …)``: fibres padded to the longest of their group."""
    unit = lcm(spec.number("unit", 1), index.per_word)
    facts = Facts(fibre=True, uniform=True, sequential=index.sequential, unit=unit, real=True)
    return Compressed(spec, number, index, facts)
