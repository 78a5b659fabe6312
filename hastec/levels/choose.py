"""A level that keeps ``n`` of every ``m`` coordinates (n:m sparsity).

Array: ``N.crd``, the kept coordinates of each group, ascending.
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.format import LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.levels.protocol import Cursor, Facts, IndexCode, Step, Stored


@dataclass(frozen=True, slots=True)
class Choose:
    """``choose(j % m; n)``: ``n`` positions a fibre, each with its coordinate in ``0 .. m``.

    A fibre with fewer entries is filled with coordinates that have none and the value 0, so all
    ``n`` count as stored.
    """

    spec: LevelSpec
    number: int
    index: IndexCode
    keep: int
    facts: Facts = Facts(uniform=True)

    def arrays(self) -> tuple[Stored, ...]:
        """Return the kept coordinates."""
        return (Stored(f"{self.number}.crd", self.index.word),)

    def numbers(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def size(self, at: Cursor) -> Form:
        """Return ``n``."""
        return Form.of(self.keep)

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place ``ordinal`` and read which coordinate it is."""
        at.ordinals[self.number] = ordinal
        coord, _ = self.index.read(at, self.number, f"{self.number}.crd", None)
        return Step(coord)

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


def make_choose(spec: LevelSpec, number: int, index: IndexCode) -> Choose:
    """Return a choose level; its option ``n`` says how many are kept."""
    return Choose(spec, number, index, spec.number("n", 2))
