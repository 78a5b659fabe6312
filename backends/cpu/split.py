"""Runs the iterations of a loop in which a mask holds everywhere without that mask.

before::

    for k in 0 .. ceil(n / 16) { inside = 16 * k + u < n; x = load p mask inside; ... }

after::

    for k in 0 .. n / 16 { x = load p; ... }
    for k in n / 16 .. ceil(n / 16) { inside = 16 * k + u < n; x = load p mask inside; ... }

Only masks of the form ``x < n`` count, where ``n`` does not change in the loop and ``x`` grows by a
constant from one iteration to the next and never shrinks along a register digit: then the number
of full iterations follows from the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hastec.backends.cpu.rename import renamed
from hastec.cost.lanes import Strides, conjuncts
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Apply,
    Carried,
    Carry,
    Const,
    Coord,
    Final,
    For,
    If,
    Kernel,
    Let,
    Load,
    Stmt,
    Store,
    Value,
    ValueOp,
    statements,
)
from hastec.ir.types import DType

FULL = "full"
"""What numbers are called that say how many iterations are full."""


def split_loops(kernel: Kernel) -> Kernel:
    """Return the kernel with every innermost loop split whose masks allow it."""
    made = _Splitter(kernel)
    body = made.block(kernel.body)
    return replace(kernel, body=body, carried=(*kernel.carried, *made.states))


@dataclass(frozen=True, slots=True)
class _Limit:
    """A mask ``left < right``: ``step`` is how much ``left`` grows in an iteration, ``spread`` by
    how much its greatest element exceeds its first.
    """

    mask: ValueId
    left: ValueId
    right: ValueId
    step: int
    spread: int


class _Splitter:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.values = kernel.values()
        self.extent = {d.name: d.extent or 1 for d in kernel.digits}
        self.strides = Strides(self.values)
        self.count = max(self.values, default=0) + 1
        self.states: list[Value] = []

    def fresh(self) -> ValueId:
        self.count += 1
        return self.count - 1

    def block(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        found: list[Stmt] = []
        for stmt in body:
            match stmt:
                case For() if any(isinstance(s, For) for s in statements(stmt.body)):
                    found.append(replace(stmt, body=self.block(stmt.body)))
                case For():
                    found += self.loop(stmt)
                case If(_, inner):
                    found.append(replace(stmt, body=self.block(inner)))
                case Let() | Store():
                    found.append(stmt)
        return tuple(found)

    # ---------------------------------------------------------------------------- one loop
    def loop(self, loop: For) -> list[Stmt]:
        """Return a loop as it is, or what its full iterations need, they, and the rest."""
        inside = {s.value.id: s.value for s in statements(loop.body) if isinstance(s, Let)}
        inside |= {c.inside: self.values[c.inside] for c in loop.carries}
        limits = [x for m in self.masks(loop) if (x := self.limit(m, inside, loop.digit))]
        if not limits:
            return [loop]
        before: list[Stmt] = []
        put = _Puts(self, before)
        middle = self.middle(put, loop, limits, inside)
        full, ends = self.full(loop, middle, {x.mask for x in limits}, inside)
        carries = tuple(replace(c, init=e) for c, e in zip(loop.carries, ends, strict=True))
        return [*before, full, replace(loop, lo=middle, carries=carries)]

    def masks(self, loop: For) -> list[ValueId]:
        """Return the conjuncts of every mask in a loop."""
        found: dict[ValueId, None] = {}
        for stmt in statements(loop.body):
            op = stmt.value.op if isinstance(stmt, Let) else stmt
            if isinstance(op, Load | Store) and op.mask is not None:
                found.update(dict.fromkeys(conjuncts(self.values, op.mask)))
        return list(found)

    def limit(self, mask: ValueId, inside: Mapping[ValueId, Value], digit: str) -> _Limit | None:
        match self.values[mask].op:
            case Apply("lt", (left, right)) if left in inside and right not in inside:
                step = self.step(left, inside, digit)
                strides = [self.strides.of(left, d) for d in self.values[left].digits]
            case _:
                return None
        scalar = not self.values[right].digits
        if not scalar or step is None or step <= 0 or any(s is None or s < 0 for s in strides):
            return None
        reach = zip(strides, self.values[left].digits, strict=True)
        spread = sum((s or 0) * (self.extent[d] - 1) for s, d in reach)
        return _Limit(mask, left, right, step, spread)

    def step(self, value: ValueId, inside: Mapping[ValueId, Value], digit: str) -> int | None:
        """Return by how much an integer grows from one iteration to the next."""
        if value not in inside:
            return 0
        match inside[value].op:
            case Coord(name):
                return int(name == digit)
            case Const():
                return 0
            case Apply("add", (a, b)):
                one, two = self.step(a, inside, digit), self.step(b, inside, digit)
                return None if one is None or two is None else one + two
            case Apply("mul", (a, b)):
                for factor, other in ((a, b), (b, a)):
                    op, step = self.values[factor].op, self.step(other, inside, digit)
                    if isinstance(op, Const) and isinstance(op.value, int) and step is not None:
                        return step * op.value
                return None
            case Apply("cast", (a,)) if self.values[a].dtype.bits <= self.values[value].dtype.bits:
                return self.step(a, inside, digit)
            case _:
                return None

    def middle(
        self, put: _Puts, loop: For, limits: list[_Limit], inside: Mapping[ValueId, Value]
    ) -> ValueId:
        """Return the first iteration that is not full: where the first mask fails."""
        dtype = self.values[loop.lo].dtype
        found = loop.hi
        for limit in limits:
            wide = self.values[limit.left].dtype
            first = put.first(limit.left, inside)
            room = put.apply("sub", wide, limit.right, first)
            room = put.apply("sub", wide, room, put.const(limit.spread - limit.step + 1, wide))
            count = put.apply("div", wide, room, put.const(limit.step, wide))
            count = count if wide == dtype else put.apply("cast", dtype, count)
            found = put.apply("min", dtype, found, count)
        return put.apply("max", dtype, found, loop.lo)

    def full(
        self, loop: For, middle: ValueId, masks: set[ValueId], inside: Mapping[ValueId, Value]
    ) -> tuple[For, list[ValueId]]:
        """Return the loop over full iterations, and the states it ends with."""
        names = {old: self.fresh() for old in inside}
        ends = [self.fresh() for _ in loop.carries]
        body = _unmasked(renamed(loop.body, names), {names[m] for m in masks})
        carries = []
        for n, (carry, end) in enumerate(zip(loop.carries, ends, strict=True)):
            mine = self.values[carry.inside]
            at = names[carry.inside]
            self.states.append(replace(mine, id=at))
            self.states.append(replace(mine, id=end, op=Final(loop.digit, n)))
            following = names.get(carry.next, carry.next)
            carries.append(Carry(carry.init, following, at, end))
            assert mine.op == Carried(loop.digit, n)
        return replace(loop, hi=middle, body=body, carries=tuple(carries)), ends


def _unmasked(body: tuple[Stmt, ...], masks: set[ValueId]) -> tuple[Stmt, ...]:
    """Return a body in which some masks ``x < n`` are ``x == x``: true, varying as before."""
    found: list[Stmt] = []
    for stmt in body:
        match stmt:
            case Let(Value(at, Apply("lt", (left, _))) as value) if at in masks:
                found.append(Let(replace(value, op=Apply("eq", (left, left)))))
            case If(_, inner):
                found.append(replace(stmt, body=_unmasked(inner, masks)))
            case _:
                found.append(stmt)
    return tuple(found)


@dataclass(slots=True)
class _Puts:
    """Appends definitions in front of a loop."""

    splitter: _Splitter
    body: list[Stmt]
    firsts: dict[ValueId, ValueId] = field(default_factory=dict)

    def define(self, op: ValueOp, dtype: DType) -> ValueId:
        value = Value(self.splitter.fresh(), op, dtype, (), FULL)
        self.splitter.values[value.id] = value
        self.body.append(Let(value))
        return value.id

    def const(self, number: int, dtype: DType) -> ValueId:
        return self.define(Const(number), dtype)

    def apply(self, fn: str, dtype: DType, *args: ValueId) -> ValueId:
        return self.define(Apply(fn, args), dtype)

    def first(self, value: ValueId, inside: Mapping[ValueId, Value]) -> ValueId:
        """Return a value where all coordinates, the loop's included, are 0."""
        known = self.splitter.values[value]
        if value not in inside and not known.digits:
            return value
        if value not in self.firsts:
            match known.op:
                case Apply(fn, args):
                    parts = tuple(self.first(a, inside) for a in args)
                    self.firsts[value] = self.define(Apply(fn, parts), known.dtype)
                case Const():
                    self.firsts[value] = self.define(known.op, known.dtype)
                case _:
                    self.firsts[value] = self.const(0, known.dtype)
        return self.firsts[value]
