"""Statements and operations of a kernel as Triton text."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from hastec.backends.triton import across, memory, ops, pairs
from hastec.backends.triton.inline import reads, used_by
from hastec.backends.triton.lines import Lines
from hastec.backends.triton.physical import Lanes
from hastec.backends.triton.states import Move, in_order, moved, replacing
from hastec.backends.triton.text import PRODUCT, Expr, call, filled, infix
from hastec.diag import InternalError
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    Arrive,
    Carried,
    Carry,
    Const,
    Coord,
    Dot,
    Final,
    For,
    If,
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


class Writer(Lines):
    """Writes the statements of one kernel."""

    __slots__ = ("pairs", "swallowed")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pairs = pairs.pairs_of(self.kernel)
        self.swallowed = frozenset(v for p in self.pairs.values() for v in p.inner)

    # ------------------------------------------------------------------------------ operations
    def expression(self, value: Value, lanes: Lanes) -> Expr:
        """Return what computes a value on ``lanes``."""
        op = value.op
        match op:
            case Const() | SizeArg():
                return self.text(value)
            case Coord(digit):
                return self._coord(digit, lanes)
            case Apply():
                return self._apply(value, op, lanes)
            case Address():
                return self._address(value, op, lanes)
            case Load():
                return memory.load(self, value, op, lanes)
            case Reduce():
                return across.reduce(self, value, op)
            case Scan():
                return across.scan(self, value, op, lanes)
            case Dot():
                return across.dot(self, value, op)
            case Arrive(_, pointer, among):
                return memory.arrive(self, self.plan.values[pointer], among)
            case Carried() | Final():
                raise InternalError(f"state %{value.id} is used outside its loop")
            case _ as never:
                assert_never(never)

    def _coord(self, digit: str, lanes: Lanes) -> Expr:
        d = self.plan.digits[digit]
        if d.role != "thread":
            return call("tl.arange", 0, d.extent)
        expr = call("tl.arange", 0, self.plan.extent(lanes))
        below = self.plan.extent(lanes[lanes.index(digit) + 1 :])
        if below > 1:
            expr = Expr(f"{expr} // {below}", PRODUCT)
        return expr if lanes[0] == digit else infix(expr, "%", Expr(str(d.extent)))

    def _apply(self, value: Value, op: Apply, lanes: Lanes) -> Expr:
        if value.id in self.pairs:
            return pairs.expression(self, value, self.pairs[value.id], lanes)
        shape = self.plan.shape_of(value.digits, lanes)
        operands = [self.plan.values[a] for a in op.args]
        if op.fn == "shr" and not lanes and (bits := self._part(value, *operands)):
            self.helpers["_parts"] = None
            count = self.plan.digits[value.digits[-1]].extent
            parts = call("_parts", self.text(operands[0]), bits, count)
            return call("tl.reshape", parts, self.plan.sizes(shape))
        args = [self.at(v, shape, lanes) for v in operands]
        first = operands[0]
        if isinstance(first.op, Const) and all(isinstance(v.op, Const) for v in operands):
            args[0] = filled("[]", first.op.value, first.dtype)
        expr, helper = ops.call(op.fn, args, operands, value.dtype, self.popc)
        if helper:
            self.helpers[helper] = None
        return expr

    def _part(self, value: Value, word: Value, shift: Value) -> int:
        """Return the bits of a part if a value is all parts of a word along a tile, or 0."""
        op, values = shift.op, self.plan.values
        if (
            not isinstance(op, Apply)
            or op.fn != "mul"
            or (*word.digits, *shift.digits) != (value.digits)
        ):
            return 0
        digit, bits = (values[a].op for a in op.args)
        if not isinstance(digit, Coord) or not isinstance(bits, Const) or not word.digits:
            return 0
        tile = self.plan.digits[digit.digit]
        whole = int(bits.value) * (tile.extent or 0) == 8 * word.dtype.bytes
        return int(bits.value) if tile.role == "block" and whole else 0

    def _address(self, value: Value, op: Address, lanes: Lanes) -> Expr:
        shape = self.plan.shape_of(value.digits, lanes)
        if isinstance(op.base, str):
            start = Expr(self.names.arguments[op.base])
        else:
            start = self.at(self.plan.values[op.base], shape, lanes)
        if op.offset is None:
            return start
        return infix(start, "+", self.at(self.plan.values[op.offset], shape, lanes))

    # ------------------------------------------------------------------------------ statements
    def block(self, body: tuple[Stmt, ...]) -> None:
        """Write statements."""
        for stmt in body:
            used = used_by(stmt, self.plan.values)
            match stmt:
                case Let(value):
                    self._let(value)
                case Store():
                    self.statement(used, partial(memory.store, self, stmt), stmt.span)
                case If(condition, inner):
                    test = self.plan.values[condition]
                    self._ready(inner)
                    self.statement(used, partial(self._test, test), None)
                    self._inside(inner)
                case For():
                    self._for(stmt)
                case _ as never:
                    assert_never(never)

    def _let(self, value: Value) -> None:
        """Define a value; what is cheap waits until something needs it."""
        if isinstance(value.op, Apply | Address):
            self.late[value.id] = value
            return
        if isinstance(value.op, Arrive):
            self.write("tl.debug_barrier()  # every thread has stored its part")
        counts = (value.id, self.lanes(value)) in self.held  # a loop, or programs
        if not counts and not isinstance(value.op, Const | SizeArg):
            self.define(value, self.lanes(value), self._over(value))

    def _ready(self, body: tuple[Stmt, ...], last: tuple[ValueId, ...] = ()) -> None:
        """Define what a block reads and what waits outside it."""
        read = {u for stmt in statements(body) for u in self._reads(stmt)}
        for value in [v for v in self.late.values() if v.id in read or v.id in last]:
            self.text(value)

    def _reads(self, stmt: Stmt) -> tuple[ValueId, ...]:
        """Return the values whose text a statement holds; parts of a word need no shift."""
        if isinstance(stmt, Let) and stmt.value.id in self.swallowed:
            return ()
        if isinstance(stmt, Let) and stmt.value.id in self.pairs:
            return (self.pairs[stmt.value.id].word,)
        if isinstance(stmt, Let) and isinstance(stmt.value.op, Apply) and stmt.value.op.fn == "shr":
            args = [self.plan.values[a] for a in stmt.value.op.args]
            if not self.lanes(stmt.value) and self._part(stmt.value, *args):
                return stmt.value.op.args[:1]
        return reads(stmt, self.plan.values)

    def _inside(self, body: tuple[Stmt, ...]) -> None:
        """Write a block one step to the right; what it defines is forgotten after it."""
        held, spread, start = dict(self.held), dict(self.spread), len(self.out)
        self.depth += 1
        self.block(body)
        if len(self.out) == start:
            self.write("pass")
        self.depth -= 1
        self.held, self.spread = held, spread

    def _for(self, stmt: For) -> None:
        values = self.plan.values
        for state in stmt.carries:
            inside, init = values[state.inside], values[state.init]
            name = self.names.of(inside)
            self.statement((init.id,), partial(self._before, name, init, inside), None)
            self.held[inside.id, self.lanes(inside)] = Expr(name)
        self._ready(stmt.body, tuple(c.next for c in stmt.carries))
        counter = self.names.fresh(stmt.digit)
        bounds = values[stmt.lo], values[stmt.hi]
        self.statement((stmt.lo, stmt.hi), partial(self._head, stmt, counter, *bounds), stmt.span)
        held, spread = dict(self.held), dict(self.spread)
        self.held.update(((c.id, ()), Expr(counter)) for c in self._counters(stmt))
        self.replaced.update(replacing(stmt, values))
        self.depth += 1
        start = len(self.out)
        self.block(stmt.body)
        self._advance(stmt)
        if len(self.out) == start:
            self.write("pass")
        self.depth -= 1
        self.held, self.spread = held, spread
        for state in stmt.carries:
            lanes = self.lanes(values[state.inside])
            self.held[state.after, lanes] = self.held[state.inside, lanes]

    def _over(self, value: Value) -> str:
        """Return the name of the state a value may be written over at once, or ""."""
        state = self.replaced.get(value.id)
        if state is None or value.id in self.inline:
            return ""
        inside, own = self.plan.values[state], arguments(value.op)
        name = self.held[state, self.lanes(inside)].text
        if not self._settled(state, value):
            return ""
        alike = self.plan.shape(value) == self.plan.shape(inside)
        read = any(e.uses(name) for (v, _), e in self.pending.items() if v not in own)
        return name if alike and not read else ""

    def _settled(self, state: ValueId, value: Value) -> bool:
        """Define what waits and reads a state that ``value`` is to be written over.

        Return whether that was possible: what has no name of its own goes on waiting.
        """
        own, readers = set(arguments(value.op)), dict[ValueId, Value]()
        for late in self.late.values():
            if any(u == state or u in readers for u in arguments(late.op)):
                readers[late.id] = late
        others = [v for v in readers.values() if v.id not in own]
        if any(v.id in self.inline for v in others):
            return False
        for other in others:
            self.text(other)
        return True

    def _advance(self, stmt: For) -> None:
        """Give every state its next value."""
        moves = [m for c in stmt.carries if (m := self._move(c)) is not None]
        self.consume(c.next for c in stmt.carries)
        for line in in_order(moves):
            self.write(line)

    def _move(self, carry: Carry) -> Move | None:
        inside, after = self.plan.values[carry.inside], self.plan.values[carry.next]
        lanes, shape = self.lanes(inside), self.plan.shape(inside)
        name = self.held[carry.inside, lanes].text
        expr = self.broadcast(after, shape, lanes)
        return None if expr.text == name else moved(name, expr)

    def _head(self, stmt: For, counter: str, lo: Value, hi: Value) -> str:
        bounds = [self.text(lo), self.text(hi)]
        if stmt.stages > 1:
            bounds.append(Expr(f"num_stages={stmt.stages}"))
        if stmt.unroll > 1:
            bounds.append(Expr(f"loop_unroll_factor={stmt.unroll}"))
        return f"for {counter} in {call('tl.range' if len(bounds) > 2 else 'range', *bounds)}:"

    def _counters(self, stmt: For) -> list[Value]:
        found = self.plan.values.values()
        return [v for v in found if isinstance(v.op, Coord) and v.op.digit == stmt.digit]

    def _test(self, condition: Value) -> str:
        return f"if {self.text(condition)}:"

    def _before(self, name: str, init: Value, inside: Value) -> str:
        return f"{name} = {self._start(init, inside)}"

    def _start(self, init: Value, inside: Value) -> Expr:
        """Return what a state is before the loop, in the shape it has inside."""
        shape, lanes = self.plan.shape(inside), self.lanes(inside)
        if isinstance(init.op, Const):
            return filled(self.plan.sizes(shape), init.op.value, inside.dtype)
        return self.broadcast(init, shape, lanes)
