"""``x in …``: ranges, patterns by name and by place, present entries, scaled patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hastec.diag import HasteError, Note, Span
from hastec.front.access import entry, read, read_by_name, subscripts, table_at, wrong_rank
from hastec.front.calls import apply_fn
from hastec.front.fault import Abandon, fault
from hastec.front.kinds import need_condition, need_integer
from hastec.front.ranks import use_alone
from hastec.front.scope import Binding, Broken, Closure, IndexVar, Scope, Table, Value
from hastec.front.select import inline_selection, is_selection
from hastec.front.state import State
from hastec.grammar import ast
from hastec.ir.graph import NodeId
from hastec.ir.types import Kind
from hastec.text import counted


@dataclass(frozen=True, slots=True)
class Member:
    """What stands left of ``in``: its value, and its name if it is just a name."""

    node: NodeId
    name: str
    span: Span


def member(s: State, expr: ast.Member, scope: Scope) -> NodeId:
    """Return the truth value of ``x in pattern`` or ``x in lo .. hi``."""
    if expr.stop is not None:
        x = s.value(expr.member, scope)
        lo, hi = s.bound(expr.pattern, scope), s.bound(expr.stop, scope)
        low = s.nodes.map("le", (lo, x), expr.span)
        return s.nodes.map("and", (low, s.nodes.map("lt", (x, hi), expr.span)), expr.span)
    items = expr.member.items if isinstance(expr.member, ast.Group) else (expr.member,)
    members = [_member(s, e, scope) for e in items]
    return contains(s, expr.pattern, members, expr.span, scope)


def _member(s: State, expr: ast.Expr, scope: Scope) -> Member:
    node = s.value(expr, scope)
    return Member(node, expr.name if isinstance(expr, ast.Name) else "", expr.span)


def contains(s: State, pattern: ast.Expr, xs: Sequence[Member], span: Span, scope: Scope) -> NodeId:
    """Return whether ``pattern`` has ``xs``."""
    match pattern:
        case ast.Chain(first, rest) if rest[0][0] not in ("+", "-"):
            return contains(s, first, [_scaled(s, rest, xs, span, scope)], span, scope)
        case ast.Name(name):
            return _named(s, name, pattern, xs, span, scope)
        case ast.Item():
            table = table_at(s, pattern, scope)
            given = subscripts(s, pattern.subs, scope)
            return _placed(s, table, given, xs, span)
        case ast.Bracket() if is_selection(pattern):
            return _selected(s, pattern, xs, span, scope)
        case ast.Call(name, args) if _is_short(s, name.name, len(args)):
            node = apply_fn(s, pattern, scope, extra=[Value(x.node) for x in xs])
            return need_condition(s, node, span, f"`{name.name}(…)`")
        case _:
            return _expression(s, pattern, xs, scope)


def _is_short(s: State, name: str, given: int) -> bool:
    """True for a function that is given too few arguments: the members are the last ones."""
    fn = s.program.fns.get(name)
    return fn is not None and given < len(fn.params)


def _scaled(
    s: State, rest: tuple[tuple[str, ast.Expr], ...], xs: Sequence[Member], span: Span, scope: Scope
) -> Member:
    """``j in T * 64`` is ``j / 64 in T``."""
    if len(xs) != 1 or any(op != "*" for op, _ in rest):
        help_ = "write `j in T * 64` for blocks of 64"
        raise fault("HST2017", "a pattern can only be scaled by `*`, for one index", span, help_)
    node = need_integer(s, xs[0].node, xs[0].span, "a member of a scaled pattern")
    for _, factor in reversed(rest):
        by = need_integer(s, s.value(factor, scope), factor.span, "the scale of a pattern")
        node = s.nodes.map("div", (node, by), span)
    return Member(node, "", xs[0].span)


def _named(
    s: State, name: str, expr: ast.Expr, xs: Sequence[Member], span: Span, scope: Scope
) -> NodeId:
    found = scope.find(name)
    match found:
        case Table(names=None) as table if table.shape:
            return _placed(s, table, [], xs, span)
        case Table(names=tuple() as names, own=own):
            given = _assign(found, names, own, xs, span, scope)
            node = read_by_name(s, found, given, span, scope)
            return _pattern_value(s, node, name, expr.span)
        case Closure(free=free):
            node = read_by_name(s, found, _assign(found, free, "", xs, span, scope), span, scope)
            return _pattern_value(s, node, name, expr.span)
        case Broken():
            raise Abandon
        case None | IndexVar() | Value() | Table():
            s.value(expr, scope)  # reports names that mean nothing
            raise _no_pattern(name, expr.span)


def _pattern_value(s: State, node: NodeId, name: str, span: Span) -> NodeId:
    if s.nodes[node].dtype.kind is not Kind.BOOL:
        raise _no_pattern(name, span)
    return node


def _no_pattern(name: str, span: Span) -> HasteError:
    message = f"`{name}` is not a pattern: its entries are neither true nor false"
    help_ = "use a condition, a bool table, a selection or a sparse table"
    return fault("HST2017", message, span, help_)


def _placed(
    s: State, table: Table, given: list[tuple[NodeId, Span]], xs: Sequence[Member], span: Span
) -> NodeId:
    """``x in T[h, i]`` is ``T[h, i, x]``; of a sparse table, whether that entry is present."""
    subs = [*given, *((x.node, x.span) for x in xs)]
    if len(subs) != len(table.shape):
        raise wrong_rank(table, len(subs), span)
    if table.dtype.kind is Kind.BOOL:
        return read(s, table, subs, span)
    if not table.partial:
        raise _no_pattern(table.name, span)
    return read(s, table, subs, span, present=True)


def _assign(
    table: Table | Closure,
    names: tuple[str, ...],
    own: str,
    xs: Sequence[Member],
    span: Span,
    scope: Scope,
) -> dict[str, NodeId]:
    """Say which of the indices a pattern takes by name the members fill.

    A selection's own index takes the last member. Other members keep their name if the pattern
    has it; the rest fill, in order, the indices that are not in scope.
    """
    given: dict[str, NodeId] = {}
    left = list(xs)
    if own:
        given[own] = left.pop().node
    rest = [x for x in left if x.name not in names or x.name in given]
    given.update({x.name: x.node for x in left if x not in rest})
    missing = [n for n in names if n not in given and scope.local(n) is None]
    if len(rest) > len(missing) or (rest and len(missing) != len(rest)):
        takes = ", ".join(f"`{n}`" for n in names)
        message = f"`{table.name}` takes {takes} by name; which of them is meant here is not clear"
        note = Note(f"`{table.name}` is defined here", table.span)
        help_ = f"define it by place: `{table.name}[{', '.join(names)}] = …`"
        raise fault("HST1018", message, span, help_, note)
    given.update({n: x.node for n, x in zip(missing, rest, strict=False)})
    return given


def _selected(
    s: State, pattern: ast.Bracket, xs: Sequence[Member], span: Span, scope: Scope
) -> NodeId:
    chosen = inline_selection(s, pattern, scope)
    if len(xs) != 1:
        message = f"a selection has one index, and {counted(len(xs), 'member')} stand here"
        raise fault("HST1018", message, span, "test one index")
    x = need_integer(s, xs[0].node, xs[0].span, "a member of a selection")
    use_alone(s, x, chosen.size, xs[0].span)
    return entry(s, chosen.table, [*chosen.around, x], span)


def _expression(s: State, pattern: ast.Expr, xs: Sequence[Member], scope: Scope) -> NodeId:
    """A pattern made of others: members fill the names that mean nothing else, in order."""
    left = [x for x in xs if x.name not in _names(pattern)]
    inner = Scope(scope)

    def fill(name: str, span: Span) -> Binding | None:
        if not left:
            return scope.fill(name, span) if scope.fill else None
        inner.names[name] = Value(left.pop(0).node)
        return inner.names[name]

    inner.fill = fill
    node = s.value(pattern, inner)
    return need_condition(s, node, pattern.span, "a pattern")


def _names(expr: ast.Expr) -> set[str]:
    found: set[str] = set()
    todo = [expr]
    while todo:
        at = todo.pop()
        if isinstance(at, ast.Name):
            found.add(at.name)
        todo += ast.children(at)
    return found
