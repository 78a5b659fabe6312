"""Random kernels with inputs, valid by construction, from a seed.

Floats come in two kinds. *Exact* ones are small whole numbers, infinities and nan, on which
rounding never acts: comparisons and conversions to integers use only these, so that two
implementations must take the same branches and agree on every integer, bit for bit. *Inexact*
ones come from functions and end in a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from hastec.ir.kernel import (
    POINTER,
    Address,
    Carried,
    Carry,
    Coord,
    Digit,
    Final,
    For,
    If,
    Kernel,
    Load,
    Role,
    SizeArg,
    Stmt,
    Store,
    Table,
    Value,
)
from hastec.ir.numeric import Array, carrier, cast
from hastec.ir.types import BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U32, DType
from hastec.sym.size import Size
from tests.prop.gen_values import FLOATS, INTEGERS, LENGTH, Arithmetic, Known


@dataclass(frozen=True)
class Case:
    """A kernel, its arrays, its sizes, and which written arrays hold inexact floats."""

    kernel: Kernel
    arrays: dict[str, Array]
    sizes: dict[str, int]
    inexact: frozenset[str]


@dataclass
class Generator(Arithmetic):
    """Builds one kernel."""

    # ------------------------------------------------------------------------------- steps
    def step(self) -> None:
        """Append one random statement or a few that belong together."""
        steps = (
            *(self.words, self.words, self.compare, self.logic, self.convert, self.choose),
            *(self.floats, self.floats, self.load, self.load, self.across, self.real),
            *(self.loop, self.branch, self.store, self.merge, self.across),
        )
        steps[self.pick(list(steps))]()

    # ------------------------------------------------------------------------------ memory
    def table(self) -> Table:
        """Return a read array, often a new one."""
        read = [t for t in self.tables if t.access == "read"]
        if read and self.chance(0.5):
            return read[self.pick(list(read))]
        types = (*INTEGERS, *FLOATS, *FLOATS, BOOL)
        dtype = types[self.pick(list(types))]
        table = Table(f"in{len(self.tables)}", dtype, "read", Size.of(LENGTH))
        self.tables.append(table)
        self.arrays[table.name] = self.data(dtype)
        return table

    def data(self, dtype: DType) -> Array:
        """Return elements of an array."""
        if dtype.is_float:
            whole = self.rng.integers(-6, 7, LENGTH).astype(np.float64)
            if self.chance(0.3):
                whole[self.rng.integers(LENGTH, size=3)] = [np.nan, np.inf, -np.inf]
            return cast(whole, F64, dtype)
        if dtype == BOOL:
            return self.rng.random(LENGTH) < 0.5
        info = np.iinfo(dtype.numpy)
        low, high = (info.min, info.max) if self.chance(0.5) else (max(info.min, -3), 4)
        return self.rng.integers(low, high, LENGTH, np.dtype(dtype.numpy), endpoint=True)

    def load(self) -> None:
        """A load: contiguous, gathered or uniform, maybe masked and then maybe out of bounds."""
        table = self.table()
        lanes = [d for d in self.digits if d.role == "reg"]
        unit, align = "", 1
        index = self.known(INTEGERS)
        if lanes and self.chance(0.5):
            digit = lanes[self.pick(list(lanes))]
            free = [k for k in self.scope if k.value.dtype == I32 and not k.value.digits]
            start = free[self.pick(list(free))] if free else self.const(0, I32)
            coord = self.let(Coord(digit.name), I32, {digit.name})
            whole = self.apply("mod", start, self.const(LENGTH, I32))
            index, unit = self.apply("add", whole, coord), digit.name
        elif self.counters and self.chance(0.6):
            self.tail(table)
            return
        elif self.chance(0.7):
            index = self.small(index, LENGTH)
        base: str | int = table.name
        if self.chance(0.5):
            zero = self.const(0, I32)
            base = self.let(Address(base, zero.value.id), POINTER, set()).value.id
        pointer = self.let(Address(base, index.value.id), POINTER, set(index.value.digits))
        low = self.apply("ge", index, self.const(0, index.value.dtype), dtype=BOOL)
        length = self.const(LENGTH, index.value.dtype)
        mask = self.apply("and", low, self.apply("lt", index, length, dtype=BOOL))
        if self.chance(0.4):
            mask = self.apply("and", mask, self.known((BOOL,)))
        other = float(self.rng.integers(0, 4)) if table.dtype != BOOL else float(self.chance(0.5))
        op = Load(table.name, pointer.value.id, mask.value.id, other, unit, align)
        digits = {*pointer.value.digits, *mask.value.digits}
        self.let(op, table.dtype, digits, 6 if table.dtype.is_float else 1)

    def tail(self, table: Table) -> None:
        """A load that runs through an array from iteration to iteration, up to a limit."""
        lanes = [d for d in self.digits if d.role == "reg"]
        step = int(self.rng.integers(1, 9))
        index = self.apply("mul", self.counters[-1], self.const(step, I32))
        if lanes:
            digit = lanes[self.pick(list(lanes))]
            index = self.apply("add", index, self.let(Coord(digit.name), I32, {digit.name}))
        limit = self.limits[self.pick(list(self.limits))]
        mask = self.apply("lt", index, limit, dtype=BOOL)
        if self.chance(0.3):
            mask = self.apply("and", mask, self.known((BOOL,)))
        natural = self.apply("ge", index, self.const(0, I32), dtype=BOOL)
        mask = self.apply("and", natural, mask)
        pointer = self.let(Address(table.name, index.value.id), POINTER, set(index.value.digits))
        op = Load(table.name, pointer.value.id, mask.value.id, float(self.pick([0, 1])))
        digits = {*pointer.value.digits, *mask.value.digits}
        self.let(op, table.dtype, digits, 6 if table.dtype.is_float else 1)

    def output(self, dtype: DType, length: int) -> Table:
        """Add a written array."""
        table = Table(f"out{len(self.tables)}", dtype, "write", Size.of(length))
        self.tables.append(table)
        fill = np.zeros(length, carrier(dtype))
        self.arrays[table.name] = fill
        return table

    def store(self, value: Known | None = None) -> None:
        """Store a value at a place of its own for every program."""
        a = value or self.known((*INTEGERS, *FLOATS, BOOL), exact=False)
        extra = [k for k in self.scope if len(k.value.digits) == 1 and k.value.dtype == BOOL]
        mask = extra[self.pick(list(extra))] if extra and self.chance(0.5) else None
        digits = {*a.value.digits, *(mask.value.digits if mask else ())}
        index = self.const(0, I32)
        length = 1
        for d in self.digits:
            if d.role != "grid" and d.name not in digits:
                continue
            extent = d.extent or 1
            coord = self.let(Coord(d.name), I32, {d.name} if d.role == "reg" else set())
            index = self.apply("add", self.apply("mul", index, self.const(extent, I32)), coord)
            length *= extent
        table = self.output(a.value.dtype, length)
        if not a.exact:
            self.inexact.add(table.name)
        pointer = self.let(Address(table.name, index.value.id), POINTER, set(index.value.digits))
        where = None if mask is None else mask.value.id
        self.body.append(Store(table.name, pointer.value.id, a.value.id, where))

    def merge(self) -> None:
        """Merge a value into places that programs share."""
        a = self.known((I8, I16, I32, I64, U8, U32, F16, F32, F64, BOOL))
        monoids = {BOOL: ("any",), F16: ("max",), F32: ("min", "max"), F64: ("max",)}
        names = monoids.get(a.value.dtype, ("sum", "min", "max"))
        index = self.small(self.known(INTEGERS), 5)
        table = self.output(a.value.dtype, 5)
        pointer = self.let(Address(table.name, index.value.id), POINTER, set(index.value.digits))
        mask = self.known((BOOL,)).value.id if self.chance(0.5) else None
        combine = names[self.pick(list(names))]
        self.body.append(Store(table.name, pointer.value.id, a.value.id, mask, combine))

    # ----------------------------------------------------------------------------- control
    def inside(self, steps: int) -> tuple[list[Stmt], list[Known], list[Stmt]]:
        """Run steps in a block of its own; return its statements and what was outside."""
        outer, scope = self.body, list(self.scope)
        self.body = []
        self.depth += 1
        for _ in range(steps):
            self.step()
        for known in self.unused(len(scope))[-2:]:
            self.store(known)
        self.depth -= 1
        body, self.body = self.body, outer
        return body, scope, outer

    def branch(self) -> None:
        """Statements under a scalar condition."""
        if self.depth >= 2:
            return
        scalars = [k for k in self.scope if k.value.dtype == BOOL and not k.value.digits]
        where = scalars[self.pick(list(scalars))] if scalars else self.const(True, BOOL)
        body, scope, _ = self.inside(3)
        self.scope = scope
        self.body.append(If(where.value.id, tuple(body)))

    def loop(self) -> None:
        """A loop with up to two states; exact floats do not grow from one iteration to the next."""
        if self.depth >= 2:
            return
        dtype = (I32, I64)[self.pick([0, 1])]
        free = [k for k in self.scope if k.value.dtype in INTEGERS and not k.value.digits]
        lo = self.const(int(self.rng.integers(-1, 2)), dtype)
        count = self.small(free[self.pick(list(free))], 4) if free else self.const(3, dtype)
        hi = self.apply("cast", count, dtype=dtype) if count.value.dtype != dtype else count
        digit = f"k{self.loops}"
        self.loops += 1
        self.digits.append(Digit(digit, "loop"))
        inits = [self.known((*INTEGERS, F32, F64, BOOL)) for _ in range(self.pick([0, 1, 2]))]
        spread = [{*k.value.digits, *(d.name for d in self.digits
                                      if d.role == "reg" and self.chance(0.4))}
                  for k in inits]  # fmt: skip
        outer, scope = self.body, list(self.scope)
        self.body = []
        heads = [self.state(Carried(digit, n), k, s) for n, (k, s) in
                 enumerate(zip(inits, spread, strict=True))]  # fmt: skip
        self.scope += heads
        self.counters.append(self.let(Coord(digit), I32, set()))
        self.depth += 1
        for _ in range(4):
            self.step()
        for known in self.unused(len(scope))[-2:]:
            self.store(known)
        self.depth -= 1
        self.counters.pop()
        nexts = [self.following(h, s) for h, s in zip(heads, spread, strict=True)]
        body, self.body, self.scope = self.body, outer, scope
        ends = [self.state(Final(digit, n), k, s) for n, (k, s) in
                enumerate(zip(inits, spread, strict=True))]  # fmt: skip
        carries = tuple(
            Carry(i.value.id, n.value.id, h.value.id, e.value.id)
            for i, n, h, e in zip(inits, nexts, heads, ends, strict=True)
        )
        self.body.append(For(digit, lo.value.id, hi.value.id, tuple(body), carries))
        self.scope += ends

    def state(self, op: Carried | Final, init: Known, digits: set[str]) -> Known:
        """Declare a value that a loop defines."""
        value = Value(self.count, op, init.value.dtype, self.order(digits), "state")
        self.count += 1
        self.states.append(value)
        return Known(value, max(init.size, 8) if init.value.dtype.is_float else 1)

    def following(self, head: Known, digits: set[str]) -> Known:
        """Return what replaces a state: something of its type that varies over no more."""
        dtype = head.value.dtype
        fits = [k for k in self.scope if k.value.dtype == dtype and set(k.value.digits) <= digits]
        fits = [k for k in fits if k.exact and k.size <= 8] or [head]
        other = fits[self.pick(list(fits))]
        if dtype.is_float:
            return self.apply(("min", "max")[self.pick([0, 1])], head, other, size=8)
        if dtype == BOOL:
            return self.apply("or", head, other)
        return self.apply("add", head, other)


def generate(seed: int, steps: int = 14) -> Case:
    """Return the case of a seed."""
    rng = np.random.default_rng(seed)
    gen = Generator(rng)
    sizes = {"M": int(rng.integers(1, 5)), "N": int(rng.integers(1, 4))}
    names = list(sizes)[: int(rng.integers(0, 3))]
    grid = [Digit(n.lower(), "grid", sizes[n]) for n in names]
    extents = rng.choice([1, 2, 3, 4, 5, 8, 16, 19, 32], int(rng.integers(0, 4)))
    role: Role = "reg"
    lanes = [Digit(f"r{n}", role, int(e)) for n, e in enumerate(extents)]
    while prod(d.extent or 1 for d in lanes) > 200:
        lanes.pop()
    gen.digits = [*grid, *lanes]
    for d in gen.digits:
        gen.let(Coord(d.name), I32, {d.name} if d.role == "reg" else set())
    gen.let(SizeArg("M"), (I32, I64)[gen.pick([0, 1])], set())
    gen.limits = [gen.const(n, I32) for n in (0, 1, 5, 19, LENGTH)]
    for _ in range(steps):
        gen.step()
    for known in gen.unused(0)[-12:]:
        gen.store(known)
    kernel = Kernel(
        f"random_{seed}",
        tuple(gen.tables),
        tuple(sizes),
        tuple(gen.digits),
        tuple((d.name, Size.of(n)) for d, n in zip(grid, names, strict=True)),
        1,
        tuple(gen.body),
        tuple(gen.states),
    )
    return Case(kernel, gen.arrays, sizes, frozenset(gen.inexact))
