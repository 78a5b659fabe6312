"""A kernel as text, one line a statement, that :mod:`hastec.ir.kernel_read` reads back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    Arrive,
    Carried,
    Carry,
    Const,
    Coord,
    Digit,
    Dot,
    Final,
    For,
    If,
    Kernel,
    Let,
    Load,
    Reduce,
    Scan,
    SizeArg,
    Stmt,
    Store,
    Table,
    Value,
    ValueOp,
)
from hastec.ir.lex import quoted, show_span
from hastec.ir.show import show_number


def show_kernel(kernel: Kernel) -> str:
    """Return ``kernel`` as text: its declarations, then its statements with their places."""
    lines = [*_declarations(kernel), "", *show_body(kernel.body)]
    text = "".join(f"  {line}\n" if line else "\n" for line in lines)
    return f"kernel {quoted(kernel.name)} {{\n{text}}}\n"


def _declarations(kernel: Kernel) -> Iterator[str]:
    yield f"threads {kernel.threads}"
    if kernel.wide:
        yield "wide"
    yield from (_table(t) for t in kernel.tables)
    yield from (f"size {quoted(s)}" for s in kernel.sizes)
    yield from (f"digit {show_digit(d)}" for d in kernel.digits)
    yield from (f"grid {quoted(d)} = {size}" for d, size in kernel.grid)
    yield from (f"require {r}" for r in kernel.requires)
    yield from (f"state {show_value(v)}{show_span(v.span)}" for v in kernel.carried)


def _table(table: Table) -> str:
    numel = "" if table.numel is None else f" numel {table.numel}"
    return f"table {quoted(table.name)}: {table.dtype} {table.access} align {table.align}{numel}"


def show_digit(digit: Digit) -> str:
    """Return a digit with every field: ``n: reg 16``, ``t: thread 32 stride 1``."""
    text = f"{quoted(digit.name)}: {digit.role}"
    text += "" if digit.extent is None else f" {digit.extent}"
    return text + (f" stride {digit.stride}" if digit.stride != 1 else "")


# ------------------------------------------------------------------------------------ statements
def show_body(body: tuple[Stmt, ...]) -> Iterator[str]:
    """Yield the lines of a block."""
    for stmt in body:
        yield from show_stmt(stmt)


def show_stmt(stmt: Stmt) -> Iterator[str]:
    """Yield the lines of one statement."""
    match stmt:
        case Let(value):
            yield show_value(value) + show_span(value.span)
        case Store():
            yield _store(stmt) + show_span(stmt.span)
        case If(condition, body):
            yield f"if %{condition} {{"
            yield from (f"  {line}" for line in show_body(body))
            yield "}"
        case For():
            yield f"{_head(stmt)} {{{show_span(stmt.span)}"
            yield from (f"  {line}" for line in show_body(stmt.body))
            yield "}"
        case _ as never:
            assert_never(never)


def _head(loop: For) -> str:
    text = f"for {quoted(loop.digit)} in %{loop.lo} .. %{loop.hi}"
    text += f" stages {loop.stages}" if loop.stages != 1 else ""
    text += f" unroll {loop.unroll}" if loop.unroll != 1 else ""
    text += " rare" if loop.rare else ""
    return text + (" with " + ", ".join(_carry(c) for c in loop.carries) if loop.carries else "")


def _carry(carry: Carry) -> str:
    return f"%{carry.inside} = %{carry.init} next %{carry.next} after %{carry.after}"


def _store(store: Store) -> str:
    text = f"store {quoted(store.table)}[%{store.pointer}] = %{store.value}{_mask(store.mask)}"
    return text + (f" combine {quoted(store.combine)}" if store.combine != "set" else "")


def _mask(mask: ValueId | None) -> str:
    return "" if mask is None else f" mask %{mask}"


# ---------------------------------------------------------------------------------------- values
def show_value(value: Value) -> str:
    """Return a definition: ``%7 acc: f32[m, n] = add(%5, %6)``."""
    hint = f" {quoted(value.hint)}" if value.hint else ""
    digits = f"[{_names(value.digits)}]" if value.digits else ""
    bounds = "" if value.bounds is None else f" in {value.bounds[0]} .. {value.bounds[1]}"
    return f"%{value.id}{hint}: {value.dtype}{digits}{bounds} = {show_op(value.op)}"


def show_op(op: ValueOp) -> str:
    """Return what a definition computes."""
    match op:
        case Const(value):
            return f"const {show_number(value)}"
        case SizeArg(name):
            return f"size {quoted(name)}"
        case Coord(digit):
            return f"coord {quoted(digit)}"
        case Apply(fn, args):
            return f"{quoted(fn)}({', '.join(f'%{a}' for a in args)})"
        case Address(base, offset):
            shown = quoted(base) if isinstance(base, str) else f"%{base}"
            return f"address {shown}" + ("" if offset is None else f" + %{offset}")
        case Load():
            return _load(op)
        case Carried(loop, position):
            return f"carried {quoted(loop)} {position}"
        case Final(loop, position):
            return f"final {quoted(loop)} {position}"
        case Reduce() | Scan() | Dot():
            return _across(op)
        case Arrive(table, pointer, among):
            return f"arrive {quoted(table)}[%{pointer}] among {among}"
        case _ as never:
            assert_never(never)


def _load(op: Load) -> str:
    text = f"load {quoted(op.table)}[%{op.pointer}]{_mask(op.mask)}"
    # The kind of number is kept: 0 and 0.0 print differently.
    text += f" other {show_number(op.other)}" if repr(op.other) != "0" else ""
    text += f" unit {quoted(op.unit)}" if op.unit else ""
    return text + (f" align {op.align}" if op.align != 1 else "")


def _across(op: Reduce | Scan | Dot) -> str:
    match op:
        case Reduce(monoid, arg, digits):
            return f"reduce {quoted(monoid)} %{arg} over {_names(digits)}"
        case Scan(monoid, arg, digit):
            return f"scan {quoted(monoid)} %{arg} over {quoted(digit)}"
        case Dot(left, right, acc, over):
            plus = "" if acc is None else f" acc %{acc}"
            return f"dot %{left} %{right}{plus} over {_names(over)}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(quoted(n) for n in names)
