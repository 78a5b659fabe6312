"""Values of random kernels: definitions, and arithmetic that says what it keeps exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from hastec.ir.kernel import (
    POINTER,
    Apply,
    Const,
    Digit,
    Let,
    Reduce,
    Scan,
    Stmt,
    Table,
    Value,
    ValueOp,
    arguments,
)
from hastec.ir.numeric import Array
from hastec.ir.types import (
    BF16,
    BOOL,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    DType,
)

INTEGERS = (I8, I16, I32, I64, U8, U16, U32)
FLOATS = (F16, BF16, F32, F64)
ROOM = {F16: 2**11, BF16: 2**8, F32: 2**24, F64: 2**53}
"""Up to which whole numbers are exact."""
LENGTH = 37
"""Elements of every read array."""


@dataclass(frozen=True)
class Known:
    """A value in scope; ``size`` bounds an exact float, 0 marks an inexact one."""

    value: Value
    size: int = 1

    @property
    def exact(self) -> bool:
        """True for integers, truth values and whole floats."""
        return self.size > 0


@dataclass
class Arithmetic:
    """Collects the definitions of one kernel."""

    rng: np.random.Generator
    digits: list[Digit] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    states: list[Value] = field(default_factory=list)
    inexact: set[str] = field(default_factory=set)
    body: list[Stmt] = field(default_factory=list)
    scope: list[Known] = field(default_factory=list)
    count: int = 0
    loops: int = 0
    limits: list[Known] = field(default_factory=list)
    """Whole numbers up to which an index may run, known from the start."""
    counters: list[Known] = field(default_factory=list)
    """Coordinates of the loops that are open."""
    depth: int = 0

    def pick(self, options: tuple[object, ...] | list[object]) -> int:
        """Return a random position."""
        return int(self.rng.integers(len(options)))

    def chance(self, probability: float) -> bool:
        """Return true so often."""
        return bool(self.rng.random() < probability)

    # ------------------------------------------------------------------------- definitions
    def order(self, digits: set[str]) -> tuple[str, ...]:
        """Return digits in the kernel's order."""
        return tuple(d.name for d in self.digits if d.name in digits)

    def unused(self, start: int) -> list[Known]:
        """Return the values from a position of the scope on that nothing uses yet."""
        mine = self.scope[start:]
        used = {v for s in self.body if isinstance(s, Let) for v in arguments(s.value.op)}
        return [k for k in mine if k.value.id not in used]

    def let(self, op: ValueOp, dtype: DType, digits: set[str], size: int = 1) -> Known:
        """Define a value here."""
        hint = ("", "acc", "x", "at")[self.count % 4]
        value = Value(self.count, op, dtype, self.order(digits), hint)
        self.count += 1
        self.body.append(Let(value))
        known = Known(value, size)
        if dtype != POINTER:
            self.scope.append(known)
        return known

    def apply(self, fn: str, *args: Known, dtype: DType | None = None, size: int = 1) -> Known:
        """Apply a function."""
        ids = tuple(a.value.id for a in args)
        digits = {d for a in args for d in a.value.digits}
        return self.let(Apply(fn, ids), dtype or args[-1].value.dtype, digits, size)

    def const(self, number: bool | int | float, dtype: DType) -> Known:
        """Define a constant."""
        size = max(1, int(abs(number))) if dtype.is_float else 1
        return self.let(Const(float(number) if dtype.is_float else number), dtype, set(), size)

    def known(self, accept: tuple[DType, ...], exact: bool = True) -> Known:
        """Return a value in scope of one of the types, making one if there is none."""
        fits = [k for k in self.scope if k.value.dtype in accept and k.exact >= exact]
        if fits and self.chance(0.9):
            return fits[-1 - min(int(self.rng.exponential(4)), len(fits) - 1)]
        dtype = accept[self.pick(list(accept))]
        if dtype == BOOL:
            return self.const(self.chance(0.5), BOOL)
        return self.const(int(self.rng.integers(0, 5)), dtype)

    def small(self, value: Known, limit: int) -> Known:
        """Return an integer wrapped into ``0 .. limit`` as i32 or i64."""
        wide = (I32, I64)[self.pick([0, 1])]
        found = self.apply("cast", value, dtype=wide) if value.value.dtype != wide else value
        return self.apply("mod", found, self.const(limit, wide))

    def words(self) -> None:
        """Integer arithmetic."""
        a = self.known(INTEGERS)
        b = self.known((a.value.dtype,))
        one, two = ("neg", "abs", "popc"), ("add", "sub", "mul", "min", "max", "bitand", "bitor",
                                            "bitxor", "shl", "shr", "div", "mod")  # fmt: skip
        if self.chance(0.2):
            self.apply(one[self.pick(list(one))], a)
        else:
            self.apply(two[self.pick(list(two))], a, b)

    def compare(self) -> None:
        """A comparison of exact values."""
        a = self.known((*INTEGERS, *FLOATS, BOOL))
        b = self.known((a.value.dtype,))
        fns = ("lt", "le", "gt", "ge", "eq", "ne")
        self.apply(fns[self.pick(list(fns))], a, b, dtype=BOOL)

    def logic(self) -> None:
        """Truth values."""
        a, b = self.known((BOOL,)), self.known((BOOL,))
        if self.chance(0.3):
            self.apply("not", a)
        else:
            self.apply(("and", "or")[self.pick([0, 1])], a, b)

    def convert(self) -> None:
        """A conversion that loses nothing two implementations may disagree on."""
        a = self.known((*INTEGERS, *FLOATS, BOOL))
        target = (*INTEGERS, *FLOATS, BOOL)[self.pick(list(range(12)))]
        source = a.value.dtype
        if target.is_float:
            small = source in (I8, U8, BOOL) or (source.is_float and a.size <= ROOM[target])
            bound = 255 if not source.is_float else a.size
            if not small or bound > ROOM[target]:
                return
            self.apply("cast", a, dtype=target, size=bound)
        else:
            self.apply("cast", a, dtype=target)

    def choose(self) -> None:
        """A choice."""
        where = self.known((BOOL,))
        a = self.known((*INTEGERS, *FLOATS, BOOL), exact=False)
        b = self.known((a.value.dtype,), exact=False)
        size = max(a.size, b.size) if a.exact and b.exact else 0
        self.apply("where", where, a, b, size=size)

    def floats(self) -> None:
        """Arithmetic on whole floats that stays exact."""
        a = self.known(FLOATS)
        b = self.known((a.value.dtype,))
        fns = ("add", "sub", "mul", "min", "max", "neg", "abs", "floor", "ceil", "trunc", "round")
        fn = fns[self.pick(list(fns))]
        if fn in ("neg", "abs", "floor", "ceil", "trunc", "round"):
            self.apply(fn, a, size=a.size)
            return
        sizes = {"mul": a.size * b.size, "min": max(a.size, b.size), "max": max(a.size, b.size)}
        size = sizes.get(fn, a.size + b.size)
        if size <= ROOM[a.value.dtype]:
            self.apply(fn, a, b, size=size)

    def real(self) -> None:
        """A function whose result is inexact."""
        a = self.known(FLOATS)
        fns = ("exp", "exp2", "log", "log2", "sqrt", "rsqrt", "sin", "cos", "erf", "div", "mod")
        fn = fns[self.pick(list(fns))]
        positive = self.apply("add", self.apply("abs", a, size=a.size),
                              self.const(1, a.value.dtype), size=a.size + 1)  # fmt: skip
        if fn in ("div", "mod"):
            self.apply(fn, self.known((a.value.dtype,)), positive, size=0)
        elif fn in ("exp", "exp2"):
            low = self.apply("min", a, self.const(4, a.value.dtype), size=a.size)
            self.apply(fn, self.apply("max", low, self.const(-9, a.value.dtype), size=9), size=0)
        else:
            whole = positive if fn in ("log", "log2", "rsqrt", "sqrt") else a
            self.apply(fn, whole, size=0)

    def across(self) -> None:
        """A reduction or a prefix."""
        spread = [k for k in self.scope if k.value.digits]
        if not spread:
            return
        a = spread[self.pick(list(spread))]
        dtype, digits = a.value.dtype, a.value.digits
        monoids = ["any", "all"] if dtype == BOOL else ["sum", "min", "max"]
        monoids += ["prod"] if dtype.is_integer else []
        monoid = monoids[self.pick(list(monoids))]
        extents = prod(d.extent or 1 for d in self.digits if d.name in digits)
        size = a.size * extents if monoid == "sum" else a.size
        if dtype.is_float and size > ROOM[dtype]:
            return
        if self.chance(0.3):
            digit = digits[self.pick(list(digits))]
            self.let(Scan(monoid, a.value.id, digit), dtype, set(digits), size)
            return
        over = tuple(d for d in digits if self.chance(0.6)) or digits[:1]
        rest = set(digits) - set(over)
        self.let(Reduce(monoid, a.value.id, over), dtype, rest, size)
