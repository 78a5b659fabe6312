"""Levels whose fibres have run-time lengths: exact (``compressed``) or padded (``ragged``).

Arrays: ``N.pos``, one start a group and one more at the end; ``N.crd``, coordinates in storage
order; for padded fibres ``N.len``, the number of real entries of each fibre.
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.ir.types import I32
from hastec.levels.protocol import Cursor, Facts, IndexCode, Step, Stored
from hastec.levels.search import bisect


@dataclass(frozen=True, slots=True)
class Compressed:
    """``compressed(j)``, ``compressed(j; unique = 0)`` and ``ragged(j; pad = i / c)``.

    A padded fibre is as long as the longest of its group, in multiples of ``facts.unit``; padding
    repeats the last coordinate (0 if there is none) and holds the value 0.
    """

    spec: LevelSpec
    number: int
    index: IndexCode
    facts: Facts

    def arrays(self) -> tuple[Stored, ...]:
        """Return the starts, the coordinates and, if padded, the lengths."""
        found = (Stored(f"{self.number}.pos", I32), Stored(f"{self.number}.crd", self.index.word))
        return (*found, Stored(f"{self.number}.len", I32)) if self.facts.uniform else found

    def numbers(self) -> tuple[str, ...]:
        """Return the number of halvings that empty the longest fibre."""
        return (f"{self.number}.halvings",)

    def place(self, at: Cursor, ordinal: Form) -> None:
        """Stand at ``ordinal`` of the fibre."""
        at.ordinals[self.number] = ordinal

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
        if self.facts.uniform:
            length = at.load(f"{n}.len", I32, at.fibre(n), hint="length")
            present = k.apply("lt", k.value(ordinal), length)
        strict = k.conj([present, real])
        return Step(coord, inside, None, strict)

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Find ``coord`` by bisection (coordinates ascend)."""
        k, n = at.k, self.number
        self.size(at)
        length = at.counts[n]
        if self.facts.uniform:
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


def make_compressed(spec: LevelSpec, number: int, index: IndexCode) -> Compressed:
    """Return ``compressed(j)``: fibres of exact length."""
    unique = spec.number("unique", 1) == 1
    return Compressed(
        spec, number, index, Facts(fibre=True, unique=unique, sequential=index.sequential)
    )


def make_ragged(spec: LevelSpec, number: int, index: IndexCode) -> Compressed:
    """Return ``ragged(j; pad = …)``: fibres padded to the longest of their group."""
    unit = max(spec.number("unit", 1), index.per_word)
    facts = Facts(fibre=True, uniform=True, sequential=index.sequential, unit=unit)
    return Compressed(spec, number, index, facts)
