"""Which digit of a kernel lies along the lanes of vectors.

On a processor with vectors and no threads, every value varies over some register digits. One of
them may lie along the lanes, the others are unrolled. Digits are ranked once for the kernel by what
the code would cost; a value lies along the first ranked digit it varies over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil, prod

from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    Const,
    Coord,
    For,
    If,
    Kernel,
    Let,
    Load,
    Reduce,
    Stmt,
    Store,
    Value,
)

LOOP_WEIGHT = 16
"""How many iterations a loop is taken to have."""
SLOW = ("exp", "exp2", "log", "log2", "sin", "cos", "erf", "div", "mod", "sqrt", "rsqrt")
SLOW_COST = 12
GATHER = 4
"""What a read from scattered addresses costs beside its elements."""

AT_HAND = 8
"""Addresses that scalar registers hold at once; more are taken out of vectors."""


class Strides:
    """By how much integers and addresses grow from one coordinate of a digit to the next."""

    def __init__(self, values: Mapping[ValueId, Value]) -> None:
        self.values = values
        self.known: dict[tuple[ValueId, str], int | None] = {}

    def of(self, value: ValueId, digit: str) -> int | None:
        """Return the constant step of a value along a digit; None if there is none."""
        if digit not in self.values[value].digits:
            return 0
        key = (value, digit)
        if key not in self.known:
            self.known[key] = self._step(self.values[value], digit)
        return self.known[key]

    def _step(self, value: Value, digit: str) -> int | None:
        match value.op:
            case Coord():
                return 1
            case Address(base, offset):
                used = [v for v in (base, offset) if isinstance(v, int)]
                return _total([self.of(v, digit) for v in used])
            case Apply("add", (a, b)):
                return _total([self.of(a, digit), self.of(b, digit)])
            case Apply("sub", (a, b)):
                return _total([self.of(a, digit), _times(self.of(b, digit), -1)])
            case Apply("mul", (a, b)):
                return self._product(a, b, digit)
            case Apply("cast", (a,)):
                source = self.values[a].dtype
                wider = value.dtype.is_integer and source.is_integer
                return self.of(a, digit) if wider and value.dtype.bits >= source.bits else None
            case _:
                return None

    def _product(self, a: ValueId, b: ValueId, digit: str) -> int | None:
        for factor, other in ((a, b), (b, a)):
            op = self.values[factor].op
            if isinstance(op, Const) and isinstance(op.value, int):
                return _times(self.of(other, digit), op.value)
        return None


def _total(steps: list[int | None]) -> int | None:
    return None if None in steps else sum(s for s in steps if s is not None)


def _times(step: int | None, factor: int) -> int | None:
    return None if step is None else step * factor


def conjuncts(values: Mapping[ValueId, Value], mask: ValueId) -> list[ValueId]:
    """Return the conditions a mask is made of, without those that always hold."""
    match values[mask].op:
        case Const(value) if value:
            return []
        case Apply("eq", (a, b)) if a == b and not values[a].dtype.is_float:
            return []
        case Apply("and", (a, b)):
            return [*conjuncts(values, a), *conjuncts(values, b)]
        case _:
            return [mask]


def ranking(
    kernel: Kernel, bits: int, values: Mapping[ValueId, Value], strides: Strides
) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """Return the extents of register digits, and those digits in order, on a machine with
    registers of so many bits.
    """
    extent = {d.name: d.extent or 1 for d in kernel.digits if d.role == "reg"}
    found = [(s, w) for s, w in weighted(kernel.body, 1) if isinstance(s, Let | Store)]
    order: list[str] = []
    free = [d for d, n in extent.items() if n > 1]
    while free:
        costs = {
            d: sum(w * _cost(s, d, order, bits, extent, values, strides) for s, w in found)
            for d in free
        }
        # Of equals, the innermost digit: it is the one that lies closest in memory.
        best = min(reversed(free), key=costs.__getitem__)
        order.append(best)
        free.remove(best)
    return extent, tuple(order)


def weighted(body: tuple[Stmt, ...], weight: int) -> Iterator[tuple[Stmt, int]]:
    """Yield every statement with the iterations it is taken to have."""
    for stmt in body:
        yield stmt, weight
        if isinstance(stmt, For | If):
            inner = weight * LOOP_WEIGHT if isinstance(stmt, For) else weight
            yield from weighted(stmt.body, inner)


def digits_of(stmt: Let | Store, values: Mapping[ValueId, Value]) -> frozenset[str]:
    """Return the digits over which a statement does its work."""
    if isinstance(stmt, Let):
        op = stmt.value.op
        return frozenset(values[op.arg].digits if isinstance(op, Reduce) else stmt.value.digits)
    used = (stmt.pointer, stmt.value, *(() if stmt.mask is None else (stmt.mask,)))
    return frozenset(d for v in used for d in values[v].digits)


def _cost(
    stmt: Let | Store,
    lanes: str,
    taken: list[str],
    bits: int,
    extent: Mapping[str, int],
    values: Mapping[ValueId, Value],
    strides: Strides,
) -> float:
    """Return about how many instructions a statement takes with ``lanes`` along the lanes.

    What already lies along a digit chosen before does not count.
    """
    digits = digits_of(stmt, values)
    if digits & set(taken):
        return 0
    if lanes not in digits:
        return prod(extent[d] for d in digits) * _work(stmt)
    rest = prod(extent[d] for d in digits if d != lanes)
    pointer = _pointer(stmt)
    if pointer is not None and strides.of(pointer, lanes) not in (0, 1) and not _unit(stmt, lanes):
        return rest * (GATHER + 1.2 * extent[lanes])
    vectors = ceil(extent[lanes] * _bits(stmt, values) / bits)
    return rest * vectors * _work(stmt)


def _work(stmt: Let | Store) -> float:
    if isinstance(stmt, Let):
        match stmt.value.op:
            case Apply(fn, _) if fn in SLOW and stmt.value.dtype.is_float:
                return SLOW_COST
            case Const() | Coord() | Address():
                return 0.1
            case _:
                return 1
    return 1


def _pointer(stmt: Let | Store) -> ValueId | None:
    if isinstance(stmt, Store):
        return stmt.pointer
    return stmt.value.op.pointer if isinstance(stmt.value.op, Load) else None


def _unit(stmt: Let | Store, digit: str) -> bool:
    return isinstance(stmt, Let) and isinstance(stmt.value.op, Load) and stmt.value.op.unit == digit


def _bits(stmt: Let | Store, values: Mapping[ValueId, Value]) -> int:
    value = stmt.value if isinstance(stmt, Let) else values[stmt.value]
    return max(8, value.dtype.bits)
