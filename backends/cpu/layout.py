"""Which register digit becomes the lanes of a vector, value by value.

Every value varies over some register digits. One of them may lie along the lanes of vectors, the
others are unrolled. Digits are ranked once for the kernel by what the code would cost; a value
lies along the first ranked digit it varies over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
    SizeArg,
    Stmt,
    Store,
    Value,
    arguments,
)
from hastec.ir.types import Kind

LOOP_WEIGHT = 16
"""How many iterations a loop is taken to have."""
SLOW = ("exp", "exp2", "log", "log2", "sin", "cos", "erf", "div", "mod", "sqrt", "rsqrt")
SLOW_COST = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """``lanes`` names the digit along the lanes of each value, "" if its parts are scalars."""

    extent: Mapping[str, int]
    order: tuple[str, ...]
    lanes: Mapping[ValueId, str]
    strides: Strides
    easily: frozenset[ValueId]
    exact: frozenset[ValueId] = frozenset()

    def easy(self, value: ValueId) -> bool:
        """Return whether an element of a value is cheap to compute by itself: an integer or a
        truth value made of coordinates and scalars.
        """
        return value in self.easily

    def whole(self, value: ValueId) -> bool:
        """Return whether a sum or product is known not to wrap where it is part of an address:
        by its bounds, or as a multiple of a size, whose table would not fit otherwise.
        """
        return value in self.exact

    def along(self, digits: frozenset[str]) -> str:
        """Return the digit along the lanes of what varies over ``digits``."""
        return next((d for d in self.order if d in digits), "")


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


def choose(kernel: Kernel, bits: int) -> Layout:
    """Return the layout of a kernel's values on a machine with registers of so many bits."""
    values = kernel.values()
    strides = Strides(values)
    extent = {d.name: d.extent or 1 for d in kernel.digits if d.role == "reg"}
    weighted = [(s, w) for s, w in _weighted(kernel.body, 1) if isinstance(s, Let | Store)]
    order: list[str] = []
    free = [d for d, n in extent.items() if n > 1]
    while free:
        costs = {
            d: sum(w * _cost(s, d, order, bits, extent, values, strides) for s, w in weighted)
            for d in free
        }
        # Of equals, the innermost digit: it is the one that lies closest in memory.
        best = min(reversed(free), key=costs.__getitem__)
        order.append(best)
        free.remove(best)
    lanes = {v.id: next((d for d in order if d in v.digits), "") for v in values.values()}
    whole = Layout(extent, tuple(order), lanes, strides, _easily(values), _exact(values))
    return replace(whole, lanes=_unrolled(kernel, values, whole))


EASY = (
    *("add", "sub", "mul", "min", "max", "neg", "lt", "le", "gt", "ge", "eq", "ne"),
    *("and", "or", "not", "cast", "bitand", "bitor", "bitxor"),
)


def _easily(values: Mapping[ValueId, Value]) -> frozenset[ValueId]:
    """Return the values of :meth:`Layout.easy`; operands have lower ids than what uses them or
    are no candidates.
    """
    found: set[ValueId] = set()
    for value in values.values():
        match value.op:
            case Coord():
                found.add(value.id)
            case Apply(fn, args) if fn in EASY and not value.dtype.is_float:
                plain = (not values[a].dtype.is_float for a in args)
                known = (a in found or not values[a].digits for a in args)
                if all(plain) and all(known):
                    found.add(value.id)
            case _:
                pass
    return frozenset(found)


def _exact(values: Mapping[ValueId, Value]) -> frozenset[ValueId]:
    """Return the values of :meth:`Layout.whole`."""
    sizes, found = set[ValueId](), set[ValueId]()
    for value in values.values():
        match value.op:
            case SizeArg():
                sizes.add(value.id)
            case Apply("add" | "sub" | "mul", args):
                limit = 1 << (value.dtype.bits - 1)
                bounds = value.bounds
                fits = bounds is not None and -limit <= bounds[0] and bounds[1] < limit
                if value.dtype.kind is Kind.INT and (fits or sizes & set(args)):
                    found.add(value.id)
                if sizes & set(args):
                    sizes.add(value.id)
            case _:
                pass
    return frozenset(found)


def _weighted(body: tuple[Stmt, ...], weight: int) -> Iterator[tuple[Stmt, int]]:
    for stmt in body:
        yield stmt, weight
        if isinstance(stmt, For | If):
            inner = weight * LOOP_WEIGHT if isinstance(stmt, For) else weight
            yield from _weighted(stmt.body, inner)


def _digits(stmt: Let | Store, values: Mapping[ValueId, Value]) -> frozenset[str]:
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
    digits = _digits(stmt, values)
    if digits & set(taken):
        return 0
    if lanes not in digits:
        return prod(extent[d] for d in digits) * _work(stmt)
    rest = prod(extent[d] for d in digits if d != lanes)
    pointer = _pointer(stmt)
    if pointer is not None and strides.of(pointer, lanes) not in (0, 1) and not _unit(stmt, lanes):
        return rest * extent[lanes] * 1.2
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


# -------------------------------------------------------------------------------------- scalars
def _unrolled(
    kernel: Kernel, values: Mapping[ValueId, Value], layout: Layout
) -> Mapping[ValueId, str]:
    """Return the lanes without those of values whose every user wants one element at a time.

    An element broadcast from memory, or an address computed by itself, is cheaper than a lane
    taken out of a vector. Users come before what they use.
    """
    lanes = dict(layout.lanes)
    users: dict[ValueId, list[str]] = {}
    statements = [s for s, _ in _weighted(kernel.body, 1)]
    for loop in statements:
        for carry in loop.carries if isinstance(loop, For) else ():
            for used in (carry.init, carry.next):
                users.setdefault(used, []).append(lanes[carry.inside])
    for stmt in reversed(statements):
        if isinstance(stmt, Let):
            wanted, mine = users.get(stmt.value.id, []), lanes[stmt.value.id]
            if mine and wanted and mine not in wanted and _cheap(stmt.value, values, layout):
                lanes[stmt.value.id] = ""
        for used, along in _uses(stmt, values, lanes, users, layout.order):
            users.setdefault(used, []).append(along)
    return lanes


def _cheap(value: Value, values: Mapping[ValueId, Value], layout: Layout) -> bool:
    """Return whether the elements of a value may as well be computed one by one."""
    digit = layout.lanes[value.id]
    match value.op:
        case Load(_, pointer, mask, _, unit, _):
            masks = [] if mask is None else conjuncts(values, mask)
            if mask is None or not any(digit in values[m].digits for m in masks):
                return True
            # A masked run is one instruction; scattered elements never are.
            run = unit == digit or layout.strides.of(pointer, digit) == 1
            return not run and layout.easy(mask)
        case Apply():
            return not value.dtype.is_float
        case Coord():
            return True
        case _:
            return False


def _uses(
    stmt: Stmt,
    values: Mapping[ValueId, Value],
    lanes: Mapping[ValueId, str],
    users: Mapping[ValueId, list[str]],
    order: tuple[str, ...],
) -> Iterator[tuple[ValueId, str]]:
    """Yield what a statement uses, each with the digit that lies along the lanes there."""
    match stmt:
        case Let(value):
            for used in arguments(value.op):
                match value.op:
                    case Address():
                        # Addresses are summed where they are used.
                        yield from ((used, along) for along in users.get(value.id, []))
                    case Apply() | Load():
                        yield used, lanes[value.id]
                    case _:
                        yield used, lanes[used]
        case Store():
            digits = _digits(stmt, values)
            along = next((d for d in order if d in digits), "")
            yield stmt.pointer, along
            yield stmt.value, along
            if stmt.mask is not None:
                yield stmt.mask, along
        case If() | For():
            return
