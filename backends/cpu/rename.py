"""Statements with other ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
    ValueOp,
)

Names = Mapping[ValueId, ValueId]


def renamed(body: tuple[Stmt, ...], names: Names) -> tuple[Stmt, ...]:
    """Return statements in which ids are replaced; those not named stay."""
    return tuple(_statement(s, names) for s in body)


def _statement(stmt: Stmt, names: Names) -> Stmt:
    match stmt:
        case Let(value):
            new = replace(value, id=names.get(value.id, value.id), op=_op(value.op, names))
            return Let(new)
        case Store(_, pointer, value_, mask):
            return replace(stmt, pointer=names.get(pointer, pointer),
                           value=names.get(value_, value_), mask=_maybe(mask, names))  # fmt: skip
        case If(condition, body):
            return If(names.get(condition, condition), renamed(body, names))
        case For(_, lo, hi, body, carries):
            states = tuple(
                Carry(*(names.get(v, v) for v in (c.init, c.next, c.inside, c.after)))
                for c in carries
            )
            return replace(stmt, lo=names.get(lo, lo), hi=names.get(hi, hi),
                           body=renamed(body, names), carries=states)  # fmt: skip
        case _ as never:
            assert_never(never)


def _maybe(value: ValueId | None, names: Names) -> ValueId | None:
    return None if value is None else names.get(value, value)


def _op(op: ValueOp, names: Names) -> ValueOp:
    match op:
        case Const() | SizeArg() | Coord() | Carried() | Final():
            return op
        case Apply(fn, args):
            return Apply(fn, tuple(names.get(a, a) for a in args))
        case Address(base, offset):
            start = base if isinstance(base, str) else names.get(base, base)
            return Address(start, _maybe(offset, names))
        case Load(_, pointer, mask):
            return replace(op, pointer=names.get(pointer, pointer), mask=_maybe(mask, names))
        case Arrive(_, pointer, _):
            return replace(op, pointer=names.get(pointer, pointer))
        case Reduce(_, arg, _) | Scan(_, arg, _):
            return replace(op, arg=names.get(arg, arg))
        case Dot(left, right, acc, over):
            return Dot(names.get(left, left), names.get(right, right), _maybe(acc, names), over)
        case _ as never:
            assert_never(never)
