"""Counts the cycles of a kernel on a processor whose vectors its register digits fill.

A block takes as long as the slowest of what it needs: vector units, instructions in all, loads
with the cache lines they wait for, and in a loop the chain of operations from one iteration to the
next. Numbers a target gives say how much of each a cycle holds.
"""

from __future__ import annotations

from math import ceil, log2, prod
from typing import assert_never

from hastec.cost.caches import Caches
from hastec.cost.facts import Facts
from hastec.cost.lanes import AT_HAND, Strides, ranking
from hastec.cost.probe import Probe
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    POINTER,
    Address,
    Apply,
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
    Store,
    Value,
    arguments,
    statements,
)
from hastec.target import Target

LONG = ("exp", "exp2", "log", "log2", "sin", "cos", "erf")
ROOTS = ("div", "mod", "sqrt", "rsqrt")
FORESEEN = 32
"""Iterations after which the end of a loop comes as a surprise."""
WINDOW = 400
"""Instructions a processor has under way at once."""


class _Work:
    """What one run of a block takes: vector and other instructions, loads, cycles waited for cache
    lines, cycles of long loops inside, and cycles that short ones take one step after the other.
    ``guards`` are instructions that masks take where they do not hold everywhere.
    """

    __slots__ = ("guards", "kinds", "lines", "loads", "nested", "scalar", "serial", "vector")

    def __init__(self) -> None:
        self.vector = self.scalar = self.loads = 0.0
        self.lines = self.nested = self.serial = self.guards = 0.0
        self.kinds: dict[str, float] = {}

    @property
    def instructions(self) -> float:
        """Instructions of all kinds."""
        return self.vector + self.scalar + self.loads

    def join(self, other: _Work, times: float = 1.0) -> None:
        """Count what ``times`` runs of another block take as part of this one."""
        self.vector += other.vector * times
        self.scalar += other.scalar * times
        self.loads += other.loads * times
        self.lines += other.lines * times
        self.nested += other.nested * times
        self.serial += other.serial * times

    def add(self, kind: str, vector: float = 0.0, scalar: float = 0.0, loads: float = 0.0) -> None:
        """Count instructions of a kind."""
        self.vector += vector
        self.scalar += scalar
        self.loads += loads
        self.kinds[kind] = self.kinds.get(kind, 0.0) + vector + scalar + loads


class _Cycles:
    """Counts one kernel; ``kinds`` splits the slots of a program."""

    def __init__(self, target: Target, probe: Probe, caches: Caches) -> None:
        self.kernel, self.target = probe.kernel, target
        self.probe, self.caches = probe, caches
        self.values = probe.values
        self.strides = caches.strides
        self.extent, self.order = caches.extent, caches.order
        self.users: dict[ValueId, list[Value]] = {}
        self.kinds: dict[str, float] = {}
        for stmt in statements(self.kernel.body):
            if isinstance(stmt, Let):
                for a in arguments(stmt.value.op):
                    self.users.setdefault(a, []).append(stmt.value)

    # ------------------------------------------------------------------------------- blocks
    def program(self) -> float:
        """Return the cycles of one program."""
        work = self.work(self.kernel.body, 1.0, "")
        beside = max(1.0, WINDOW / max(1.0, work.instructions))
        most = max(self.slowest(work), work.serial / beside)
        return work.nested + most + self.target.slot("program")

    def slowest(self, work: _Work) -> float:
        """Return the cycles of what is not in loops inside."""
        slot = self.target.slot
        return max(
            work.vector / slot("vectors"),
            work.instructions / slot("width"),
            work.loads / slot("loads") + work.lines,
        )

    def work(self, body: tuple[Stmt, ...], times: float, loop: str) -> _Work:
        """Return what one run of a block takes, which runs ``times`` times a program."""
        work = _Work()
        for stmt in body:
            match stmt:
                case Let(value):
                    self.value(work, value, loop)
                case Store():
                    self.store(work, stmt, loop)
                case If(_, inner):
                    work.join(self.work(inner, times, loop))
                case For() if stmt.rare:
                    continue
                case For():
                    self.loop(work, stmt, times)
                case _ as never:
                    assert_never(never)
        for kind, slots in work.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0.0) + slots * times
        return work

    def loop(self, work: _Work, loop: For, times: float) -> None:
        """Add a loop: its iterations, a last one under masks, and leaving it.

        A processor foresees the end of a loop that is short and always as long. What it does in
        a short loop overlaps with what it does before and after.
        """
        slot = self.target.slot
        trips = max(0.0, self.probe.number(loop.hi) - self.probe.number(loop.lo))
        uneven, masked = self.caches.counted(loop.hi), self.masked(loop)
        # Of fibres that are walked together some are over before the loop is: all is masked.
        masked = masked and not isinstance(self.probe.values[loop.hi].op, Reduce)
        body = self.work(loop.body, times * trips, loop.digit)
        body.scalar += slot("loop")
        if self.masked(loop) and not masked:
            body.scalar += body.guards
        if trips:
            work.nested += slot("leave") if uneven or trips > FORESEEN else 0.0
            # Masks take a few cycles to make, or instructions for every element.
            tail = body.guards / slot("width") or slot("tail")
            work.nested += tail if masked else 0.0
        if masked and uneven:
            trips -= min(0.5, trips / 2)  # many fibres may be empty
        if trips * body.instructions < WINDOW and not body.nested:
            work.join(body, trips)
            work.serial += trips * self.chain(loop)
        else:
            work.nested += trips * (body.nested + max(self.slowest(body), self.chain(loop)))

    def masked(self, loop: For) -> bool:
        """Whether a loop's last iteration may be a part of one only."""
        return any(
            isinstance(s, Let) and isinstance(s.value.op, Load) and s.value.op.mask is not None
            for s in loop.body
        )

    def chain(self, loop: For) -> float:
        """Return the cycles from a state to what replaces it."""
        depth: dict[ValueId, float] = {c.inside: 0.0 for c in loop.carries}
        for stmt in loop.body:
            if isinstance(stmt, Let):
                known = [depth[a] for a in arguments(stmt.value.op) if a in depth]
                if known:
                    depth[stmt.value.id] = max(known) + self.latency(stmt.value)
        return max((depth.get(c.next, 0.0) for c in loop.carries), default=0.0)

    def latency(self, value: Value) -> float:
        match value.op:
            case Apply(fn, _) if value.dtype.is_float and fn in LONG:
                return 40.0
            case Apply(fn, _) if value.dtype.is_float and fn in ROOTS:
                return 16.0
            case Apply(fn, _) if value.dtype.is_float:
                return 8.0 if fn in ("max", "min") else 1.0 if fn == "where" else 4.0
            case Reduce(_, arg, digits):
                lanes = self.lanes(self.values[arg])
                return 8.0 * log2(max(2, self.extent[lanes])) if lanes in digits else 4.0
            case Load():
                return 5.0
            case _:
                return 1.0

    # -------------------------------------------------------------------------------- values
    def lanes(self, value: Value) -> str:
        """Return the digit along the lanes of a value, "" if there is none."""
        return next((d for d in self.order if d in value.digits), "")

    def parts(self, value: Value) -> float:
        """Return how many registers a value fills."""
        lanes = self.lanes(value)
        rest = prod(self.extent.get(d, 1) for d in value.digits if d != lanes)
        if not lanes:
            return float(rest)
        return float(rest * ceil(self.extent[lanes] * max(8, value.dtype.bits) / self.bits))

    @property
    def bits(self) -> int:
        """Bits of a vector register."""
        return 32 * self.target.lanes

    def value(self, work: _Work, v: Value, loop: str) -> None:
        match v.op:
            case Const() | SizeArg() | Coord() | Carried() | Final() | Address():
                return
            case Apply(fn, args):
                self.applied(work, fn, args, v)
            case Load():
                self.load(work, v, v.op, loop)
            case Reduce(_, arg, digits):
                self.reduced(work, self.values[arg], digits)
            case Scan(_, arg, _):
                work.add("scan", vector=8.0 * self.parts(self.values[arg]))
            case Dot() | Arrive():
                work.add("matrix", vector=1e6)
            case _ as never:
                assert_never(never)

    def applied(self, work: _Work, fn: str, args: tuple[ValueId, ...], v: Value) -> None:
        slot, n = self.target.slot, self.parts(v)
        if v.dtype == POINTER or v.id in self.caches.easy:
            return
        if not v.digits:
            heavy = v.dtype.is_float and fn in (*LONG, *ROOTS)
            work.add("uniform", scalar=slot(fn if heavy else "uniform", 6.0))
        elif fn == "mul" and v.dtype.is_float and self._fuses(v):
            return
        elif fn == "cast":
            work.add("convert", vector=n * self._conversion(self.values[args[0]], v))
        elif v.dtype.is_float and fn in LONG:
            work.add("exp", vector=n * slot("exp"))
        elif fn in ROOTS:
            work.add("divide", vector=n * slot("divide"))
        elif fn in ("max", "min") and v.dtype.is_float:
            work.add("alu", vector=3 * n)
        elif self.lanes(v):
            work.add("alu", vector=n)
        else:
            work.add("alu", scalar=n)

    def _fuses(self, v: Value) -> bool:
        used = self.users.get(v.id, [])
        sums = (isinstance(u.op, Apply) and u.op.fn == "add" and u.dtype.is_float for u in used)
        return bool(used) and all(sums)

    def _conversion(self, source: Value, v: Value) -> float:
        """Return the instructions of a conversion: none where a load does it on its way."""
        loaded = isinstance(source.op, Load) and source.dtype.is_integer and v.dtype.is_integer
        if loaded and not self.lanes(source):
            return 0.0
        return 1.0 if source.dtype.bits >= 16 else 2.0

    def reduced(self, work: _Work, arg: Value, digits: tuple[str, ...]) -> None:
        lanes, n = self.lanes(arg), self.parts(arg)
        left = prod(self.extent.get(d, 1) for d in arg.digits if d not in digits)
        if lanes in digits:
            steps = log2(max(2, min(self.extent[lanes], self.target.lanes)))
            work.add("across", vector=n + 2.0 * steps * min(left, 1 + left / 4))
        else:
            work.add("alu", vector=n)

    # -------------------------------------------------------------------------------- memory
    def load(self, work: _Work, v: Value, op: Load, loop: str) -> None:
        lanes, n = self.lanes(v), self.parts(v)
        size = v.dtype.bytes
        step = self.strides.of(op.pointer, lanes) if lanes else 0
        elements = prod(self.extent[d] for d in v.digits)
        if op.mask is not None and lanes and not self.target.gathers:
            # Elements that are read one by one take a comparison and a choice each.
            run = step == 1 or op.unit == lanes
            work.guards += 0.0 if step == 0 or (run and size >= 4) else 2.0 * elements
        if lanes and (step == 1 or op.unit == lanes):
            crossing = max(0.0, 1.0 - size * op.align * 8 / self.bits)
            work.add("load", loads=n * (1.0 + crossing))
        elif not lanes or step == 0 or lanes != self.order[0]:
            # What vectors along another digit use is read element by element, into all lanes.
            rest = prod(self.extent[d] for d in v.digits if step != 0 or d != lanes)
            work.add("load", loads=float(rest), scalar=self._guards(op, loop) * rest)
        elif not self.target.gathers:
            # Each element and its address by itself, and then into its lane.
            each = 1.0 if self.extent[lanes] <= AT_HAND else 3.0
            work.add("gather", loads=2.0 * elements, vector=each * elements)
        else:
            narrow = self.target.slot("narrow") if size < 4 else 0.0
            cycles = self.target.slot("gather") * self.target.slot("loads")
            work.add("gather", loads=elements * cycles, vector=n * (3.0 + narrow))
        work.lines += self.caches.waited(v, op.pointer, loop)

    def _guards(self, op: Load, loop: str) -> float:
        """Return the instructions that keep a masked scalar load inside its table.

        In a loop they are left to the last iteration.
        """
        return 0.0 if op.mask is None or loop else 2.0

    def store(self, work: _Work, stmt: Store, loop: str) -> None:
        value, pointer = self.values[stmt.value], self.values[stmt.pointer]
        wide = value if len(value.digits) >= len(pointer.digits) else pointer
        lanes, n = self.lanes(wide), self.parts(wide)
        if not lanes or self.strides.of(stmt.pointer, lanes) == 1:
            work.add("store", scalar=n)
        else:
            each = 6.0 if self.target.gathers else 8.0
            work.add("store", scalar=each * prod(self.extent[d] for d in wide.digits))
        work.lines += self.caches.waited(wide, stmt.pointer, loop)


def cycles(kernel: Kernel, target: Target, facts: Facts) -> tuple[float, float, _Cycles]:
    """Return the cycles of one program, the number of programs, and how they were counted."""
    probe = Probe(kernel, facts, uneven=True)
    strides = Strides(probe.values)
    extent, order = ranking(kernel, 32 * target.lanes, probe.values, strides)
    caches = Caches(target, probe, strides, extent, order)
    made = _Cycles(target, probe, caches)
    return made.program(), probe.programs(), made
