"""A level with exactly one coordinate a position of the level above (COO's second index)."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.levels.protocol import Cursor, Facts, IndexCode, Step, Stored
from hastec.levels.search import bisect


@dataclass(frozen=True, slots=True)
class Singleton:
    """``singleton(j)``: ``N.crd`` holds the coordinate of each position.

    Below a level whose coordinates repeat, the positions of one coordinate are its fibre: then
    that level's ``locate`` leaves where they start and how many they are, and this one is walked
    and searched over them.
    """

    spec: LevelSpec
    number: int
    index: IndexCode
    facts: Facts = Facts(fibre=True)

    def arrays(self) -> tuple[Stored, ...]:
        """Return the coordinates."""
        return (Stored(f"{self.number}.crd", self.index.word),)

    def numbers(self) -> tuple[str, ...]:
        """Return the number of halvings that empty the longest run."""
        return (f"{self.number}.halvings",)

    def place(self, at: Cursor, ordinal: Form) -> None:
        """Stand at ``ordinal`` of the run."""
        at.replaced[self.number - 1] = at.starts[self.number] + ordinal

    def size(self, at: Cursor) -> Form:
        """Return the length of the run found above; 1 where the level above was walked."""
        n = self.number
        return at.k.form(at.counts[n]) if n in at.counts else Form.of(1)

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Read the coordinate of position ``ordinal`` of the run."""
        n = self.number
        if n not in at.counts:
            return Step(self._read(at, None))
        self.place(at, ordinal)
        inside = at.within(n, ordinal, at.counts[n])
        return Step(self._read(at, inside), inside, None, inside)

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Find ``coord`` in the run by bisection."""
        k, n = at.k, self.number
        inside: Value | None = None
        if n in at.counts:
            first = bisect(self, at, coord, at.counts[n], after=False)
            self.place(at, k.form(first))
            inside = k.apply("lt", first, at.counts[n])
        hit = k.conj([inside, k.apply("eq", k.value(self._read(at, inside)), k.value(coord))])
        return Step(coord, None, hit, hit)

    def _read(self, at: Cursor, mask: Value | None) -> Form:
        return self.index.read(at, self.number, f"{self.number}.crd", mask)[0]


def make_singleton(spec: LevelSpec, number: int, index: IndexCode) -> Singleton:
    """Return a singleton level."""
    return Singleton(spec, number, index)
