"""Counts what one program of a kernel issues and moves, loop by loop, on its nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log2, prod
from typing import assert_never

from hastec.cost.facts import Facts
from hastec.cost.gather import LINE, warp_lines
from hastec.cost.probe import Probe
from hastec.cost.vector import cycles
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    POINTER,
    Address,
    Apply,
    Arrive,
    Carried,
    Const,
    Coord,
    Digit,
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
    Store,
    Value,
    arguments,
    statements,
)
from hastec.ir.types import F16
from hastec.target import Target


@dataclass(frozen=True, slots=True)
class Count:
    """What a launch costs.

    ``slots``: instructions a thread issues, over all programs and threads. ``flops``: of matrix
    products. ``bytes``: read and written, each element once. ``lines``: cache lines that warps
    touch. ``trips``: dependent iterations of the longest loop nest of a program. ``detail`` splits
    the slots of a program's thread by kind.
    """

    programs: float
    threads: int
    slots: float
    flops: float
    bytes: float
    lines: float
    trips: float
    detail: tuple[tuple[str, float], ...] = field(default=())


class _Tally:
    """Counts one kernel: slots of a thread by kind, bytes of each array, products and lines."""

    def __init__(self, target: Target, probe: Probe) -> None:
        self.kernel, self.target, self.probe = probe.kernel, target, probe
        self.values = probe.values
        self.users: dict[ValueId, list[Value]] = {}
        self.slots: dict[str, float] = {}
        self.touched: dict[str, float] = {}
        self.flops, self.lines, self.trips = 0.0, 0.0, 1.0
        for stmt in statements(self.kernel.body):
            if isinstance(stmt, Let):
                for a in arguments(stmt.value.op):
                    self.users.setdefault(a, []).append(stmt.value)

    def add(self, kind: str, slots: float, times: float) -> None:
        self.slots[kind] = self.slots.get(kind, 0.0) + slots * times

    # ---------------------------------------------------------------------------- statements
    def block(self, body: tuple[Stmt, ...], times: float, depth: float) -> None:
        for stmt in body:
            match stmt:
                case Let(value):
                    self.value(value, times)
                case Store():
                    self.store(stmt, times)
                case If(condition, inner):
                    last = self.values[condition].op
                    share = last.among if isinstance(last, Arrive) else 1
                    self.block(inner, times / share, depth)
                case For() if stmt.rare:
                    continue
                case For():
                    trips = max(0.0, self.probe.number(stmt.hi) - self.probe.number(stmt.lo))
                    self.trips = max(self.trips, depth * max(1.0, trips))
                    self.add("loop", self.target.slot("loop"), times * trips)
                    self.block(stmt.body, times * trips, depth * max(1.0, trips))
                case _ as never:
                    assert_never(never)

    def copies(self, value: Value) -> float:
        """Return how many elements of a value one thread holds."""
        regs = prod(d.extent or 1 for d in self._digits(value) if d.role == "reg")
        tile = prod(d.extent or 1 for d in self._digits(value) if d.role == "block")
        return regs * max(1.0, tile / max(1, self.kernel.threads))

    def _digits(self, value: Value) -> list[Digit]:
        return [self.kernel.digit(d) for d in value.digits]

    # -------------------------------------------------------------------------------- values
    def value(self, v: Value, times: float) -> None:
        match v.op:
            case Const() | SizeArg() | Coord() | Carried() | Final():
                return
            case Apply(fn, args):
                self.add(*self.applied(fn, args, v), times)
            case Address(_, offset):
                if offset is not None and not v.digits:
                    self.add("uniform", self.target.slot("uniform"), times)
                elif v.digits and not self._folds(v):
                    run = self._run(v)
                    self.add("address", self.target.slot("address") * self.copies(v) / run, times)
            case Load():
                self.load(v, v.op, times)
            case Reduce(_, arg, digits):
                self.reduce(self.values[arg], digits, v, times)
            case Scan(_, arg, _):
                self.add("scan", self.copies(self.values[arg]), times)
            case Dot(left, right, _, over):
                self.dot(self.values[left], self.values[right], over, v, times)
            case Arrive():
                self.add("barrier", 2 * self.target.slot("barrier"), times)
            case _ as never:
                assert_never(never)

    def applied(self, fn: str, args: tuple[ValueId, ...], v: Value) -> tuple[str, float]:
        if v.dtype == POINTER or not v.digits:
            return "uniform", self.target.slot("uniform")
        n = self.copies(v)
        used = self.users.get(v.id, [])
        if fn == "mul" and v.dtype.is_float and used and all(_adds(u) for u in used):
            return "alu", 0.0
        if used and (self._joins(fn, used) or self._shifts_zero(fn, args, used)):
            return "alu", 0.0
        if v.dtype == F16 and fn != "cast":
            return "alu", self.target.slot("pack") * n
        if fn == "cast":
            narrow = self.values[args[0]].dtype.bits < 32 or v.dtype.bits < 32
            floats = v.dtype.is_float or self.values[args[0]].dtype.is_float
            return "convert", self.target.slot("convert") * n * (1 if floats and narrow else 0.25)
        if fn in ("exp", "exp2", "log", "log2", "sin", "cos", "erf", "rsqrt", "sqrt"):
            return "exp", self.target.slot("exp") * n
        if fn in ("div", "mod"):
            return "divide", self.target.slot("divide") * n
        return "alu", n

    def _joins(self, fn: str, used: list[Value]) -> bool:
        """Whether a bitwise function is issued with the ones that use it: three operands each."""
        return fn in _BITWISE and all(isinstance(u.op, Apply) and u.op.fn in _BITWISE for u in used)

    def _shifts_zero(self, fn: str, args: tuple[ValueId, ...], used: list[Value]) -> bool:
        """Whether a constant is added to what is converted: it joins the conversion's own."""
        constant = fn in ("add", "sub") and isinstance(self.values[args[-1]].op, Const)
        return constant and all(
            isinstance(u.op, Apply) and u.op.fn == "cast" and u.dtype == F16 for u in used
        )

    def _folds(self, v: Value) -> bool:
        """Whether an address is a constant away from another: part of the access itself."""
        op = v.op
        if not isinstance(op, Address) or not isinstance(op.base, int) or op.offset is None:
            return False
        return isinstance(self.values[op.offset].op, Const)

    def _run(self, v: Value) -> float:
        """Return how many neighbours one address serves."""
        runs = [u.op.unit for u in self.users.get(v.id, []) if isinstance(u.op, Load)]
        for unit in runs:
            if unit in v.digits:
                return float(min(8, self.kernel.digit(unit).extent or 1))
        return 1.0

    # -------------------------------------------------------------------------------- memory
    def load(self, v: Value, op: Load, times: float) -> None:
        size = v.dtype.bytes
        run = 1.0
        if op.unit in v.digits:
            widest = min(op.align * size, 16) // size if op.align > 1 else 1
            run = float(max(1, min(widest, self.kernel.digit(op.unit).extent or 1)))
        self.add("load", self.target.slot("load") * self.copies(v) / run, times)
        if op.mask is not None and size < 4 and run == 1 and v.digits:
            self.add("mask", self.target.slot("mask") * self.copies(v), times)
        self._touch(op.table, op.pointer, v, times, run)

    def store(self, stmt: Store, times: float) -> None:
        v = self.values[stmt.value]
        p = self.values[stmt.pointer]
        wide = v if len(v.digits) >= len(p.digits) else p
        self.add("store", self.copies(wide), times)
        self._touch(stmt.table, stmt.pointer, wide, times, 1.0)

    def _touch(self, table: str, pointer: ValueId, v: Value, times: float, run: float) -> None:
        size = self.kernel.table(table).dtype.bytes
        elements = prod(
            self.probe.distinct(pointer, d.name, d.extent or 1) for d in self._digits(v)
        )
        self.touched[table] = self.touched.get(table, 0.0) + elements * size * times
        self.lines += self._lines(pointer, v, size, run) * times

    def _lines(self, pointer: ValueId, v: Value, size: int, run: float) -> float:
        """Return the cache lines all warps of a program touch with one access, ``run`` neighbours
        at a time.
        """
        elements = prod(d.extent or 1 for d in self._digits(v))
        lanes = [d for d in self._digits(v) if d.role == "thread"]
        whole = max(1.0, elements * size / LINE)
        if not lanes:
            return whole if elements > 1 else 1.0
        fast = min(lanes, key=lambda d: d.stride)
        if self.probe.gathers(pointer, fast.name):
            warp = warp_lines(self.probe, pointer, v, size, run, self.target.lanes)
            return max(1.0, elements / run / self.target.lanes) * warp
        stride = abs(self.probe.stride(pointer, fast.name)) * size
        return max(whole, elements / run * min(1.0, stride / LINE))

    # ------------------------------------------------------------------------- across digits
    def reduce(self, arg: Value, digits: tuple[str, ...], v: Value, times: float) -> None:
        roles = {self.kernel.digit(d).role for d in digits}
        self.add("alu", self.copies(arg), times)
        if "thread" in roles:
            lanes = prod(self.kernel.digit(d).extent or 1 for d in digits)
            self.add("shuffle", self.target.slot("shuffle") * log2(max(2, lanes)), times)
            if lanes > self.target.lanes:
                self.add("barrier", self.target.slot("barrier"), times)
        if "block" in roles:
            self.add("shuffle", 2 * self.target.slot("shuffle") * self.copies(v), times)

    def dot(self, a: Value, b: Value, over: tuple[str, ...], v: Value, times: float) -> None:
        inner = prod(self.kernel.digit(d).extent or 1 for d in over)
        outer = prod(self.kernel.digit(d).extent or 1 for d in v.digits)
        self.flops += 2.0 * inner * outer * times
        warps = max(1.0, self.kernel.threads / self.target.lanes)
        self.add("matrix", inner * outer / (16 * 8 * 16) / warps + 4, times)
        staged = sum(self.copies(v) / (8 if isinstance(v.op, Load) else 1) for v in (a, b))
        # What is computed is packed, and crosses threads to where products want it.
        self.add("stage", staged + 4, times)


_BITWISE = ("bitand", "bitor", "bitxor")


def _adds(user: Value) -> bool:
    return isinstance(user.op, Apply) and user.op.fn == "add" and user.dtype.is_float


def count(kernel: Kernel, target: Target, facts: Facts) -> Count:
    """Return what a launch of ``kernel`` costs under ``facts``."""
    if target.threads == (1,):
        return _vectors(kernel, target, facts)
    probe = Probe(kernel, facts)
    tally = _Tally(target, probe)
    tally.block(kernel.body, 1.0, 1.0)
    programs = probe.programs()
    per_thread = sum(tally.slots.values())
    moved = 0.0
    for table in kernel.tables:
        if table.access in ("scratch", "count"):
            continue  # written and soon read again: it stays in the second cache
        touched = tally.touched.get(table.name, 0.0) * programs
        known = facts.numels.get(table.name)
        moved += touched if known is None else min(touched, known * table.dtype.bytes)
    return Count(
        programs,
        kernel.threads,
        per_thread * programs * kernel.threads,
        tally.flops * programs,
        moved,
        tally.lines * programs,
        tally.trips,
        tuple(sorted(tally.slots.items())),
    )


def _vectors(kernel: Kernel, target: Target, facts: Facts) -> Count:
    """Return what a launch costs where programs have no threads; ``slots`` are cycles of cores."""
    one, programs, made = cycles(kernel, target, facts)
    detail = tuple(sorted(made.kinds.items()))
    return Count(programs, 1, one * programs, 0.0, made.caches.whole, 0.0, 1.0, detail)
