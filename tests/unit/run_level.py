"""A level nobody foresaw: one run of neighbours a fibre, both its sides, in a file of the tests."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.arrays import least_at, long, most_at, offsets
from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.types import I32
from hastec.levels.checking import INDEX, Checking
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Facts, IndexCode, Step, Stored
from hastec.levels.unpacking import Unpacking
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class Run:
    """``run(j)``: all coordinates from the first to the last entry of a fibre have positions.

    Arrays: ``N.pos``, the start of each fibre and one more; ``N.lo``, its first coordinate.
    """

    spec: LevelSpec
    number: int
    facts: Facts

    def extent(self, span: Size, table: str) -> None:
        """Return None: runs differ in length."""

    def arrays(self) -> tuple[Stored, ...]:
        return (Stored(f"{self.number}.pos", I32), Stored(f"{self.number}.lo", I32))

    def numbers(self) -> tuple[str, ...]:
        return ()

    def size(self, at: Cursor) -> Form:
        k, n = at.k, self.number
        if n not in at.counts:
            lo = at.load(f"{n}.pos", I32, at.group(n), hint="start")
            hi = at.load(f"{n}.pos", I32, at.group(n) + 1, hint="stop")
            at.starts[n] = k.form(lo)
            at.counts[n] = k.bounded(k.apply("sub", hi, lo, hint="count"), k.size_bound)
        return k.form(at.counts[n])

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        at.ordinals[self.number] = ordinal
        inside = at.within(self.number, ordinal, at.counts[self.number])
        first = at.load(f"{self.number}.lo", I32, at.group(self.number), hint="first")
        return Step(at.k.form(first) + ordinal, inside, None, inside)

    def locate(self, at: Cursor, coord: Form) -> Step:
        k, n = at.k, self.number
        self.size(at)
        first = at.load(f"{n}.lo", I32, at.group(n), hint="first")
        at.ordinals[n] = coord - k.form(first)
        place = k.value(at.ordinals[n])
        hit = k.conj([k.apply("ge", place, k.const(0)), k.apply("lt", place, at.counts[n])])
        return Step(coord, None, hit, hit)

    def pack(self, at: Packing) -> None:
        n, nodes = self.number, at.nodes(self.number)
        fibre, fibres = nodes.trail.fibre(n), at.fibres(n)
        last = most_at(fibre, fibres, nodes.coord + 1)
        first = least_at(fibre, fibres, nodes.coord, last)
        pos = at.counted(n, offsets(last - first))
        at.reserve(2 * fibres, "int32")
        at.store(f"{n}.pos", pos, "int32")
        at.store(f"{n}.lo", first, "int32")
        at.place(nodes, nodes.coord - first[fibre], pos[fibre])

    def unpack(self, at: Unpacking) -> None:
        n, fibre = self.number, at.fibre(self.number)
        pos = long(at.arrays[f"{n}.pos"])
        at.starts[n], at.coords[n] = pos[fibre], long(at.arrays[f"{n}.lo"])[fibre]
        ordinal = at.spread(n, pos[fibre + 1] - pos[fibre])
        at.coords[n] = at.coords[n] + ordinal

    def check(self, at: Checking) -> None:
        n, fibres = self.number, at.fibres(self.number)
        pos = long(at.array(f"{n}.pos", INDEX, fibres + 1))
        at.rising(f"{n}.pos", pos)
        at.counted(n, pos)
        at.array(f"{n}.lo", INDEX, fibres)
        at.unsure = True


def make_run(spec: LevelSpec, number: int, index: IndexCode) -> Run:
    return Run(spec, number, Facts(fibre=True))
