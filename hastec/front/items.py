"""The items of brackets and of ``for``: indices, their ranges, conditions, left to right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hastec.diag import Span
from hastec.front.kinds import need_condition, need_integer
from hastec.front.ranks import bind, check_free
from hastec.front.scope import Closure, IndexVar, Scope, Table
from hastec.front.sizes import is_size
from hastec.front.state import State
from hastec.grammar import ast
from hastec.ir.graph import NodeId
from hastec.ir.types import Kind

Range = tuple[NodeId, NodeId]


@dataclass(slots=True)
class Items:
    """What the items of a bracket bind, and the conditions among them, left to right."""

    bound: list[IndexVar] = field(default_factory=list)
    guards: list[NodeId] = field(default_factory=list)


def bind_items(s: State, exprs: Sequence[ast.Expr], scope: Scope) -> Items:
    """Read items that may bind indices in ``scope``."""
    items = Items()
    for expr in exprs:
        names = _binding_names(expr, scope)
        # A range is read before its index is bound: `k in k .. n` means another k.
        run = range_of(s, expr, items.guards, scope) if names else None
        for name in names:
            var = bind(s, scope, name.name, name.span)
            items.bound.append(var)
            if run is not None:
                var.lo, var.hi = run
        if run is None and not (names and isinstance(expr, ast.Name)):
            add_condition(s, expr, items, scope)
    return items


def add_condition(s: State, expr: ast.Expr, items: Items, scope: Scope) -> None:
    """Read an item that binds nothing."""
    if isinstance(expr, ast.Name):
        found = scope.find(expr.name)
        truth = isinstance(found, Closure) or (
            isinstance(found, Table) and found.dtype.kind is Kind.BOOL
        )
        if not truth:
            check_free(s, scope, expr.name, expr.span)
    node = need_condition(s, s.value(expr, scope), expr.span, "a condition")
    items.guards.append(node)
    for var in items.bound:
        if var.rank in s.nodes[node].ranks:
            var.guards = (*var.guards, node)


def subject(expr: ast.Expr) -> ast.Name | None:
    """Return the index an item is about: ``k``, ``k in …``, ``k < …``, ``k <= …``."""
    match expr:
        case ast.Name():
            return expr
        case ast.Member(ast.Name() as name) | ast.Compare(ast.Name() as name, (("<" | "<=", _),)):
            return name
        case _:
            return None


def _binding_names(expr: ast.Expr, scope: Scope) -> list[ast.Name]:
    """Return the names an item binds: those in a binding place that mean nothing yet."""
    match expr:
        case ast.Member(ast.Group(parts), _, None):
            places = [p for p in parts if isinstance(p, ast.Name)]
        case _:
            name = subject(expr)
            places = [name] if name else []
    return [n for n in places if scope.find(n.name) is None and not is_size(n.name)]


def range_of(s: State, expr: ast.Expr, guards: Sequence[NodeId], scope: Scope) -> Range | None:
    """Return the half-open range of ``k in lo .. hi``, ``k < n`` or ``k <= n``; None otherwise.

    ``guards`` stand before it: where they are false, bounds that look something up are not read.
    """
    match expr:
        case ast.Member(_, start, stop) if stop is not None:
            lo, hi = s.bound(start, scope), s.bound(stop, scope)
            need_integer(s, lo, start.span, "the start of a range")
            need_integer(s, hi, stop.span, "the end of a range")
        case ast.Compare(_, ((op, limit),)):
            lo, hi = s.nodes.wide(0), s.bound(limit, scope)
            need_integer(s, hi, limit.span, "the end of a range")
            if op == "<=":
                hi = s.nodes.map("add", (hi, s.nodes.const(1)), limit.span)
        case _:
            return None
    return _bounds(s, lo, hi, guards, expr.span)


def _bounds(s: State, lo: NodeId, hi: NodeId, guards: Sequence[NodeId], span: Span) -> Range:
    looked_up = s.nodes.reads_by_value(lo) or s.nodes.reads_by_value(hi)
    if not guards or not looked_up:
        return lo, hi
    zero = s.nodes.wide(0)
    allowed = guards[0]
    for guard in guards[1:]:
        allowed = s.nodes.map("and", (allowed, guard), span)
    return (
        s.nodes.map("where", (allowed, lo, zero), span),
        s.nodes.map("where", (allowed, hi, zero), span),
    )
