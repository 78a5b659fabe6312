"""Which register digit becomes the lanes of a vector, value by value.

Every value varies over some register digits. One of them may lie along the lanes of vectors, the
others are unrolled. Digits are ranked once for the kernel by what the code would cost; a value
lies along the first ranked digit it varies over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hastec.cost.lanes import AT_HAND, Strides, conjuncts, digits_of, ranking, weighted
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    Coord,
    For,
    If,
    Kernel,
    Let,
    Load,
    SizeArg,
    Stmt,
    Store,
    Value,
    arguments,
)
from hastec.ir.types import BF16, F16, Kind


@dataclass(frozen=True, slots=True)
class Layout:
    """``lanes`` names the digit along the lanes of each value, "" if its parts are scalars."""

    extent: Mapping[str, int]
    order: tuple[str, ...]
    lanes: Mapping[ValueId, str]
    strides: Strides
    easily: frozenset[ValueId]
    exact: frozenset[ValueId] = frozenset()
    gathers: bool = True

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

    def apart(self, values: Mapping[ValueId, Value], load: Load, along: str) -> bool:
        """Return whether elements that a load takes from scattered addresses are read one by one,
        their addresses computed one by one as well: where scalar registers hold all of them, and
        it is easy to tell which are masked.
        """
        step = self.strides.of(load.pointer, along) if along else 0
        if self.gathers or step in (0, 1) or load.unit == along or self.extent[along] > AT_HAND:
            return False
        masks = [] if load.mask is None else conjuncts(values, load.mask)
        return all(self.easy(m) or along not in values[m].digits for m in masks)

    def along(self, digits: frozenset[str]) -> str:
        """Return the digit along the lanes of what varies over ``digits``."""
        return next((d for d in self.order if d in digits), "")


def choose(kernel: Kernel, bits: int, gathers: bool = True) -> Layout:
    """Return the layout of a kernel's values on a machine with registers of so many bits.

    One that ``gathers`` reads the lanes of a vector from scattered addresses, and parts of a run
    of narrow elements, at once; others read them one by one.
    """
    values = kernel.values()
    strides = Strides(values)
    extent, order = ranking(kernel, bits, values, strides)
    lanes = {v.id: next((d for d in order if d in v.digits), "") for v in values.values()}
    whole = Layout(extent, order, lanes, strides, _easily(values), _exact(values), gathers)
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
    statements = [s for s, _ in weighted(kernel.body, 1)]
    for loop in statements:
        for carry in loop.carries if isinstance(loop, For) else ():
            for used in (carry.init, carry.next):
                users.setdefault(used, []).append(lanes[carry.inside])
    for stmt in reversed(statements):
        if isinstance(stmt, Let):
            wanted, mine = users.get(stmt.value.id, []), lanes[stmt.value.id]
            if mine and wanted and mine not in wanted and _cheap(stmt.value, values, layout):
                lanes[stmt.value.id] = ""
        for used, along in _uses(stmt, values, lanes, users, layout):
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
            run = run and (layout.gathers or value.dtype.bits >= 32)
            return not run and layout.easy(mask)
        case Apply("cast", (arg,)) if isinstance(values[arg].op, Load):
            return not value.dtype.is_float or values[arg].dtype in (F16, BF16)
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
    layout: Layout,
) -> Iterator[tuple[ValueId, str]]:
    """Yield what a statement uses, each with the digit that lies along the lanes there."""
    match stmt:
        case Let(value):
            for used in arguments(value.op):
                match value.op:
                    case Address():
                        # Addresses are summed where they are used.
                        yield from ((used, along) for along in users.get(value.id, []))
                    case Load() as load if layout.apart(values, load, lanes[value.id]):
                        yield used, ""
                    case Apply() | Load():
                        yield used, lanes[value.id]
                    case _:
                        yield used, lanes[used]
        case Store():
            digits = digits_of(stmt, values)
            along = next((d for d in layout.order if d in digits), "")
            yield stmt.pointer, along
            yield stmt.value, along
            if stmt.mask is not None:
                yield stmt.mask, along
        case If() | For():
            return
