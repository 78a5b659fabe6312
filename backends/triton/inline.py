"""Which values need no name of their own: cheap ones used once, in the block that defines them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    For,
    If,
    Kernel,
    Let,
    Stmt,
    Store,
    Value,
    arguments,
)


def inlined(kernel: Kernel) -> frozenset[ValueId]:
    """Return the values to write where they are used.

    Loads, and what crosses threads, keep their order: machines overlap them as they are written.
    """
    uses: Counter[ValueId] = Counter()
    close: dict[ValueId, None] = {}
    _visit(kernel.body, (), kernel.values(), uses, close)
    return frozenset(v for v in close if uses[v] == 1)


def _visit(
    body: tuple[Stmt, ...],
    last: tuple[ValueId, ...],
    values: Mapping[ValueId, Value],
    uses: Counter[ValueId],
    close: dict[ValueId, None],
) -> None:
    """Count uses in a block and those inside it; ``last`` is what a loop hands on at its end."""
    cheap = {s.value.id for s in body if isinstance(s, Let) and _cheap(s.value)}
    for used in (*(u for s in body for u in used_by(s, values)), *last):
        uses[used] += 1
        if used in cheap:
            close[used] = None
    for stmt in body:
        if isinstance(stmt, For):
            _visit(stmt.body, tuple(c.next for c in stmt.carries), values, uses, close)
        elif isinstance(stmt, If):
            _visit(stmt.body, (), values, uses, close)


def used_by(stmt: Stmt, values: Mapping[ValueId, Value]) -> tuple[ValueId, ...]:
    """Return the values a statement's text holds, as often as it does; of a loop, its head's."""
    match stmt:
        case Let(Value(op=Apply("cast", (arg,)), dtype=dtype)) if dtype.is_integer:
            # The limits of an integer are tested one by one.
            return (arg, arg) if values[arg].dtype.is_float else (arg,)
        case Let(value):
            return arguments(value.op)
        case Store(_, pointer, value_, mask):
            return (pointer, value_) if mask is None else (pointer, value_, mask)
        case If(condition, _):
            return (condition,)
        case For():
            return (stmt.lo, stmt.hi, *(c.init for c in stmt.carries))


def reads(stmt: Stmt, values: Mapping[ValueId, Value]) -> tuple[ValueId, ...]:
    """Return the values a statement uses, of a loop those it hands on as well."""
    more = tuple(c.next for c in stmt.carries) if isinstance(stmt, For) else ()
    return (*used_by(stmt, values), *more)


def _cheap(value: Value) -> bool:
    return isinstance(value.op, Apply | Address)
