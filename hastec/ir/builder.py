"""Builds kernels: shares equal definitions and puts each where its operands first exist.

A definition has no chosen place. The builder looks an operation up by its operands and, if it is
new, puts it into the outermost block in which all operands are defined. Common subexpressions and
loop invariants therefore need no pass, and levels may be written naively.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from hastec.diag.diagnostic import InternalError
from hastec.ir.define import Block, Loop
from hastec.ir.indexing import Indexing
from hastec.ir.kernel import (
    Carried,
    Carry,
    Digit,
    Dot,
    Final,
    For,
    If,
    Kernel,
    Reduce,
    Scan,
    Value,
)
from hastec.ir.prune import prune
from hastec.ir.types import F32
from hastec.sym.size import Size


class Builder(Indexing):
    """Collects one kernel. Not shared between kernels; nothing outlives :meth:`finish`."""

    # ------------------------------------------------------------------------- across digits
    def reduce(self, monoid: str, value: Value, digits: Iterable[str], hint: str = "") -> Value:
        """Return ``value`` merged over those of ``digits`` it varies over.

        What a thread holds is merged first, so that fewer values cross threads: register digits
        before thread digits, and the last digit of a tile before the others.
        """
        mine = [d for d in value.digits if d in set(digits)]
        tile = [d for d in mine if self.digits[d].role == "block"]
        if tile == mine:
            mine.reverse()
        over = tuple(sorted(mine, key=lambda d: self.digits[d].role == "thread"))
        if not over:
            return value
        left = tuple(d for d in value.digits if d not in over)
        bounds = value.bounds if monoid in ("max", "min") else None
        return self.define(
            Reduce(monoid, value.id, over), value.dtype, left, hint or monoid, bounds
        )

    def scan(self, monoid: str, value: Value, digit: str, hint: str = "") -> Value:
        """Return the inclusive prefix of ``value`` along a digit."""
        op = Scan(monoid, value.id, digit)
        return self.define(op, value.dtype, value.digits, hint or "prefix")

    def dot(self, left: Value, right: Value, acc: Value | None, over: Iterable[str]) -> Value:
        """Return the sum of products over block digits, plus ``acc``."""
        names = tuple(over)
        digits = [d for d in self.digits_of(left, right) if d not in names]
        op = Dot(left.id, right.id, None if acc is None else acc.id, names)
        return self.define(op, acc.dtype if acc is not None else F32, digits, "dot")

    # ------------------------------------------------------------------------------- control
    @contextmanager
    def loop(self, digit: str, lo: Value, hi: Value, rare: bool = False) -> Iterator[Loop]:
        """Open a loop over a digit; definitions that need it land inside."""
        outer, span = self.block, self.span
        around = self.loops.get(digit)
        first = lo.bounds or self.size_bound
        last = hi.bounds or self.size_bound
        bounds = first[0], max(first[0], last[1] - 1)
        loop = Loop(self._own_digit(digit), Block(outer, outer.depth + 1), digit, bounds)
        self.loops[digit] = self.open[loop.digit] = loop
        self.block = loop.block
        yield loop
        self.block = outer
        del self.loops[digit], self.open[loop.digit]
        if around is not None:
            self.loops[digit] = around
        carries = []
        for init, inside, after, final in loop.states:
            if after is None:
                raise InternalError(f"a state of loop {digit} is never replaced")
            carries.append(Carry(init.id, after.id, inside.id, final.id))
        body = tuple(loop.block.stmts)
        outer.stmts.append(
            For(loop.digit, lo.id, hi.id, body, tuple(carries), rare=rare, span=span)
        )

    def digit(self, digit: Digit) -> str:
        """Declare a digit that no schedule has (again is fine) and return its name."""
        known = self.digits.setdefault(digit.name, digit)
        if known != digit:
            raise InternalError(f"digit {digit.name} is two things")
        self.order.setdefault(digit.name, len(self.order))
        return digit.name

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Share no computation of the blocks around this one with what is built inside."""
        outer, self.floor = self.floor, self.block
        yield
        self.floor = outer

    @contextmanager
    def instead(self, loops: Mapping[str, str]) -> Iterator[None]:
        """Take the coordinate of an open loop for that of a digit, inside."""
        outer, self.taken = self.taken, {**self.taken, **loops}
        yield
        self.taken = outer

    def turn_of(self, name: str) -> str:
        """Return the loop digit that takes the coordinates of a register digit in turns."""
        digit = f"{name}_turn"
        if digit not in self.digits:
            self.digits[digit] = Digit(digit, "loop")
            self.order[digit] = len(self.order)
        return digit

    def _own_digit(self, digit: str) -> str:
        """Return a digit for one more loop over ``digit``: itself first, then copies of it."""
        n = self.opened.get(digit, 0)
        self.opened[digit] = n + 1
        if n == 0:
            return digit
        name = f"{digit}_{n}"
        self.digits[name] = replace(self.digits[digit], name=name)
        self.order[name] = len(self.order)
        return name

    def carry(self, loop: Loop, init: Value, digits: Iterable[str] = (), hint: str = "") -> Value:
        """Add a state to a loop, return its value inside; ``digits`` are those ``init`` lacks."""
        spread = (*init.digits, *digits)
        n = len(loop.states)
        inside = self._new(Carried(loop.digit, n), init.dtype, spread, hint, None, loop.block)
        parent = loop.block.parent
        assert parent is not None
        final = self._new(Final(loop.digit, n), init.dtype, spread, hint, None, parent)
        loop.states.append((init, inside, None, final))
        return inside

    def update(self, loop: Loop, inside: Value, value: Value) -> Value:
        """Say what a state becomes after each iteration; returns its value after the loop."""
        for n, (init, mine, _, final) in enumerate(loop.states):
            if mine.id == inside.id:
                loop.states[n] = (init, mine, value, final)
                return final
        raise InternalError("not a state of this loop")

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Run statements only where a scalar condition holds."""
        outer = self.block
        self.block = Block(outer, outer.depth + 1)
        yield
        body = tuple(self.block.stmts)
        self.block = outer
        outer.stmts.append(If(condition.id, body))

    def finish(self, grid: Iterable[tuple[str, Size]]) -> Kernel:
        """Return the kernel, without definitions nobody uses."""
        order = tuple(grid)
        for _, size in order:
            self.sizes.update(dict.fromkeys(size.names()))
        kernel = Kernel(
            self.name,
            tuple(self.tables.values()),
            tuple(self.sizes),
            tuple(self.digits.values()),
            order,
            self.threads,
            tuple(self.root.stmts),
            tuple(v for v in self.values.values() if isinstance(v.op, Carried | Final)),
            tuple(self.requires),
            self.wide,
        )
        return prune(kernel, self.values)
