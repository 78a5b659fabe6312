"""Which values of a loop are the same for programs that follow each other: kept in a panel.

Programs are numbered with the last grid digit fastest. What a loop reads that does not depend on
that digit is read again by every program of a run of neighbours. If it lies scattered, or is
converted on its way, the first of them packs it into a panel in memory, one row an iteration, which
the others then read in order. Beside a panel, a program also converts ahead, many at a time, what
it alone reads one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import gcd, prod

from hastec.backends.cpu.layout import Layout
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    POINTER,
    Address,
    Apply,
    Carried,
    Const,
    Coord,
    Final,
    For,
    Kernel,
    Let,
    Load,
    SizeArg,
    Store,
    Value,
    arguments,
    statements,
)
from hastec.ir.types import BF16, BOOL, F16, F32

WIDEST = 1 << 12
"""Bytes of the longest row."""


MOST = 2
"""Panels of a kernel."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a row holds a value: its parts lie one after the other from ``offset`` on, ``bytes``
    long each.
    """

    value: ValueId
    offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """A conversion done ahead: the loaded value, what it becomes, and what its address is made of.

    ``parts`` is how many there are in an iteration.
    """

    loaded: ValueId
    value: ValueId
    made: tuple[Let, ...]
    parts: int


@dataclass(frozen=True, slots=True)
class Panel:
    """What a loop keeps: where in a row of so many bytes, and the definitions that are packed.

    ``digit`` is the grid digit that nothing of it depends on. ``ahead`` are conversions of a
    program's own, of runs of memory along the loop, each with the definitions of its addresses.
    """

    digit: str
    slots: tuple[Slot, ...]
    row: int
    made: tuple[Let, ...]
    ahead: tuple[Ahead, ...] = ()

    def align(self, offset: int) -> int:
        """Return a divisor of where an offset into any row lies."""
        return gcd(self.row, offset, 64)


def panels(kernel: Kernel, layout: Layout) -> dict[int, Panel]:
    """Return the panels of loops, by the position of the loop in the kernel's body."""
    if not kernel.grid:
        return {}
    found: dict[int, Panel] = {}
    finder = _Finder(kernel, layout)
    walked: set[str] = set()
    for at, stmt in enumerate(kernel.body):
        if isinstance(stmt, For) and stmt.digit not in walked:
            # A second loop over a digit is what is left of the first: short.
            walked.add(stmt.digit)
            panel = finder.panel(stmt)
            if panel is not None and len(found) < MOST:
                found[at] = panel
    return found


class _Finder:
    def __init__(self, kernel: Kernel, layout: Layout) -> None:
        self.layout = layout
        self.digit = kernel.grid[-1][0]
        self.values = kernel.values()
        self.written = {s.table for s in statements(kernel.body) if isinstance(s, Store)}
        self.known: dict[ValueId, bool] = {}

    def varies(self, value: ValueId) -> bool:
        """Whether a value may differ between neighbouring programs."""
        if value not in self.known:
            op = self.values[value].op
            own = isinstance(op, Carried | Final) or op == Coord(self.digit)
            own = own or (isinstance(op, Load) and op.table in self.written)
            self.known[value] = own or any(self.varies(a) for a in arguments(op))
        return self.known[value]

    def panel(self, loop: For) -> Panel | None:
        """Return what a loop keeps; None if that is nothing, or nothing that pays."""
        lets = [s for s in loop.body if isinstance(s, Let)]
        if self.varies(loop.lo) or self.varies(loop.hi):
            return None
        if any(not isinstance(s, Let | Store) for s in loop.body):
            return None
        same = {s.value.id: s.value for s in lets if self._packs(s.value)}
        loads = self._reading(same, loop.digit)
        used = [v for v in dict.fromkeys(_uses(loop, same)) if v in loads and self._kept(v)]
        slots, row = self._slots(used)
        worth = any(self._pays(same[v], loop.digit) for v in used)
        if not worth or row > WIDEST:
            return None
        return Panel(self.digit, slots, row, _making(used, lets), tuple(self._ahead(lets, loop)))

    def _packs(self, value: Value) -> bool:
        plain = isinstance(value.op, Apply | Load | Address | Const | Coord | SizeArg)
        return plain and not self.varies(value.id)

    def _reading(self, same: Mapping[ValueId, Value], digit: str) -> set[ValueId]:
        """Return the values that are read from memory, or made of such, anew in each iteration."""
        moves, reads = set[ValueId](), set[ValueId]()
        for value in same.values():
            args = arguments(value.op)
            if value.op == Coord(digit) or any(a in moves for a in args):
                moves.add(value.id)
            if isinstance(value.op, Load) or any(a in reads for a in args):
                reads.add(value.id)
        return moves & reads

    def _kept(self, value: ValueId) -> bool:
        return self.values[value].dtype not in (BOOL, POINTER)

    def _slots(self, used: list[ValueId]) -> tuple[tuple[Slot, ...], int]:
        """Return where a row holds values, wide ones first, and how long it is."""
        sizes = {v: self._bytes(v) for v in used}
        slots, at = [], 0
        for value in sorted(used, key=lambda v: (-sizes[v][0], v)):
            one, count = sizes[value]
            slots.append(Slot(value, at, one))
            at += one * count
        widest = max((s.bytes for s in slots), default=1)
        unit = min(64, widest & -widest)
        return tuple(slots), -(-at // unit) * unit

    def _bytes(self, value: ValueId) -> tuple[int, int]:
        """Return the bytes of a part of a value, and how many parts it has."""
        v, mine = self.values[value], self.layout.lanes[value]
        rest = prod(self.layout.extent[d] for d in v.digits if d != mine)
        return v.dtype.bytes * (self.layout.extent[mine] if mine else 1), rest

    def _pays(self, value: Value, digit: str) -> bool:
        """Whether a value is more than a run of memory that goes on in the next iteration."""
        if not isinstance(value.op, Load) or value.op.mask is not None:
            return True
        mine = self.layout.lanes[value.id]
        if value.digits != ((mine,) if mine else ()):
            return True
        step = self.layout.strides.of(value.op.pointer, mine) if mine else 1
        ahead = self._step(value.op.pointer, digit)
        return step != 1 or ahead != (self.layout.extent[mine] if mine else 1)

    def _step(self, value: ValueId, digit: str) -> int | None:
        """Return by how much a number or address grows from one iteration to the next, if that is
        known.
        """
        match self.values[value].op:
            case Coord(name):
                return int(name == digit)
            case Address(base, offset):
                steps = [self._step(v, digit) for v in (base, offset) if isinstance(v, int)]
                return None if None in steps else sum(s or 0 for s in steps)
            case Apply("add", (a, b)):
                one, two = self._step(a, digit), self._step(b, digit)
                return None if one is None or two is None else one + two
            case Apply("mul", (a, b)):
                return self._scaled(a, b, digit)
            case Apply("cast", (a,)):
                return self._step(a, digit)
            case Const() | SizeArg():
                return 0
            case _:
                return None

    def _scaled(self, a: ValueId, b: ValueId, digit: str) -> int | None:
        one, two = self._step(a, digit), self._step(b, digit)
        if one == 0 and two == 0:
            return 0
        for factor, step in ((a, two), (b, one)):
            op = self.values[factor].op
            if isinstance(op, Const) and step is not None:
                return int(op.value) * step
        return None

    def _ahead(self, lets: list[Let], loop: For) -> Iterator[Ahead]:
        """Yield the conversions of scalars that lie one after the other along the loop."""
        for value in (s.value for s in lets):
            if not isinstance(value.op, Apply) or value.op.fn != "cast" or value.dtype != F32:
                continue
            source = self.values[value.op.args[0]]
            if source.dtype not in (F16, BF16) or not isinstance(source.op, Load):
                continue
            scalar = not self.layout.lanes[value.id] and not self.layout.lanes[source.id]
            plain = source.op.mask is None and source.op.table not in self.written
            if scalar and plain and self._step(source.op.pointer, loop.digit) == 1:
                parts = prod(self.layout.extent[d] for d in value.digits)
                yield Ahead(source.id, value.id, _making([source.op.pointer], lets), parts)


def _making(wanted: Iterable[ValueId], lets: list[Let]) -> tuple[Let, ...]:
    """Return the definitions of a loop that values are made of."""
    inside = {s.value.id: s.value for s in lets}
    found, todo = set[ValueId](), list(wanted)
    while todo:
        value = todo.pop()
        if value in inside and value not in found:
            found.add(value)
            todo += arguments(inside[value].op)
    return tuple(s for s in lets if s.value.id in found)


def _uses(loop: For, same: Mapping[ValueId, Value]) -> Iterator[ValueId]:
    """Yield what the rest of a loop uses of values that are the same for all programs."""
    used: list[ValueId] = [c.next for c in loop.carries]
    for stmt in loop.body:
        if isinstance(stmt, Let) and stmt.value.id not in same:
            used += arguments(stmt.value.op)
        elif isinstance(stmt, Store):
            used += [stmt.pointer, stmt.value, *(() if stmt.mask is None else (stmt.mask,))]
    yield from (v for v in used if v in same)
