"""A level that keeps ``n`` of every ``m`` coordinates (n:m sparsity).

Array: ``N.crd``, the kept coordinates of each group, ascending.
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.arrays import Array, flat, marks, nonzero, running_along
from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.levels.assembled import AssembledIndex
from hastec.levels.checking import Checking
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Facts, Step, Stored
from hastec.levels.structure import wrong
from hastec.levels.unpacking import Unpacking
from hastec.sym.size import Size

FACTS = Facts(uniform=True)


@dataclass(frozen=True, slots=True)
class Choose:
    """``choose(j % m; n)``: ``n`` positions a fibre, each with its coordinate in ``0 .. m``.

    A fibre with fewer entries is filled with coordinates that have none and the value 0, so all
    ``n`` count as stored.
    """

    spec: LevelSpec
    number: int
    index: AssembledIndex
    keep: int
    facts: Facts = FACTS

    def arrays(self) -> tuple[Stored, ...]:
        """Return the kept coordinates."""
        return (Stored(f"{self.number}.crd", self.index.word),)

    def numbers(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def extent(self, span: Size, table: str) -> Size:
        """Return ``n``."""
        return Size.of(self.keep)

    def size(self, at: Cursor) -> Form:
        """Return ``n``."""
        return Form.of(self.keep)

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place ``ordinal`` and read which coordinate it is."""
        at.ordinals[self.number] = ordinal
        inside = at.within(self.number, ordinal, at.k.const(self.keep))
        coord, _ = self.index.read(at, self.number, f"{self.number}.crd", inside)
        return Step(coord, inside, None, inside)

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Compare ``coord`` with each of the kept coordinates."""
        k, n = at.k, self.number
        target, place = k.value(coord), k.const(0)
        hit: Value = k.const(False)
        for ordinal in range(self.keep):
            at.ordinals[n] = Form.of(ordinal)
            found, _ = self.index.read(at, n, f"{n}.crd", None)
            same = k.apply("eq", k.value(found), target)
            place = k.apply("where", same, k.const(ordinal), place)
            hit = k.apply("or", hit, same)
        at.ordinals[n] = k.form(place)
        return Step(coord, None, hit, hit)

    # --------------------------------------------------------------------------------- arrays
    def room(self, at: Packing) -> Array:
        """Return which entries are among the first ``n`` of their fibre."""
        nodes = at.nodes(self.number)
        return nodes.spread(nodes.rank() < self.keep)

    def pack(self, at: Packing) -> None:
        """Store ``n`` coordinates a fibre: those of entries, then the lowest without one."""
        n, span, nodes = self.number, at.span(self.number), at.nodes(self.number)
        fibres = at.fibres(n)
        at.reserve(fibres * span, "int64")
        place = nodes.trail.fibre(n) * span + nodes.coord
        used = marks(fibres * span, place).reshape(fibres, span)
        free = running_along(~used)
        taken = used | (free <= free[:, span - 1 :] + (self.keep - span))
        at.place(nodes, flat(running_along(taken))[place] - 1)
        kept = nonzero(flat(taken)) % span
        every = at.above(n)
        ordinal = every.spread(n, self.keep)
        coords = kept[every.fibre(n) * self.keep + ordinal]
        self.index.write(at, n, f"{n}.crd", every.position(n), coords)

    def unpack(self, at: Unpacking) -> None:
        """Pass the kept coordinates."""
        n = self.number
        at.spread(n, self.keep)
        at.coords[n], _ = self.index.decode(at, n, f"{n}.crd")

    def check(self, at: Checking) -> None:
        """Check the range of the coordinates; a full reading checks that they ascend."""
        self.index.check(at, self.number, f"{self.number}.crd")
        at.unsure = True


def make_choose(spec: LevelSpec, number: int, index: AssembledIndex) -> Choose:
    """Return a choose level; its option ``n`` says how many are kept."""
    keep, coord = spec.number("n", 2), spec.coord
    if coord.op != "%" or not 1 <= keep <= coord.by or index.sequential:
        raise wrong(
            "HST4503",
            f"level {spec} cannot keep {keep} of every few coordinates",
            "write choose(j % m; n) with 1 <= n <= m and a plain index code",
        )
    return Choose(spec, number, index, keep)
