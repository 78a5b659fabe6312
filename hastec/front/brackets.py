"""Reductions and softmax: what stands behind brackets."""

from __future__ import annotations

from hastec.front.fault import fault, meant
from hastec.front.items import Items, add_condition, bind_items, range_of, subject
from hastec.front.kinds import need_condition, need_number
from hastec.front.ranks import close, declared_span
from hastec.front.scope import IndexVar, Scope, Value
from hastec.front.select import inline_value, is_selection, not_kept
from hastec.front.state import State
from hastec.grammar import ast
from hastec.grammar.tokens import KEEP, REDUCE
from hastec.ir.graph import BUILT_IN_MONOIDS, NodeId, Reduce, Softmax
from hastec.text import counted


def bracket(s: State, expr: ast.Bracket, scope: Scope) -> NodeId:
    """Return the value of ``word[items](args)``."""
    word = expr.name.name
    if word == "softmax":
        return _softmax(s, expr, scope)
    if is_selection(expr):
        return inline_value(s, expr, scope)
    if word in BUILT_IN_MONOIDS or word in s.program.monoids:
        return _reduce(s, expr, scope)
    help_ = meant(word, (*REDUCE, *KEEP, *s.program.monoids), "declare a monoid of that name")
    if declared_span(s, word):
        help_ = f"write `{word}(…)`"
    raise fault("HST1013", f"`{word}` is no reduction", expr.name.span, help_)


# -------------------------------------------------------------------------------------- reductions
def _reduce(s: State, expr: ast.Bracket, scope: Scope) -> NodeId:
    word = expr.name.name
    inner = Scope(scope)
    items = bind_items(s, expr.items, inner)
    if not items.bound:
        message = f"`{word}[…]` binds no index"
        raise fault("HST1016", message, expr.span, f"begin with an index: `{word}[k, …]`")
    args = tuple(s.value(a, inner) for a in expr.args)
    _check(s, expr, args, items)
    ranks = tuple(close(s, var).name for var in items.bound)
    return s.nodes.add(Reduce(word, ranks, tuple(items.guards), args), expr.span)


def _check(s: State, expr: ast.Bracket, args: tuple[NodeId, ...], items: Items) -> None:
    word, declared = expr.name.name, s.program.monoids.get(expr.name.name)
    wanted = len(declared.params) if declared else 1
    _arguments(expr, wanted)
    what = f"what `{word}` takes"
    if word in ("any", "all"):
        need_condition(s, args[0], expr.args[0].span, what)
    elif word in ("argmax", "argmin", "mean", "lse") or declared:
        for arg, where in zip(args, expr.args, strict=True):
            need_number(s, arg, where.span, what)
    if word in ("argmax", "argmin") and len(items.bound) != 1:
        message = f"`{word}` gives one index, and {len(items.bound)} are bound here"
        raise fault("HST1016", message, expr.span, "bind one index")
    if declared:
        s.nodes.monoids[word] = declared


def _arguments(expr: ast.Bracket, wanted: int) -> None:
    word = expr.name.name
    if len(expr.args) != wanted:
        message = f"`{word}` takes {counted(wanted, 'argument')}, not {len(expr.args)}"
        letters = ", ".join("abcdefgh"[:wanted])
        raise fault("HST1011", message, expr.span, f"write `{word}[…]({letters})`")
    if expr.options:
        span = expr.options[0].span
        raise fault("HST1012", f"`{word}` takes no options", span, "remove what follows `;`")


# ----------------------------------------------------------------------------------------- softmax
def _softmax(s: State, expr: ast.Bracket, scope: Scope) -> NodeId:
    first, name = expr.items[0], subject(expr.items[0])
    if name is None:
        message = "`softmax` begins with the index it keeps"
        raise fault("HST1016", message, first.span, "write `softmax[l](…)`")
    fresh = scope.find(name.name) is None
    run = range_of(s, first, (), scope) if fresh else None
    var = _kept(s, expr, name, scope)
    items = Items()
    if run is not None:
        var.lo, var.hi = run
    elif isinstance(first, ast.Name):
        # The conditions that bound the index hold for its softmax, too.
        items.guards += var.guards
    else:
        add_condition(s, first, items, scope)
    for item in expr.items[1:]:
        add_condition(s, item, items, scope)
    _arguments(expr, 1)
    arg = s.value(expr.args[0], scope)
    need_number(s, arg, expr.args[0].span, "what `softmax` takes")
    return s.nodes.add(Softmax(var.rank, tuple(items.guards), arg), expr.span)


def _kept(s: State, expr: ast.Bracket, name: ast.Name, scope: Scope) -> IndexVar:
    """Return the index in scope that is kept; in a definition by name it may be a new one."""
    found = scope.find(name.name)
    if found is None and scope.fill is not None:
        found = scope.fill(name.name, name.span)
    if isinstance(found, Value):
        found = s.open.get(s.nodes.is_index(found.node))
    if isinstance(found, IndexVar):
        return found
    raise not_kept(expr, name)
