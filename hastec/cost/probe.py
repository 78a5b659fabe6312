"""Numbers that scalars of a kernel take: evaluated where possible, else from facts of tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from hastec.cost.facts import Facts
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    Const,
    Coord,
    Kernel,
    Load,
    Reduce,
    Scan,
    SizeArg,
    Value,
    arguments,
)
from hastec.sym.size import Size

UNEVEN = 1.2
"""How much longer the longest of a warp's fibres is than their mean, where nothing is known."""

MEMORY = "memory"
"""Where coordinates are given: the number that everything read from memory is taken to be."""

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "min": min,
    "max": max,
    "div": lambda a, b: a // b if b else 0.0,
    "mod": lambda a, b: a % b if b else 0.0,
    "shr": lambda a, b: float(int(a) >> int(b)),
    "shl": lambda a, b: float(int(a) << min(62, int(b))),
    "bitand": lambda a, b: float(int(a) & int(b)),
}


class Probe:
    """Evaluates integer values of one kernel under facts.

    ``uneven``: loops over fibres take as long as facts say of fibres that differ in length.
    """

    __slots__ = ("facts", "kernel", "uneven", "values")

    def __init__(self, kernel: Kernel, facts: Facts, uneven: bool = False) -> None:
        self.kernel = kernel
        self.facts = facts
        self.uneven = uneven
        self.values: Mapping[ValueId, Value] = kernel.values()

    def number(self, value: ValueId, at: Mapping[str, float] | None = None) -> float:
        """Return a value with digits at given coordinates (the others at 0)."""
        return self._number(value, at or {}, {})

    def _number(self, value: ValueId, at: Mapping[str, float], memo: dict[ValueId, float]) -> float:
        found = memo.get(value)
        if found is None:
            found = memo[value] = self._evaluate(self.values[value], at, memo)
        return found

    def _evaluate(self, v: Value, at: Mapping[str, float], memo: dict[ValueId, float]) -> float:
        if self.uneven and self.facts.trips and (trips := self._trips(v)) is not None:
            return trips
        match v.op:
            case Const(number):
                return float(number)
            case SizeArg(name):
                return float(self.facts.size(name))
            case Coord(digit):
                return at.get(digit, 0.0)
            case Apply("sub", (a, b)) if (array := self._delimits(a, b)) is not None:
                return self.facts.length(array)
            case Apply("cast", (a,)):
                return self._number(a, at, memo)
            case Apply("where", (_, a, _)):
                return self._number(a, at, memo)
            case Apply(fn, (a, b)) if fn in _ARITHMETIC:
                return _ARITHMETIC[fn](self._number(a, at, memo), self._number(b, at, memo))
            case Reduce("max", arg, _):
                number = self._number(arg, at, memo)
                return number * UNEVEN if self._from_memory(arg) else number
            case Scan(_, arg, _):
                return self._number(arg, at, memo)
            case Load():
                return at.get(MEMORY, 0.0)
            case _:
                return 0.0

    def _trips(self, v: Value) -> float | None:
        """Return the mean of a number of iterations over fibres; None if it is something else."""
        height, at = 1, v
        if isinstance(at.op, Reduce) and at.op.monoid == "max":
            height = prod(self.kernel.digit(d).extent or 1 for d in at.op.digits)
            at = self.values[at.op.arg]
        width, at = self._rounded(at)
        if not isinstance(at.op, Apply) or at.op.fn != "sub":
            return None
        array = self._delimits(*at.op.args)
        mean = self.facts.trips.get(array) if array is not None else None
        return mean(height, width) if mean is not None else None

    def _rounded(self, v: Value) -> tuple[int, Value]:
        """Return what a quotient rounded up divides by, and what it divides; 1 if it is none."""
        match v.op:
            case Apply("div" | "shr" as fn, (a, b)):
                whole, by = self.values[a], self.values[b].op
                if isinstance(by, Const) and isinstance(whole.op, Apply) and whole.op.fn == "add":
                    width = int(by.value) if fn == "div" else 1 << int(by.value)
                    return width, self.values[whole.op.args[0]]
            case _:
                pass
        return 1, v

    def _delimits(self, stop: ValueId, start: ValueId) -> str | None:
        """Return the array whose neighbouring entries are subtracted: a fibre's length."""
        a, b = self.values[stop].op, self.values[start].op
        if isinstance(a, Load) and isinstance(b, Load) and a.table == b.table:
            return a.table
        return None

    def _from_memory(self, value: ValueId) -> bool:
        op = self.values[value].op
        return isinstance(op, Load) or any(self._from_memory(a) for a in arguments(op))

    def gathers(self, pointer: ValueId, digit: str) -> bool:
        """Whether an address depends, along a digit, on numbers read from memory."""
        v = self.values[pointer]
        if isinstance(v.op, Load):
            return digit in v.digits
        if digit not in v.digits:
            return False
        return any(self.gathers(a, digit) for a in arguments(v.op))

    def distinct(self, pointer: ValueId, digit: str, extent: int) -> float:
        """Return how many different addresses the coordinates of a digit give.

        Looked at in powers of two: what a quotient or remainder of a coordinate leaves.
        """
        if self.gathers(pointer, digit):
            return float(extent)
        start, count, step = self._offset(pointer, {}), 1.0, 1
        while step < extent:
            if self._offset(pointer, {digit: float(step)}) != start:
                count *= 2
            step *= 2
        return min(count, float(extent))

    def stride(self, pointer: ValueId, digit: str) -> float:
        """Return how many elements apart neighbours along a digit lie."""
        return self._offset(pointer, {digit: 1.0}) - self._offset(pointer, {})

    def scale(self, pointer: ValueId) -> float:
        """Return by how many elements an address moves if what is read to form it grows by 1."""
        return max(1.0, self._offset(pointer, {MEMORY: 1.0}) - self._offset(pointer, {}))

    def _offset(self, pointer: ValueId, at: Mapping[str, float]) -> float:
        op = self.values[pointer].op
        if not isinstance(op, Address):
            return 0.0
        base = self._offset(op.base, at) if isinstance(op.base, int) else 0.0
        return base + (self.number(op.offset, at) if op.offset is not None else 0.0)

    def programs(self) -> float:
        """Return the number of programs of a launch."""
        total = 1.0
        for _, size in self.kernel.grid:
            total *= self.extent(size)
        return total

    def extent(self, size: Size) -> float:
        """Return a size expression under the facts."""
        return float(size.evaluate({n: self.facts.size(n) for n in size.names()}))
