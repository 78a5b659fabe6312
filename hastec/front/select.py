"""Selections: ``topk``, ``top_p`` and ``where`` make a table of which candidates are members."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

from hastec.diag import HasteError, Note, Span
from hastec.front.access import entry
from hastec.front.copies import copy_value
from hastec.front.fault import fault, meant
from hastec.front.items import Items, add_condition, range_of, subject
from hastec.front.kinds import need_condition, need_integer, need_number
from hastec.front.ranks import check_free, close, known_extent, use_alone
from hastec.front.scope import IndexVar, Scope, Value
from hastec.front.state import State
from hastec.grammar import ast
from hastec.ir.graph import NodeId, Select
from hastec.ir.types import BOOL
from hastec.sym.size import Size

Kind = Literal["topk", "top_p", "where"]
AMOUNTS: dict[str, str] = {"topk": "k", "top_p": "p"}
"""The option that says how much is selected."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A selection before its indices are settled."""

    over: IndexVar
    guards: tuple[NodeId, ...]
    key: NodeId
    amount: NodeId | None
    always: tuple[NodeId, ...]

    def nodes(self) -> tuple[NodeId, ...]:
        """Return all nodes the selection is computed from, the key first."""
        given = () if self.amount is None else (self.amount,)
        return (self.key, *self.guards, *given, *self.always)


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection inside an expression: its table, the indices around it, its own dimension."""

    table: NodeId
    around: tuple[NodeId, ...]
    size: Size


def is_selection(expr: ast.Expr) -> bool:
    """Return whether ``expr`` is a selection."""
    return isinstance(expr, ast.Bracket) and expr.name.name in ("topk", "top_p", "where")


def selection(s: State, expr: ast.Bracket, scope: Scope, over: IndexVar | None = None) -> Parts:
    """Read a selection. ``over``: the index on the left side it selects along, if there is one."""
    word = expr.name.name
    inner = Scope(scope)
    items = Items()
    var = _over(s, expr, inner, items, over)
    for item in expr.items[1:]:
        add_condition(s, item, items, inner)
    if len(expr.args) != 1:
        message = f"`{word}` takes one argument, not {len(expr.args)}"
        raise fault("HST1011", message, expr.span, f"write `{word}[{var.name}](…)`")
    key, where = s.value(expr.args[0], inner), expr.args[0].span
    if word == "where":
        need_condition(s, key, where, "what `where` takes")
    else:
        need_number(s, key, where, f"what `{word}` ranks")
    amount, always = _options(s, expr, var, scope, inner)
    return Parts(var, tuple(items.guards), key, amount, always)


def _over(
    s: State, expr: ast.Bracket, inner: Scope, items: Items, left: IndexVar | None
) -> IndexVar:
    """Return the index that is selected along, bound in ``inner``; read its range."""
    first, name = expr.items[0], subject(expr.items[0])
    if name is None:
        message = f"`{expr.name.name}` begins with the index it selects along"
        raise fault("HST1016", message, first.span, f"write `{expr.name.name}[l, …]`")
    run = None if isinstance(first, ast.Name) else range_of(s, first, (), inner)
    if left is not None and name.name == left.name:
        var = left
    else:
        if not isinstance(inner.find(name.name), IndexVar):
            check_free(s, inner, name.name, name.span)
        var = s.new_index(name.name, name.span)
        inner.names[name.name] = var
    items.bound.append(var)
    if run is not None and var.hi is None and not (left and s.nodes.varies(*run)):
        var.lo, var.hi = run
    elif not isinstance(first, ast.Name):
        add_condition(s, first, items, inner)
    return var


def _options(
    s: State, expr: ast.Bracket, over: IndexVar, scope: Scope, inner: Scope
) -> tuple[NodeId | None, tuple[NodeId, ...]]:
    word = expr.name.name
    amount: NodeId | None = None
    always: list[NodeId] = []
    wanted = AMOUNTS.get(word, "")
    for option in expr.options:
        name = option.name.name if option.name else wanted
        if name == "always" and wanted:
            node = s.value(option.value, inner)
            always.append(need_condition(s, node, option.value.span, "an `always`"))
        elif name == wanted and wanted and amount is None:
            amount = s.value(option.value, scope)
            _check_amount(s, word, amount, over, option.value.span)
        else:
            raise _bad_option(word, name, wanted, option.span)
    if wanted and amount is None:
        message = f"`{word}` needs the option `{wanted}`"
        raise fault("HST1012", message, expr.span, f"write `{word}[{over.name}](…; {wanted} = …)`")
    return amount, tuple(always)


def _bad_option(word: str, name: str, wanted: str, span: Span) -> HasteError:
    if name == wanted and wanted:
        return fault("HST1012", f"the option `{name}` is given twice", span, "remove one of them")
    help_ = meant(name, (wanted, "always"), f"`{word}` takes `{wanted}` and `always`")
    if not wanted:
        help_ = "put conditions into the brackets"
    return fault("HST1012", f"`{word}` has no option `{name}`", span, help_)


def _check_amount(s: State, word: str, amount: NodeId, over: IndexVar, span: Span) -> None:
    if word == "topk":
        need_integer(s, amount, span, "`k`")
    else:
        need_number(s, amount, span, "`p`")
    if over.rank in s.nodes[amount].ranks:
        message = f"how many are selected cannot depend on `{over.name}`"
        note = Note(f"`{over.name}` is selected along here", over.span)
        raise fault("HST1016", message, span, "use other indices", note)


def make(
    s: State,
    expr: ast.Bracket,
    parts: Parts,
    ranks: tuple[str, ...],
    shape: tuple[Size, ...] = (),
) -> NodeId:
    """Return the table of a selection; its shape may be settled later."""
    kind = cast(Kind, expr.name.name)
    op = Select(kind, ranks, parts.over.rank, parts.guards, parts.key, parts.amount, parts.always)
    return s.nodes.add(op, expr.span, BOOL, shape)


# ---------------------------------------------------------------------------- inside an expression
def inline_selection(s: State, expr: ast.Bracket, scope: Scope) -> Selection:
    """Make the table of a selection that stands inside an expression.

    It varies over the indices around it, which are copied: a table is computed on its own.
    """
    parts = selection(s, expr, scope)
    close(s, parts.over)
    size = known_extent(s, parts.over, "the selection")
    around = _around(s, parts)
    clones = [s.new_index(var.name, var.span) for var in around]
    mapping = {var.rank: clone.node for var, clone in zip(around, clones, strict=True)}
    for var, clone in zip(around, clones, strict=True):
        var.clones.append((clone, mapping))
    rank = s.nodes.ranks[parts.over.rank]
    lo, hi = copy_value(s, rank.lo, mapping), copy_value(s, rank.hi, mapping)
    s.nodes.ranks[rank.name] = replace(rank, lo=lo, hi=hi)
    copied = Parts(
        parts.over,
        tuple(copy_value(s, g, mapping) for g in parts.guards),
        copy_value(s, parts.key, mapping),
        None if parts.amount is None else copy_value(s, parts.amount, mapping),
        tuple(copy_value(s, a, mapping) for a in parts.always),
    )
    ranks = (*(clone.rank for clone in clones), parts.over.rank)
    return Selection(make(s, expr, copied, ranks), tuple(v.node for v in around), size)


def _around(s: State, parts: Parts) -> list[IndexVar]:
    """Return the indices a selection depends on, and those their ranges depend on."""
    rank = s.nodes.ranks[parts.over.rank]
    todo = [r for n in (*parts.nodes(), rank.lo, rank.hi) for r in s.nodes[n].ranks]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name in found or name == parts.over.rank:
            continue
        found.add(name)
        var = s.open[name]
        bounds = [b for b in (var.lo, var.hi) if b is not None]
        todo += [r for b in bounds for r in s.nodes[b].ranks]
    return [var for name, var in s.open.items() if name in found]


def inline_value(s: State, expr: ast.Bracket, scope: Scope) -> NodeId:
    """Return whether the index a selection keeps is a member of it."""
    name = subject(expr.items[0])
    found = scope.find(name.name) if name else None
    if found is None and name and scope.fill:
        found = scope.fill(name.name, name.span)
    if name and not isinstance(found, IndexVar | Value):
        raise not_kept(expr, name)
    chosen = inline_selection(s, expr, scope)
    assert isinstance(found, IndexVar | Value)  # else the selection has no index and says so
    use_alone(s, found.node, chosen.size, expr.items[0].span)
    return entry(s, chosen.table, [*chosen.around, found.node], expr.span)


def not_kept(expr: ast.Bracket, name: ast.Name) -> HasteError:
    """Return the error for a bracket that keeps an index nobody binds."""
    message = f"`{expr.name.name}` keeps its index, and `{name.name}` is not bound"
    help_ = f"bind `{name.name}` on the left side or in a bracket around this"
    return fault("HST1016", message, name.span, help_)
