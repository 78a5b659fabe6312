"""A level with exactly one coordinate a position of the level above (COO's second index)."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.arrays import count_at, largest, running
from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.levels.assembled import AssembledIndex
from hastec.levels.checking import Checking
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Facts, Step, Stored
from hastec.levels.search import bisect
from hastec.levels.structure import wrong
from hastec.levels.unpacking import Unpacking
from hastec.sym.size import Size

FACTS = Facts(fibre=True, single=True)


@dataclass(frozen=True, slots=True)
class Singleton:
    """``singleton(j)``: ``N.crd`` holds the coordinate of each position.

    Below a level whose coordinates repeat, the positions of one coordinate are its fibre: then
    that level's ``locate`` leaves where they start and how many they are, and this one is walked
    and searched over them.
    """

    spec: LevelSpec
    number: int
    index: AssembledIndex
    facts: Facts = FACTS

    def arrays(self) -> tuple[Stored, ...]:
        """Return the coordinates."""
        return (Stored(f"{self.number}.crd", self.index.word),)

    def numbers(self) -> tuple[str, ...]:
        """Return the number of halvings that empty the longest run."""
        return (f"{self.number}.halvings",)

    def place(self, at: Cursor, ordinal: Form) -> None:
        """Stand at ``ordinal`` of the run."""
        at.replaced[self.number - 1] = at.starts[self.number] + ordinal

    def extent(self, span: Size, table: str) -> None:
        """Return None: runs differ in length."""

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

    # --------------------------------------------------------------------------------- arrays
    def pack(self, at: Packing) -> None:
        """Store the coordinate of every position of the level above."""
        n, nodes = self.number, at.nodes(self.number)
        self.index.encode(at, nodes, f"{n}.crd", None)
        runs = running(at.distinct(n - 1)[nodes.index]) - 1
        at.tell(f"{n}.halvings", largest(count_at(runs, nodes.count)).bit_length())

    def unpack(self, at: Unpacking) -> None:
        """Read the coordinates."""
        at.coords[self.number], _ = self.index.decode(at, self.number, f"{self.number}.crd")

    def check(self, at: Checking) -> None:
        """Check the range of the coordinates; their order depends on the level above."""
        self.index.check(at, self.number, f"{self.number}.crd")
        at.tell(f"{self.number}.halvings", at.positions(self.number).bit_length())
        at.unsure = True


def make_singleton(spec: LevelSpec, number: int, index: AssembledIndex) -> Singleton:
    """Return a singleton level."""
    if index.sequential:
        advice = "use a plain code: u8, u16, i32 or i64"
        raise wrong("HST4503", f"level {spec} cannot have index {index.spec}", advice)
    return Singleton(spec, number, index)
