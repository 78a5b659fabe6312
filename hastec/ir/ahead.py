"""Loads of the next iteration, made one iteration early and carried in registers.

What a loop reads at places that follow from its counter alone can be on its way while the
iteration before still computes. Nothing else changes: the kernel means the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hastec.diag.span import Span
from hastec.ir.index import Interval, ValueId
from hastec.ir.kernel import (
    Address,
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
    Value,
    ValueOp,
    arguments,
    statements,
)
from hastec.ir.types import BOOL, DType

EARLY = 2
"""Stages of a loop that mean this."""


def ahead(kernel: Kernel) -> Kernel:
    """Return the kernel with the loads of innermost loops of two stages made early."""
    if not any(isinstance(s, For) and s.stages == EARLY for s in statements(kernel.body)):
        return kernel
    work = _Early(kernel)
    body = tuple(work.block(kernel.body))
    carried = tuple(work.values[v] for v in work.carried)
    return replace(kernel, body=body, carried=carried)


class _Early:
    """Rewrites loops; ``carried`` lists the states they have then."""

    def __init__(self, kernel: Kernel) -> None:
        self.values = kernel.values()
        self.carried = dict.fromkeys(v.id for v in kernel.carried)
        self.made: list[Stmt] = []
        self.copies: dict[ValueId, ValueId] = {}

    def block(self, body: tuple[Stmt, ...]) -> Iterator[Stmt]:
        for stmt in body:
            match stmt:
                case For() if stmt.stages == EARLY:
                    yield from self.loop(stmt)
                case For() | If():
                    yield replace(stmt, body=tuple(self.block(stmt.body)))
                case _:
                    yield stmt

    def loop(self, loop: For) -> Iterator[Stmt]:
        """Yield what comes before a loop, and the loop."""
        mine = {s.value.id: s.value for s in loop.body if isinstance(s, Let)}
        counter = next((v for v in mine.values() if v.op == Coord(loop.digit)), None)
        loads = [v for v in mine.values() if isinstance(v.op, Load) and self.counted(v, mine)]
        loop = replace(loop, stages=1)
        if counter is None or not loads or counter.dtype != self.values[loop.lo].dtype:
            yield loop
            return
        some = self.add(Apply("lt", (loop.lo, loop.hi)), BOOL)
        first = self.at(mine, counter.id, loop.lo, loads, some)
        one = self.add(Const(1), counter.dtype, bounds=(1, 1))
        last = self.add(Apply("sub", (loop.hi, one)), counter.dtype)
        yield from self.made
        self.made = [Let(counter)]
        following = self.add(Apply("add", (counter.id, one)), counter.dtype)
        # The last iteration reads its own places again: cheaper than asking whether to read.
        place = self.add(Apply("min", (following, last)), counter.dtype)
        nexts = self.at(mine, counter.id, place, loads)
        pairs = zip(loads, first, nexts, strict=True)
        states = tuple(self.state(loop, n, pair) for n, pair in enumerate(pairs))
        gone = {v.id for v in loads} | {counter.id}
        rest = (s for s in loop.body if not (isinstance(s, Let) and s.value.id in gone))
        yield replace(loop, body=(*self.made, *rest), carries=(*loop.carries, *states))
        self.made = []

    def counted(self, value: Value, mine: dict[ValueId, Value]) -> bool:
        """Whether the operands of a load follow from the counter and what is outside the loop."""
        todo = list(arguments(value.op))
        while todo:
            at = self.values[todo.pop()]
            if isinstance(at.op, Carried):
                return False
            if at.id in mine:
                if not isinstance(at.op, Apply | Address | Coord | Const):
                    return False
                todo += arguments(at.op)
        return True

    def at(
        self,
        mine: dict[ValueId, Value],
        counter: ValueId,
        place: ValueId,
        loads: list[Value],
        some: ValueId | None = None,
    ) -> list[ValueId]:
        """Make the loads of the iteration ``place``, if there are ``some``; return their values."""
        self.copies = {counter: place}
        found = []
        for load in loads:
            assert isinstance(load.op, Load)
            pointer, mask = self.copy(load.op.pointer, mine), some
            if load.op.mask is not None:
                mask = self.copy(load.op.mask, mine)
                if some is not None:
                    mask = self.add(Apply("and", (mask, some)), BOOL, self.values[mask].digits)
            op = replace(load.op, pointer=pointer, mask=mask)
            found.append(self.add(op, load.dtype, load.digits, load.hint, load.bounds, load.span))
        return found

    def copy(self, value: ValueId, mine: dict[ValueId, Value]) -> ValueId:
        """Return a value at another iteration."""
        if value not in mine or value in self.copies:
            return self.copies.get(value, value)
        v = mine[value]
        op = _with(v.op, tuple(self.copy(a, mine) for a in arguments(v.op)))
        self.copies[value] = self.add(op, v.dtype, v.digits, v.hint, None, v.span)
        return self.copies[value]

    def add(
        self,
        op: ValueOp,
        dtype: DType,
        digits: tuple[str, ...] = (),
        hint: str = "",
        bounds: Interval | None = None,
        span: Span | None = None,
    ) -> ValueId:
        """Define a value; returns its number."""
        number = max(self.values) + 1
        self.values[number] = Value(number, op, dtype, digits, hint, bounds, span)
        self.made.append(Let(self.values[number]))
        return number

    def state(self, loop: For, n: int, pair: tuple[Value, ValueId, ValueId]) -> Carry:
        """Return the state that hands a load on to the next iteration under the load's name."""
        load, init, then = pair
        after, position = max(self.values) + 1, len(loop.carries) + n
        self.values[load.id] = replace(load, op=Carried(loop.digit, position))
        self.values[after] = replace(load, id=after, op=Final(loop.digit, position))
        self.carried[load.id] = self.carried[after] = None
        return Carry(init, then, load.id, after)


def _with(op: ValueOp, args: tuple[ValueId, ...]) -> ValueOp:
    """Return an operation on other operands."""
    match op:
        case Apply(fn, _):
            return Apply(fn, args)
        case Address(base, offset):
            if isinstance(base, str):
                return Address(base, None if offset is None else args[0])
            return Address(args[0], None if offset is None else args[1])
        case _:
            return op
