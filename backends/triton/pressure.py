"""How many registers a thread needs, estimated: kernels far beyond what there is would spill.

Values are alive from their definition to their last use; those that are written where they are
used take none. Addresses and coordinates are computed again from a few registers; a tile that is
only multiplied waits in shared memory. Measured on spilling and fitting kernels of sm_90.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from hastec.backends.triton.inline import inlined, used_by
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    POINTER,
    Arrive,
    Carried,
    Const,
    Coord,
    Dot,
    Final,
    For,
    If,
    Kernel,
    Let,
    Load,
    Reduce,
    Scan,
    SizeArg,
    Stmt,
    Value,
    arguments,
)
from hastec.ir.types import BOOL

AFFINE = 0.25
"""Share of an address's elements that need registers of their own."""
SHARED = 0.25
"""Share of a right factor's elements that are in registers at a time."""

Live = frozenset[ValueId]


def registers(kernel: Kernel) -> int:
    """Return about how many 32-bit registers a thread needs at once."""
    return round(_Pressure(kernel).peak)


class _Pressure:
    """Walks a kernel backwards, with the values that are still needed."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.values = kernel.values()
        self.inline = inlined(kernel)
        self.affine: dict[ValueId, bool] = {}
        self.shared = self._only_right_factors()
        self.made: dict[ValueId, Live] = {}
        self.size = {v.id: self._size(v) for v in self.values.values()}
        self.peak = 0.0
        self._block(kernel.body, frozenset())

    # ---------------------------------------------------------------------------------- sizes
    def _size(self, value: Value) -> float:
        if not value.digits or isinstance(value.op, Const | SizeArg | Coord):
            return 0.0
        bits = 3.2 if value.dtype == BOOL else 64 if value.dtype == POINTER else value.dtype.bits
        whole = self._elements(value) * bits / 32
        if self._affine(value):
            return whole * AFFINE
        return whole * SHARED if value.id in self.shared else whole

    def _elements(self, value: Value) -> float:
        """Return how many elements of a value a thread holds."""
        digits = [self.kernel.digit(d) for d in value.digits]
        tile = prod(d.extent or 1 for d in digits if d.role == "block")
        own = prod(d.extent or 1 for d in digits if d.role == "reg")
        return own * max(1.0, tile / self.kernel.threads)

    def _affine(self, value: Value) -> bool:
        """Whether a value is made of coordinates and sizes alone."""
        found = self.affine.get(value.id)
        if found is None:
            read = isinstance(value.op, Load | Dot | Reduce | Scan | Arrive | Carried | Final)
            used = (self.values[a] for a in arguments(value.op))
            found = not read and all(self._affine(v) for v in used)
            self.affine[value.id] = found
        return found

    def _only_right_factors(self) -> Live:
        """Return loaded tiles that matrix products take as their right factor, and no one else."""
        found: dict[ValueId, bool] = {}
        for value in self.values.values():
            for used in arguments(value.op):
                right = isinstance(value.op, Dot) and used == value.op.right
                found[used] = found.get(used, True) and right
        return frozenset(v for v, only in found.items() if only and self._loaded(v))

    def _loaded(self, value: ValueId) -> bool:
        return isinstance(self.values[value].op, Load)

    # ------------------------------------------------------------------------------- liveness
    def _needed(self, used: Iterable[ValueId]) -> Live:
        """Return the values with registers of their own that some values are made of."""
        return frozenset(v for u in used for v in self._roots(u))

    def _roots(self, value: ValueId) -> Live:
        if value not in self.inline:
            return frozenset((value,))
        if value not in self.made:
            self.made[value] = self._needed(arguments(self.values[value].op))
        return self.made[value]

    def _note(self, live: Live) -> None:
        self.peak = max(self.peak, sum(self.size[v] for v in live))

    def _block(self, body: tuple[Stmt, ...], live: Live) -> Live:
        """Return what is needed before a block, given what is after it."""
        for stmt in reversed(body):
            match stmt:
                case Let(value) if value.id in self.inline:
                    continue
                case Let(value):
                    self._note(live | {value.id})
                    live = (live - {value.id}) | self._needed(arguments(value.op))
                case For():
                    live = self._loop(stmt, live)
                case If(condition, inner):
                    live = live | self._block(inner, live) | self._needed((condition,))
                case _:
                    live = live | self._needed(used_by(stmt, self.values))
            self._note(live)
        return live

    def _loop(self, loop: For, live: Live) -> Live:
        """Return what is needed before a loop; what it reads from outside is needed all along."""
        inside = frozenset(c.inside for c in loop.carries)
        after = self._needed(c.next for c in loop.carries)
        live = live - {c.after for c in loop.carries}
        through = self._block(loop.body, live | after) | live
        through = self._block(loop.body, through | after) | live
        start = self._needed((loop.lo, loop.hi, *(c.init for c in loop.carries)))
        return (through - inside) | start
