"""Removes from a kernel what no store needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Arrive,
    Carried,
    Carry,
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
    arguments,
    statements,
)


def prune(kernel: Kernel, values: Mapping[ValueId, Value]) -> Kernel:
    """Return the kernel with only what its stores need: values, states, loops, arrays, digits.

    ``values`` holds the final form of every value (bounds may have been refined after its place
    was fixed).
    """
    live = _live(kernel, values)
    body = _keep(kernel.body, values, live)
    used = {s.table for s in statements(body) if isinstance(s, Store)}
    used |= {v.op.table for i in live if isinstance((v := values[i]).op, Load | Arrive)}
    loops = {s.digit for s in statements(body) if isinstance(s, For)}
    varied = {d for i in live for d in values[i].digits}
    varied |= {v.op.digit for i in live if isinstance((v := values[i]).op, Coord)}
    fixed = {d.name for d in kernel.digits if d.role in ("grid", "thread")}
    return replace(
        kernel,
        body=body,
        tables=tuple(t for t in kernel.tables if t.name in used),
        digits=tuple(d for d in kernel.digits if d.name in varied | loops | fixed),
        carried=_renumbered(body, values),
    )


def _renumbered(body: tuple[Stmt, ...], values: Mapping[ValueId, Value]) -> tuple[Value, ...]:
    """Return the values of the states that are left, their positions counted anew."""
    found = []
    for loop in statements(body):
        if isinstance(loop, For):
            for n, c in enumerate(loop.carries):
                found.append(replace(values[c.inside], op=Carried(loop.digit, n)))
                found.append(replace(values[c.after], op=Final(loop.digit, n)))
    return tuple(sorted(found, key=lambda v: v.id))


def _live(kernel: Kernel, values: Mapping[ValueId, Value]) -> set[ValueId]:
    loops = {s.digit: s for s in statements(kernel.body) if isinstance(s, For)}
    live: set[ValueId] = set()
    todo = _roots(kernel.body)
    while todo:
        at = todo.pop()
        if at in live:
            continue
        live.add(at)
        op = values[at].op
        todo.extend(arguments(op))
        if isinstance(op, Carried | Final):
            loop = loops[op.loop]
            state = loop.carries[op.position]
            todo.extend((state.init, state.next, state.inside, loop.lo, loop.hi))
    return live


def _roots(body: tuple[Stmt, ...]) -> list[ValueId]:
    """Return what stores need, with the conditions and bounds of what encloses them."""
    found: list[ValueId] = []
    for stmt in body:
        match stmt:
            case Let():
                pass
            case Store(_, pointer, value, mask):
                found += [pointer, value] if mask is None else [pointer, value, mask]
            case If(condition, inner):
                inside = _roots(inner)
                found += [condition, *inside] if inside else []
            case For():
                inside = _roots(stmt.body)
                found += [stmt.lo, stmt.hi, *inside] if inside else []
    return found


def _keep(
    body: tuple[Stmt, ...], values: Mapping[ValueId, Value], live: set[ValueId]
) -> tuple[Stmt, ...]:
    kept: list[Stmt] = []
    for stmt in body:
        match stmt:
            case Let(value):
                if value.id in live:
                    kept.append(Let(values[value.id]))
            case Store():
                kept.append(stmt)
            case If():
                inner = _keep(stmt.body, values, live)
                if _roots(inner):
                    kept.append(replace(stmt, body=inner))
            case For():
                inner = _keep(stmt.body, values, live)
                states = tuple(c for c in stmt.carries if _needed(c, live))
                if states or _roots(inner):
                    kept.append(replace(stmt, body=inner, carries=states))
    return tuple(kept)


def _needed(state: Carry, live: set[ValueId]) -> bool:
    return state.after in live or state.inside in live
