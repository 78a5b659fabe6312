"""How long accesses of a kernel wait for cache lines, by where what they read was left."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from hastec.cost.lanes import Strides
from hastec.cost.probe import Probe
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    Coord,
    For,
    Let,
    Load,
    Stmt,
    Store,
    Value,
    arguments,
    statements,
)
from hastec.target import Target

LINE = 64
"""Bytes of a cache line."""
FIRST = 40 << 10
"""Bytes of the first cache."""
LAST = 32 << 20
"""Bytes of the last cache a core may count on."""
OWN = 0.5
"""The share of a core's second cache that one array may count on."""
JUMP = 192
"""Bytes that an access must read in a row for the next lines to be on their way before it."""


class Caches:
    """What is known of the accesses of one kernel.

    ``easy``: integers that cost nothing. ``trips``: iterations of each loop. ``inside``: how often
    a program runs an access, by the value (or the pointer it stores at). ``whole``: bytes all
    programs touch, each once.
    """

    def __init__(
        self,
        target: Target,
        probe: Probe,
        strides: Strides,
        extent: Mapping[str, int],
        order: tuple[str, ...],
    ) -> None:
        self.kernel, self.facts = probe.kernel, probe.facts
        self.target, self.probe, self.strides = target, probe, strides
        self.extent, self.order = extent, order
        self.easy = _easy(probe.values)
        self.trips: dict[str, float] = {}
        self.inside: dict[ValueId, float] = {}
        self.depends: dict[tuple[ValueId, str], tuple[bool, bool]] = {}
        self._walk(self.kernel.body, 1.0)
        touched: dict[str, float] = {}
        for stmt in statements(self.kernel.body):
            if isinstance(stmt, Store):
                self._touch(touched, stmt.table, self.probe.values[stmt.pointer])
            elif isinstance(stmt, Let) and isinstance(stmt.value.op, Load):
                self._touch(touched, stmt.value.op.table, stmt.value)
        self.whole = sum(self._held(t, n) for t, n in touched.items())

    def _walk(self, body: tuple[Stmt, ...], times: float) -> None:
        for stmt in body:
            if isinstance(stmt, For):
                n = max(0.0, self.probe.number(stmt.hi) - self.probe.number(stmt.lo))
                self.trips[stmt.digit] = n
                self._walk(stmt.body, times * n)
            elif isinstance(stmt, Let):
                self.inside[stmt.value.id] = times
            elif isinstance(stmt, Store):
                self.inside[stmt.pointer] = times

    def _touch(self, touched: dict[str, float], table: str, v: Value) -> None:
        elements = prod(self.extent.get(d, 1) for d in v.digits)
        more = elements * self.inside.get(v.id, 1.0) * self.probe.programs()
        touched[table] = touched.get(table, 0.0) + more

    def _held(self, table: str, elements: float) -> float:
        """Return the bytes of an array that are touched at all."""
        known = self.facts.numels.get(table, elements)
        return min(elements, known) * self.kernel.table(table).dtype.bytes

    # ---------------------------------------------------------------------------- one access
    def waited(self, v: Value, pointer: ValueId, loop: str) -> float:
        """Return the cycles one run of an access waits for lines."""
        cycles = self.line(self.footprint(v, pointer), self._jumps(v, pointer, loop))
        return self.lines(v, pointer, loop) * cycles

    def _jumps(self, v: Value, pointer: ValueId, loop: str) -> float:
        """Return how much longer a line from far away takes, as nobody sees it coming: a loop that
        goes from one short run of memory to another is no stream.
        """
        varies, indirect = self.varies(pointer, loop) if loop else (False, False)
        if not varies or indirect:
            return 1.0
        size, run = self._size(pointer), self._run(v, pointer)[0]
        ahead = abs(self.probe.stride(pointer, loop)) * size
        return max(1.0, JUMP / run) if ahead > 2 * run else 1.0

    def lines(self, v: Value, pointer: ValueId, loop: str) -> float:
        """Return how many lines one run of an access in a loop touches for the first time."""
        size = self._size(pointer)
        run, runs = self._run(v, pointer)
        if loop:
            varies, indirect = self.varies(pointer, loop)
            if not varies:
                return 0.0
            if not indirect:
                run = min(run, abs(self.probe.stride(pointer, loop)) * size)
                return runs * run / LINE
        return runs * max(1.0, run / LINE)

    def _run(self, v: Value, pointer: ValueId) -> tuple[float, float]:
        """Return the bytes an access reads in a row, and how many such runs it reads."""
        size = self._size(pointer)
        run, runs = float(size), 1.0
        for digit in v.digits:
            step = self.strides.of(pointer, digit)
            if step is not None and abs(step) * size < LINE:
                run *= self.extent.get(digit, 1) if step else 1
            else:
                runs *= self.extent.get(digit, 1)
        return run, runs

    def footprint(self, v: Value, pointer: ValueId) -> float:
        """Return among how many bytes what an access reads was left."""
        table = self._table(pointer)
        size = self.kernel.table(table).dtype.bytes
        elements = prod(self.extent.get(d, 1) for d in v.digits)
        mine = elements * size * self.inside.get(v.id, self.inside.get(pointer, 1.0))
        inner = next((d for d, n in reversed(self.kernel.grid) if self.probe.extent(n) > 1), "")
        if inner and not self.varies(pointer, inner)[0]:
            return mine
        total = mine * self.probe.programs()
        held = self.facts.numels.get(table, total / size) * size
        return held if total > 1.5 * held else max(held, self.whole)

    def line(self, footprint: float, jumps: float = 1.0) -> float:
        """Return the cycles a line among so many bytes takes; ``jumps`` times as many where it
        comes from afar.
        """
        slot = self.target.slot
        near = max(0.0, 1.0 - FIRST / max(1.0, footprint))
        far = max(0.0, 1.0 - self.target.l2 * OWN / max(1.0, footprint))
        out = max(0.0, 1.0 - LAST / max(1.0, footprint))
        return near * slot("line") + jumps * (far * slot("far") + out * slot("out"))

    def counted(self, value: ValueId) -> bool:
        """Whether a number is read from memory, or made of such."""
        op = self.probe.values[value].op
        return isinstance(op, Load) or any(self.counted(a) for a in arguments(op))

    def varies(self, value: ValueId, digit: str) -> tuple[bool, bool]:
        """Return whether an address depends on a coordinate, and whether through memory."""
        key = (value, digit)
        if key not in self.depends:
            self.depends[key] = self._varies(self.probe.values[value], digit)
        return self.depends[key]

    def _varies(self, v: Value, digit: str) -> tuple[bool, bool]:
        if isinstance(v.op, Coord):
            return v.op.digit == digit, False
        found = [self.varies(a, digit) for a in arguments(v.op)]
        any_ = any(f for f, _ in found)
        return any_, any_ and (isinstance(v.op, Load) or any(i for _, i in found))

    def _table(self, pointer: ValueId) -> str:
        op = self.probe.values[pointer].op
        while isinstance(op, Address) and isinstance(op.base, int):
            op = self.probe.values[op.base].op
        assert isinstance(op, Address) and isinstance(op.base, str)
        return op.base

    def _size(self, pointer: ValueId) -> int:
        return self.kernel.table(self._table(pointer)).dtype.bytes


def _easy(values: Mapping[ValueId, Value]) -> frozenset[ValueId]:
    """Return integers and masks made of coordinates and scalars: counted with what uses them."""
    found: set[ValueId] = set()
    for v in values.values():
        if isinstance(v.op, Coord):
            found.add(v.id)
        elif isinstance(v.op, Apply) and v.digits and not v.dtype.is_float:
            args = [values[a] for a in v.op.args]
            if all(not a.dtype.is_float and (a.id in found or not a.digits) for a in args):
                found.add(v.id)
    return frozenset(found)
