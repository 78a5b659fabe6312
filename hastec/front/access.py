"""Reading tables: by place, ``W[m, k]``, and by name, taking their indices from the scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hastec.diag import HasteError, Note, Span
from hastec.front.fault import Abandon, fault, meant
from hastec.front.kinds import need_integer
from hastec.front.ranks import bind, use_alone
from hastec.front.scope import Broken, Closure, IndexVar, Scope, Table, Value
from hastec.front.sizes import is_size
from hastec.front.state import State
from hastec.grammar import ast
from hastec.ir.graph import Access, NodeId, Op, Present
from hastec.sym.size import Size
from hastec.text import counted

Subs = Sequence[tuple[NodeId, Span]]


def read_item(s: State, expr: ast.Item, scope: Scope) -> NodeId:
    """Return the value of ``T[subs]``."""
    return read(s, table_at(s, expr, scope), subscripts(s, expr.subs, scope), expr.span)


def subscripts(s: State, exprs: Sequence[ast.Expr], scope: Scope) -> list[tuple[NodeId, Span]]:
    """Return the values of subscripts and where they stand."""
    s.in_brackets += 1
    try:
        return [(s.value(e, scope), e.span) for e in exprs]
    finally:
        s.in_brackets -= 1


def table_at(s: State, expr: ast.Item, scope: Scope) -> Table:
    """Return the table that ``expr`` gives subscripts to."""
    name, span = expr.table.name, expr.table.span
    match scope.find(name):
        case Table(names=None) as table if table.shape:
            return table
        case Table(names=None) as scalar:
            note = Note("declared here", scalar.span)
            message = f"`{name}` is a single value and takes no index"
            raise fault("HST2004", message, span, f"write `{name}`", note)
        case Table() | Closure() as named:
            note = Note("it is defined without brackets here", named.span)
            message = f"`{name}` takes its indices by name, not by place"
            raise fault("HST2004", message, span, f"write `{name}` alone", note)
        case Broken():
            raise Abandon
        case IndexVar() | Value() as other:
            what = "an index" if isinstance(other, IndexVar) else "a value"
            raise fault("HST2011", f"`{name}` is {what}, not a table", span, f"write `{name}`")
        case None:
            raise unknown(s, name, span, scope)


def read(s: State, table: Table, subs: Subs, span: Span, *, present: bool = False) -> NodeId:
    """Return the entry of a table, or whether it is present; lone indices range over its sizes."""
    if len(subs) != len(table.shape):
        raise wrong_rank(table, len(subs), span)
    for (node, where), size in zip(subs, table.shape, strict=True):
        need_integer(s, node, where, "a subscript")
        use_alone(s, node, size, where)
    return entry(s, table.node, [node for node, _ in subs], span, present=present)


def entry(
    s: State, table: NodeId, subs: Sequence[NodeId], span: Span, *, present: bool = False
) -> NodeId:
    """Return the node that reads a table at subscripts that are known to be right."""
    op: Op = Present(table, tuple(subs)) if present else Access(table, tuple(subs))
    return s.nodes.add(op, span)


def wrong_rank(table: Table, given: int, span: Span) -> HasteError:
    """Return the error for a wrong number of subscripts."""
    dims = counted(len(table.shape), "dimension")
    stand = "stands" if given == 1 else "stand"
    message = f"`{table.name}` has {dims}, and {counted(given, 'subscript')} {stand} here"
    shape = ", ".join(map(str, table.shape))
    note = Note(f"`{table.name}` is [{shape}]", table.span)
    return fault("HST2004", message, span, f"write one subscript for each of [{shape}]", note)


# ------------------------------------------------------------------------------------------ by name
def read_name(s: State, expr: ast.Name, scope: Scope) -> NodeId:
    """Return the value of a bare name: an index, a scalar, a definition by name, a size."""
    name, span = expr.name, expr.span
    found = scope.find(name)
    if found is None and not is_size(name) and scope.fill is not None:
        found = scope.fill(name, span)
    match found:
        case IndexVar() | Value():
            return found.node
        case Table(names=None, shape=()):
            return entry(s, found.node, (), span)
        case Table(names=None):
            first = ", ".join(str(d).lower()[:1] for d in found.shape)
            note = Note("declared here", found.span)
            message = f"`{name}` is a table and needs subscripts here"
            raise fault("HST2011", message, span, f"write `{name}[{first}]`", note)
        case Table() | Closure():
            return read_by_name(s, found, {}, span, scope)
        case Broken():
            raise Abandon
        case None if name in s.sizes:
            return s.nodes.size(Size.of(name), span)
        case None:
            raise unknown(s, name, span, scope)


def read_by_name(
    s: State, table: Table | Closure, given: Mapping[str, NodeId], span: Span, scope: Scope
) -> NodeId:
    """Return a definition by name at the indices in scope, some of them ``given``."""
    names = table.free if isinstance(table, Closure) else table.names or ()
    nodes = {n: given[n] if n in given else _by_name(s, table, n, span, scope) for n in names}
    if isinstance(table, Table):
        return read(s, table, [(nodes[n], span) for n in names], span)
    key = ("closure", table.name, *(nodes[n] for n in names))
    if key not in s.inlined:
        inner = Scope(names={n: Value(i) for n, i in nodes.items()}, tables=table.tables)
        s.inlined[key] = s.value(table.body, inner)
    return s.inlined[key]


def _by_name(s: State, table: Table | Closure, name: str, span: Span, scope: Scope) -> NodeId:
    found = scope.local(name)
    if found is None and scope.fill is not None:
        found = scope.fill(name, span)
    if isinstance(found, IndexVar | Value):
        return found.node
    message = f"`{table.name}` takes `{name}` by name, and no index `{name}` is in scope here"
    note = Note(f"`{table.name}` is defined here", table.span)
    help_ = f"bind `{name}`, or define `{table.name}` by place with brackets"
    raise fault("HST1006", message, span, help_, note)


# ------------------------------------------------------------------------------------------ unknown
def unknown(s: State, name: str, span: Span, scope: Scope) -> HasteError:
    """Return the error for a name that means nothing here."""
    known = [*scope.known(), *s.sizes, *s.program.fns]
    if name in scope.spent:
        note = Note(f"`{name}` is bound here, for what it reduces alone", scope.spent[name])
        message = f"index `{name}` is used outside its reduction"
        help_ = "put parentheses around all that the reduction takes"
        return fault("HST1004", message, span, help_, note)
    if name in s.later:
        note = Note("it is defined here", s.later[name])
        message = f"`{name}` is used before it is defined"
        return fault("HST1001", message, span, "move the definition up", note)
    if name in s.params:
        note = Note("declared here", s.params[name].span)
        message = f"the output `{name}` is read before it is computed"
        return fault("HST1001", message, span, "define it in an earlier statement", note)
    if name in s.program.fns or name in s.program.monoids:
        message = f"`{name}` is a function and needs arguments"
        return fault("HST1001", message, span, f"write `{name}(…)`")
    if is_size(name):
        help_ = meant(name, known, "declare a table that has this size, or use another name")
        return fault("HST1001", f"no table here has a size `{name}`", span, help_)
    if s.in_brackets:
        message = f"index `{name}` is not bound: nothing is summed silently"
        help_ = f"write `sum[{name}] …`, or put `{name}` on the left side"
        return fault("HST1002", message, span, help_)
    help_ = meant(name, known, "declare it, or bind it as an index")
    return fault("HST1001", f"`{name}` is no name known here", span, help_)


def bind_free(s: State, scope: Scope, name: str, span: Span) -> IndexVar | None:
    """Bind an index that a definition by name takes from where it is used."""
    if name in scope.spent or is_size(name) or name in s.later or name in s.params:
        return None
    return bind(s, scope, name, span)
