"""Statements: definitions by place and by name, selections, updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hastec.diag import Note, Span
from hastec.front.access import bind_free, subscripts, wrong_rank
from hastec.front.fault import Abandon, fault
from hastec.front.items import Items, add_condition, range_of, subject
from hastec.front.kinds import need_integer
from hastec.front.ranks import bind, close, declared_span, known_extent, two_meanings, use_alone
from hastec.front.scope import Binding, Closure, IndexVar, Scope, Table
from hastec.front.select import Parts, is_selection, make, selection
from hastec.front.sizes import is_size
from hastec.front.state import State
from hastec.grammar import ast
from hastec.ir.graph import Define, NodeId, Param, Reduce, Select, Softmax, Update
from hastec.ir.types import BOOL, DType, Kind
from hastec.text import counted

MAX_RANK = 8
HEAVY = (Reduce, Softmax, Select)
"""What is computed once and kept, where a cheap condition is computed anew at each use."""


def statement(s: State, stmt: ast.Statement) -> None:
    """Read one statement and enter what it defines."""
    name, span = stmt.target.name, stmt.target.span
    param = s.params.get(name)
    if stmt.op == ":=":
        _check_update(stmt, param)
        s.tables[name] = _update(s, stmt)
        return
    _check_define(s, stmt, param)
    if stmt.subs is None and not (param and not param.shape):
        if param:
            message = f"the output `{name}` has {counted(len(param.shape), 'dimension')}"
            first = ", ".join(str(d).lower()[:1] for d in param.shape)
            raise fault("HST2004", message, span, f"write `{name}[{first}] = …`")
        s.tables[name] = _by_name(s, stmt)
    else:
        s.tables[name] = _by_place(s, stmt, param)


def _check_define(s: State, stmt: ast.Statement, param: Param | None) -> None:
    name, span = stmt.target.name, stmt.target.span
    known = s.tables.get(name)
    if param and param.role != "out":
        assert param.span is not None  # declarations have spans
        note = Note("declared here", param.span)
        help_ = "write `:=` to update it" if param.role == "inout" else "use another name"
        raise fault("HST1009", f"`{name}` is an input and cannot be defined", span, help_, note)
    if known is not None:
        note = Note("it is defined here", known.span)
        message = f"`{name}` is defined twice"
        raise fault("HST1008", message, span, "use another name", note)
    other = declared_span(s, name)
    if other is not None:
        raise two_meanings(name, "defined", span, other)
    if is_size(name) and name in s.sizes:
        raise two_meanings(name, "defined", span, s.sizes[name])


def _check_update(stmt: ast.Statement, param: Param | None) -> None:
    if param is None or param.role != "inout":
        name = stmt.target.name
        what = "an output" if param and param.role == "out" else "an input"
        message = f"`{name}` is {what if param else 'no input'} and cannot be updated"
        notes = (Note("declared here", param.span),) if param else ()
        help_ = f"declare `{name}: inout …`, or define it with `=`"
        raise fault("HST1009", message, stmt.target.span, help_, *notes)


# ----------------------------------------------------------------------------------------- by place
def _by_place(s: State, stmt: ast.Statement, param: Param | None) -> Table:
    scope = Scope(tables=s.tables)
    left = _left(s, stmt, param, scope)
    over = None if stmt.ranges or (param and param.dtype != BOOL) else _along(stmt.value, left)
    if over is not None:
        return _selected(s, stmt, left, selection(s, _bracket(stmt), scope, over))
    items = _ranges(s, stmt, left, scope)
    body = s.value(stmt.value, scope)
    _check_type(s, body, stmt, param)
    for var in left:
        close(s, var)
    return _defined(s, stmt, left, items, body, param.dtype if param else None)


def _along(value: ast.Expr, left: Sequence[IndexVar]) -> IndexVar | None:
    """Return the index of the left side that ``value`` selects along, if it is a selection."""
    if not is_selection(value) or not isinstance(value, ast.Bracket):
        return None
    name = subject(value.items[0])
    return next((v for v in left if name and v.name == name.name), None)


def _bracket(stmt: ast.Statement) -> ast.Bracket:
    assert isinstance(stmt.value, ast.Bracket)  # it was found to be a selection
    return stmt.value


def _left(s: State, stmt: ast.Statement, param: Param | None, scope: Scope) -> list[IndexVar]:
    """Bind the indices on the left side; those of an output range over its sizes."""
    found: list[IndexVar] = []
    subs = stmt.subs or ()
    if param and len(subs) != len(param.shape):
        has = counted(len(param.shape), "dimension")
        message = f"`{stmt.target.name}` has {has}, not {len(subs)}"
        note = Note("declared here", param.span)
        raise fault("HST2004", message, stmt.target.span, "write one index for each", note)
    if len(subs) > MAX_RANK:
        message = f"`{stmt.target.name}` has {len(subs)} dimensions, more than {MAX_RANK}"
        raise fault("HST2012", message, stmt.target.span, "join some of them")
    for n, sub in enumerate(subs):
        if not isinstance(sub, ast.Name):
            message = "the left side of `=` names indices and nothing else"
            raise fault("HST1015", message, sub.span, "write a condition on the right instead")
        var = bind(s, scope, sub.name, sub.span)
        found.append(var)
        if param:
            use_alone(s, var.node, param.shape[n], sub.span)
    return found


def _ranges(s: State, stmt: ast.Statement, left: Sequence[IndexVar], scope: Scope) -> Items:
    """Read what stands behind ``for``: ranges of indices on the left, and conditions."""
    items = Items(list(left))
    for item in stmt.ranges:
        name = subject(item)
        var = next((v for v in left if name and v.name == name.name), None)
        if name and var is None and scope.find(name.name) is None and not is_size(name.name):
            message = f"`for` ranges indices of the left side, and `{name.name}` is none of them"
            help_ = f"put `{name.name}` on the left side"
            raise fault("HST1017", message, name.span, help_)
        run = range_of(s, item, items.guards, scope) if var else None
        if var and run and var.hi is None and not _late(s, run, left, var):
            var.lo, var.hi = run
        elif not (var and isinstance(item, ast.Name)):
            add_condition(s, item, items, scope)
    return items


def _late(s: State, run: tuple[NodeId, NodeId], left: Sequence[IndexVar], var: IndexVar) -> bool:
    """True if a range depends on its own index or on one further right: then it is a condition."""
    later = {v.rank for v in left[list(left).index(var) :]}
    return bool(later & s.nodes.varies(*run))


def _check_type(s: State, body: NodeId, stmt: ast.Statement, param: Param | None) -> None:
    if param and param.dtype.kind is Kind.BOOL and s.nodes[body].dtype.kind is not Kind.BOOL:
        message = f"`{param.name}` is {param.dtype}, and this is {s.nodes[body].dtype}"
        note = Note("declared here", param.span)
        raise fault("HST2014", message, stmt.value.span, "compare it, such as `… != 0`", note)


def _defined(
    s: State,
    stmt: ast.Statement,
    left: Sequence[IndexVar],
    items: Items,
    body: NodeId,
    dtype: DType | None,
    *,
    by_name: bool = False,
) -> Table:
    """Enter a definition whose indices are settled."""
    name = stmt.target.name
    shape = tuple(known_extent(s, var, f"`{name}`") for var in left)
    op = Define(name, tuple(v.rank for v in left), tuple(items.guards), body)
    stored = dtype or s.nodes[body].dtype
    node = s.nodes.add(op, stmt.span, stored, shape)
    names = tuple(v.name for v in left) if by_name else None
    return Table(name, node, shape, stored, stmt.target.span, names, partial=s.partial(node))


def _selected(
    s: State, stmt: ast.Statement, left: Sequence[IndexVar], parts: Parts, *, by_name: bool = False
) -> Table:
    """Enter a selection that is a whole statement."""
    for var in left:
        close(s, var)
    name = stmt.target.name
    shape = tuple(known_extent(s, var, f"`{name}`") for var in left)
    node = make(s, _bracket(stmt), parts, tuple(v.rank for v in left), shape)
    names = tuple(v.name for v in left) if by_name else None
    own = parts.over.name if by_name else ""
    return Table(name, node, shape, BOOL, stmt.target.span, names, own)


# ------------------------------------------------------------------------------------------ by name
def _by_name(s: State, stmt: ast.Statement) -> Table | Closure:
    """Read a definition without brackets: indices it does not bind are taken where it is used."""
    scope = Scope(tables=s.tables)
    free: list[IndexVar] = []

    def fill(name: str, span: Span) -> Binding | None:
        var = bind_free(s, scope, name, span)
        if var is not None:
            free.append(var)
        return var

    scope.fill = fill
    if is_selection(stmt.value) and not stmt.ranges:
        parts = selection(s, _bracket(stmt), scope)
        order = [*_in_order(s, free, parts), parts.over]
        return _selected(s, stmt, order, parts, by_name=True)
    items = Items()
    for item in stmt.ranges:
        _free_range(s, item, items, scope)
    start = len(s.nodes.all)
    body = s.value(stmt.value, scope)
    if not stmt.ranges and not any(isinstance(n.op, HEAVY) for n in s.nodes.all[start:]):
        mentioned = _mentioned(stmt.value)
        tables = {n: t for n, t in s.tables.items() if n in mentioned}
        names = tuple(v.name for v in free)
        return Closure(stmt.target.name, stmt.value, names, tables, stmt.target.span)
    for var in free:
        close(s, var)
    return _defined(s, stmt, free, items, body, None, by_name=True)


def _in_order(s: State, free: Sequence[IndexVar], parts: Parts) -> list[IndexVar]:
    """Return the free indices of a selection in the order its key names them.

    Indices with ranges keep the order in which they were met: a range depends on earlier ones.
    """
    if any(var.hi is not None for var in free):
        return list(free)
    ranks = [r for node in parts.nodes() for r in s.nodes[node].ranks]
    return sorted(free, key=lambda var: ranks.index(var.rank) if var.rank in ranks else len(ranks))


def _free_range(s: State, item: ast.Expr, items: Items, scope: Scope) -> None:
    """Read an item behind ``for`` in a definition by name."""
    name = subject(item)
    fresh = name is not None and scope.find(name.name) is None and not is_size(name.name)
    run = range_of(s, item, items.guards, scope) if fresh else None
    if name is not None and run is not None and scope.fill is not None:
        var = scope.fill(name.name, name.span)
        if isinstance(var, IndexVar):
            var.lo, var.hi = run
            return
    add_condition(s, item, items, scope)


def _mentioned(expr: ast.Expr) -> set[str]:
    """Return the names in an expression."""
    found: set[str] = set()
    todo = [expr]
    while todo:
        at = todo.pop()
        match at:
            case ast.Name(name) | ast.Item(ast.Ident(name)):
                found.add(name)
            case _:
                pass
        todo += ast.children(at)
    return found


# ------------------------------------------------------------------------------------------ updates
def _update(s: State, stmt: ast.Statement) -> Table:
    """Read ``table[subs] := value``: a new state of the table, seen by later statements."""
    name = stmt.target.name
    table = s.tables[name]
    if not isinstance(table, Table):
        raise Abandon
    scope = Scope(tables=s.tables)
    left: list[IndexVar] = []

    def fill(name: str, span: Span) -> Binding | None:
        var = bind(s, scope, name, span)
        left.append(var)
        return var

    if len(stmt.subs or ()) != len(table.shape):
        raise wrong_rank(table, len(stmt.subs or ()), stmt.target.span)
    scope.fill = fill
    subs = subscripts(s, stmt.subs or (), scope)
    for (node, where), size in zip(subs, table.shape, strict=True):
        need_integer(s, node, where, "a subscript")
        use_alone(s, node, size, where)
    scope.fill = None
    items = _ranges(s, stmt, left, scope)
    body = s.value(stmt.value, scope)
    _check_type(s, body, stmt, s.params[name])
    for var in left:
        close(s, var)
    ranks, guards = tuple(v.rank for v in left), tuple(items.guards)
    op = Update(table.node, ranks, tuple(n for n, _ in subs), guards, body)
    node = s.nodes.add(op, stmt.span, table.dtype, table.shape)
    return replace(table, node=node, span=stmt.target.span)
