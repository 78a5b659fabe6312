"""The syntax tree: what a program says, before any name means anything.

Every node has a ``span``; spans take no part in comparison, so two programs that differ only in
layout have equal trees. Chains of operators of one level are flat: depth is nesting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

from hastec.diag import Span


@dataclass(frozen=True, slots=True)
class Ident:
    """A name and where it stands."""

    name: str
    span: Span = field(compare=False)


# ------------------------------------------------------------------------------------- expressions
@dataclass(frozen=True, slots=True)
class Number:
    """``64``, ``30.0``, ``1e-6``."""

    value: int | float
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """``inf``, ``nan``, ``true`` or ``false``."""

    word: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name: an index, a size, a scalar, a pattern."""

    name: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Item:
    """``table[subs]``."""

    table: Ident
    subs: tuple[Expr, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """``a.p`` in a monoid's merge: a field of one of the two states."""

    state: Ident
    name: Ident
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """``-operand``."""

    operand: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """``not operand``."""

    operand: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """``first + a - b`` or ``first * a / b``: operators of one level, carried out left to right."""

    first: Expr
    rest: tuple[tuple[str, Expr], ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """``a and b and c`` or ``a or b``."""

    op: Literal["and", "or"]
    operands: tuple[Expr, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """``first < a <= b``: every neighbouring pair holds."""

    first: Expr
    rest: tuple[tuple[str, Expr], ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """``member in pattern``, or ``member in pattern .. stop`` for a half-open range."""

    member: Expr
    pattern: Expr
    stop: Expr | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Conditional:
    """``then if condition else otherwise``."""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """``(a, b)``: several expressions, left of ``in``."""

    items: tuple[Expr, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Option:
    """``k = 8`` or just ``8`` (no name); ``always condition`` has the name ``always``."""

    name: Ident | None
    value: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """``name(args; options)``: a function, a pattern, a cast; in formats a level or a code."""

    name: Ident
    args: tuple[Expr, ...]
    options: tuple[Option, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Bracket:
    """``name[items](args; options)``: a reduction, or what keeps its index.

    ``open``: written without parentheses, as ``sum[k] a * b``; means the same as with them.
    """

    name: Ident
    items: tuple[Expr, ...]
    args: tuple[Expr, ...]
    options: tuple[Option, ...]
    span: Span = field(compare=False)
    open: bool = field(default=False, compare=False)


Expr: TypeAlias = (
    Number
    | Constant
    | Name
    | Item
    | Field
    | Negate
    | Not
    | Chain
    | Logic
    | Compare
    | Member
    | Conditional
    | Group
    | Call
    | Bracket
)


# ----------------------------------------------------------------------------------------- formats
@dataclass(frozen=True, slots=True)
class Levels:
    """``dense(i), compressed(j) values int4(group = 16) index u16``."""

    calls: tuple[Call, ...]
    values: Call | None
    index: Call | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Sum:
    """``part + part``: an entry lies in the first part with room."""

    parts: tuple[Layout, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Cut:
    """``below if l < c else above``: two layouts joined at a run-time coordinate."""

    condition: Expr
    below: Layout
    above: Layout
    span: Span = field(compare=False)


Layout: TypeAlias = Levels | Sum | Cut


@dataclass(frozen=True, slots=True)
class FormatDecl:
    """``format name(dims; options) = layout``."""

    name: Ident
    dims: tuple[Ident, ...]
    options: tuple[Ident, ...]
    layout: Layout
    span: Span = field(compare=False)


# ------------------------------------------------------------------------------------ declarations
@dataclass(frozen=True, slots=True)
class FnDecl:
    """``fn name(params; options) = body``, or ``pattern`` (``word``), whose body is a condition."""

    word: Literal["fn", "pattern"]
    name: Ident
    params: tuple[Ident, ...]
    options: tuple[Ident, ...]
    body: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Clause:
    """A line of a monoid: its word, and fields with their values (``give``: one, unnamed)."""

    word: Ident
    fields: tuple[Option, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class MonoidDecl:
    """``monoid name(params) { one …  none …  merge …  give … }``."""

    name: Ident
    params: tuple[Ident, ...]
    clauses: tuple[Clause, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Param:
    """``name: adjectives dtype[shape] @ layout values … index … like …``."""

    name: Ident
    adjectives: tuple[Call, ...]
    dtype: Ident
    shape: tuple[Expr, ...]
    layout: Call | None
    values: Call | None
    index: Call | None
    like: Ident | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """``target[subs] = value for ranges``; ``subs`` is None without brackets."""

    target: Ident
    subs: tuple[Expr, ...] | None
    op: Literal["=", ":="]
    value: Expr
    ranges: tuple[Expr, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class KernelDecl:
    """``kernel name(params) -> outputs { body }``."""

    name: Ident
    params: tuple[Param, ...]
    outputs: tuple[Param, ...]
    body: tuple[Statement, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ScheduleDecl:
    """``schedule kernel { tile(m = 64) }``."""

    kernel: Ident
    calls: tuple[Call, ...]
    span: Span = field(compare=False)


Decl: TypeAlias = FormatDecl | FnDecl | MonoidDecl | KernelDecl | ScheduleDecl


@dataclass(frozen=True, slots=True)
class Module:
    """A program: declarations in order."""

    decls: tuple[Decl, ...]


def children(expr: Expr) -> Iterator[Expr]:
    """Yield the expressions ``expr`` is made of, in the order they are written."""
    match expr:
        case Number() | Constant() | Name() | Field():
            return
        case Item(_, subs):
            yield from subs
        case Negate(operand) | Not(operand):
            yield operand
        case Chain(first, rest) | Compare(first, rest):
            yield first
            yield from (e for _, e in rest)
        case Logic(_, operands) | Group(operands):
            yield from operands
        case Member(member, pattern, stop):
            yield from (member, pattern) if stop is None else (member, pattern, stop)
        case Conditional(condition, then, otherwise):
            yield from (then, condition, otherwise)
        case Call(_, args, options):
            yield from args
            yield from (o.value for o in options)
        case Bracket(_, items, args, options):
            yield from (*items, *args)
            yield from (o.value for o in options)
        case _ as never:
            assert_never(never)
