"""Which tensor shape carries a value: the digits of each dimension, and conversions between them.

Triton infers how tensors are spread over threads from their shapes, so the shapes are chosen such
that its default spread *is* the kernel's plan: all thread digits form one fused dimension, the
fastest one but for a register digit with unit stride behind it; several register digits are fused
in front of it. Matrix tiles (block digits) are plain dimensions in the kernel's order.

After a reduction over some thread digits a value lives on the smaller fused dimension of those
that are left; what it is combined with is converted to that.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import prod
from typing import TypeAlias

from hastec.backends.triton.text import Expr, call, listed
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Carried,
    Const,
    Coord,
    Final,
    For,
    Kernel,
    Let,
    Load,
    Reduce,
    SizeArg,
    Value,
    arguments,
    statements,
)

Shape: TypeAlias = tuple[tuple[str, ...], ...]
"""The digits of each dimension, the slowest digit first."""

Lanes: TypeAlias = tuple[str, ...]
"""The thread digits a value is spread over, the widest stride first; () for none."""


class Plan:
    """The shapes of all values of one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.values = kernel.values()
        self.digits = {d.name: d for d in kernel.digits}
        threads = [d for d in kernel.digits if d.role == "thread"]
        self.lanes: Lanes = tuple(d.name for d in sorted(threads, key=lambda d: -d.stride))
        self.vector = self._vector()
        self.on: dict[ValueId, Lanes] = {}
        self._settle()

    # -------------------------------------------------------------------------------- shapes
    def extent(self, digits: Iterable[str]) -> int:
        """Return the number of combinations of digits."""
        return prod(self.digits[d].extent or 1 for d in digits)

    def shape(self, value: Value) -> Shape:
        """Return the dimensions that carry a value."""
        return self.shape_of(value.digits, self.on.get(value.id, ()))

    def shape_of(self, digits: tuple[str, ...], lanes: Lanes) -> Shape:
        """Return the dimensions that carry digits spread over lanes."""
        regs = [d for d in digits if self.digits[d].role == "reg" and d != self.vector]
        tail = ((self.vector,),) if self.vector in digits else ()
        block = tuple((d,) for d in digits if self.digits[d].role == "block")
        if lanes and (len(regs) > 1 or (regs and tail)):
            return ((*regs, *lanes), *tail)
        return (*block, *((d,) for d in regs), *((lanes,) if lanes else ()), *tail)

    def sizes(self, shape: Shape) -> str:
        """Return a shape as Triton writes it."""
        return listed(self.extent(dim) for dim in shape)

    def _vector(self) -> str:
        """Return the register digit to keep last: of unit stride beside other register digits."""
        count: dict[str, int] = {}
        for value in self._order():
            if not isinstance(value.op, Load) or not value.op.unit:
                continue
            regs = [d for d in value.digits if self.digits[d].role == "reg"]
            if value.op.unit in regs and len(regs) > 1:
                count[value.op.unit] = count.get(value.op.unit, 0) + 1
        return max(count, key=lambda d: count[d], default="")

    # --------------------------------------------------------------------------------- lanes
    def _settle(self) -> None:
        """Find the lanes of every value; states of loops are settled by iteration."""
        order = self._order()
        states = [s for s in statements(self.kernel.body) if isinstance(s, For)]
        for value in self.kernel.carried:
            self.on[value.id] = self._whole(value)
        for _ in range(4):
            for value in order:
                self.on[value.id] = self._lanes(value)
            before = dict(self.on)
            for loop in states:
                for state in loop.carries:
                    settled = self._joined(state.inside, (state.init, state.next))
                    self.on[state.inside] = self.on[state.after] = settled
            if before == self.on:
                return

    def _order(self) -> list[Value]:
        return [s.value for s in statements(self.kernel.body) if isinstance(s, Let)]

    def _whole(self, value: Value) -> Lanes:
        return self.lanes if set(value.digits) & set(self.lanes) else ()

    def _joined(self, value: ValueId, parts: tuple[ValueId, ...]) -> Lanes:
        digits = set(self.values[value].digits) & set(self.lanes)
        if not digits:
            return ()
        return self._smallest(digits, [self.on[p] for p in parts])

    def _smallest(self, digits: set[str], found: list[Lanes]) -> Lanes:
        """Return the smallest reduced lanes in use that hold ``digits``, else all lanes."""
        reduced = [f for f in found if f and f != self.lanes and digits <= set(f)]
        return min(reduced, key=len, default=self.lanes)

    def _lanes(self, value: Value) -> Lanes:
        digits = set(value.digits) & set(self.lanes)
        op = value.op
        if isinstance(op, Reduce) and set(op.digits) & set(self.lanes):
            kept = set(self.on[op.arg]) - set(op.digits)
            return tuple(d for d in self.lanes if d in kept and d in digits)
        if isinstance(op, Load) and not digits and self._registers(value):
            # Spread over all lanes, or neighbours would share what each of them needs.
            return self.lanes
        if not digits:
            used = [self.on.get(a, ()) for a in arguments(op)]
            return self.lanes if self.lanes in used and self._registers(value) else ()
        if isinstance(op, Const | SizeArg | Coord | Carried | Final):
            return (
                self.on.get(value.id, self.lanes) if isinstance(op, Carried | Final) else self.lanes
            )
        return self._smallest(digits, [self.on.get(a, ()) for a in arguments(op)])

    def _registers(self, value: Value) -> bool:
        return any(self.digits[d].role == "reg" for d in value.digits)

    # --------------------------------------------------------------------------- conversions
    def convert(self, expr: Expr, source: Shape, target: Shape) -> Expr:
        """Return an expression of shape ``source`` in ``target``, up to broadcasting."""
        if source == target or not source:
            return expr
        want = {d for dim in target for d in dim}
        gone = [d for dim in source for d in dim if d not in want]
        expr, source = self._collapse(expr, source, gone)
        have = [d for dim in source for d in dim]
        if not source or source == target:
            return expr
        if all(dim in source or not set(dim) & set(have) for dim in target):
            return indexed(expr, [dim in source for dim in target])
        outer = tuple(dim for dim in target if set(dim) & set(have))
        groups = _groups(source, outer)
        held = tuple(g for g in groups if g[0] in have)
        if held != source:
            expr = self.reshaped(expr, held)
        expr = indexed(expr, [g in held for g in groups])
        if held != groups:
            expr = call("tl.broadcast_to", expr, self.sizes(groups))
        if groups != outer:
            expr = self.reshaped(expr, outer)
        return indexed(expr, [dim in outer for dim in target])

    def reshaped(self, expr: Expr, shape: Shape) -> Expr:
        """Return an expression in a shape of as many elements."""
        return call("tl.reshape", expr, self.sizes(shape))

    def _collapse(self, expr: Expr, source: Shape, gone: list[str]) -> tuple[Expr, Shape]:
        """Drop digits the value does not vary over: all copies are equal, any of them will do."""
        if not gone:
            return expr, source
        flat = [d for dim in source for d in dim]
        if len(flat) > len(source):
            expr = self.reshaped(expr, singles(flat))
        for digit in gone:
            expr = call("tl.max", expr, flat.index(digit))
            flat.remove(digit)
        return expr, singles(flat)


def _groups(source: Shape, target: Shape) -> Shape:
    """Return the digits of ``target`` in runs that lie together in ``source`` as well, or in none.

    The fewer dimensions a tensor takes on its way, the more its spread over threads stays as it is.
    """
    follows = {b: a for dim in source for a, b in pairwise(dim)}
    known = {d for dim in source for d in dim}
    found: list[tuple[str, ...]] = []
    for dim in target:
        first = len(found)
        for digit in dim:
            last = found[-1][-1] if len(found) > first else ""
            together = follows.get(digit) == last if digit in known else last not in known
            if last and together:
                found[-1] = (*found[-1], digit)
            else:
                found.append((digit,))
    return tuple(found)


def singles(digits: Iterable[str]) -> Shape:
    """Return the shape with a dimension for every digit."""
    return tuple((d,) for d in digits)


def indexed(expr: Expr, keep: list[bool]) -> Expr:
    """Return an expression with a new dimension of extent 1 wherever ``keep`` is false."""
    if all(keep):
        return expr
    return Expr(f"{expr.atom}[{', '.join(':' if k else 'None' for k in keep)}]")
