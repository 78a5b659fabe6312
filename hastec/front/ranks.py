"""Indices: bound to a scope, used at sizes, given a range, closed when their scope ends."""

from __future__ import annotations

from hastec.diag import HasteError, Note, Span
from hastec.front.copies import copy_value
from hastec.front.fault import fault, meant
from hastec.front.prove import Prover
from hastec.front.scope import Broken, Closure, IndexVar, Scope, Table
from hastec.front.sizes import is_size
from hastec.front.state import State
from hastec.ir.graph import NodeId, Rank
from hastec.sym.size import Size


def bind(s: State, scope: Scope, name: str, span: Span) -> IndexVar:
    """Bind a new index in ``scope``; a name that means something else is an error."""
    check_free(s, scope, name, span)
    var = s.new_index(name, span)
    scope.names[name] = var
    scope.spent.setdefault(name, span)
    return var


def check_free(s: State, scope: Scope, name: str, span: Span) -> None:
    """Report a name that cannot be an index here: a size, a table, a function, an index."""
    found = scope.find(name)
    if isinstance(found, IndexVar):
        note = Note(f"`{name}` is bound here", found.span)
        help_ = "use another name for one of them"
        raise fault("HST1003", f"index `{name}` is bound twice", span, help_, note)
    if is_size(name):
        help_ = f"write `{name.lower()}`: upper-case names are sizes"
        raise fault("HST1005", f"`{name}` cannot be an index", span, help_)
    if isinstance(found, Table | Closure | Broken):
        raise two_meanings(name, "an index", span, found.span)
    param = s.params.get(name)
    other = declared_span(s, name) or s.later.get(name) or (param.span if param else None)
    if other is not None:
        raise two_meanings(name, "an index", span, other)


def declared_span(s: State, name: str) -> Span | None:
    """Return where a function, pattern or monoid called ``name`` is declared, if one is."""
    fn, monoid = s.program.fns.get(name), s.program.monoids.get(name)
    return fn.name.span if fn else monoid.span if monoid else None


def two_meanings(name: str, what: str, span: Span, other: Span) -> HasteError:
    """Return the error for a name that already means something else."""
    message = f"`{name}` cannot be {what}: the name has a meaning already"
    note = Note("it is defined here", other)
    return fault("HST1005", message, span, "use another name for one of them", note)


# ------------------------------------------------------------------------------------------- ranges
def use_alone(s: State, node: NodeId, size: Size, span: Span) -> None:
    """Note that ``node`` stands alone where a table has ``size``, if it is an index."""
    var = s.open.get(s.nodes.is_index(node))
    if var is None or s.in_range:
        return
    if var.closed:
        _agrees(s, var, size, span)
    elif all(size != known for known, _ in var.uses):
        var.uses.append((size, span))


def _agrees(s: State, var: IndexVar, size: Size, span: Span) -> None:
    if var.uses and all(size != known for known, _ in var.uses):
        raise _disagree(var, (size, span))


def _disagree(var: IndexVar, other: tuple[Size, Span]) -> Exception:
    first, second = var.uses[0], other
    if second[1] < first[1]:
        first, second = second, first
    message = f"index `{var.name}` ranges over {second[0]} here and over {first[0]} elsewhere"
    note = Note(f"here it ranges over {first[0]}", first[1])
    help_ = f"use two indices, or give both tables the same size ({first[0]} or {second[0]})"
    return fault("HST2001", message, second[1], help_, note)


def close(s: State, var: IndexVar) -> Rank:
    """Settle the range of an index: the size it stands alone at, its own range cut to that."""
    if len(var.uses) > 1:
        raise _disagree(var, var.uses[1])
    size = var.uses[0][0] if var.uses else None
    var.closed = True
    if var.hi is None:
        if size is None:
            raise _unranged(s, var)
        rank = Rank(var.rank, s.nodes.wide(0), s.nodes.size(size), size, var.span)
    else:
        rank = _ranged(s, var, size)
    s.nodes.ranks[var.rank] = rank
    for clone, mapping in var.clones:
        lo, hi = (copy_value(s, bound, mapping) for bound in (rank.lo, rank.hi))
        s.nodes.ranks[clone.rank] = Rank(clone.rank, lo, hi, rank.extent, var.span)
        clone.closed = True
        known_extent(s, clone, "the selection")
    return rank


def _unranged(s: State, var: IndexVar) -> Exception:
    message = f"nothing says how far index `{var.name}` goes"
    otherwise = f"use it alone at a dimension of a table, or write `{var.name} in 0 .. N`"
    return fault("HST2002", message, var.span, meant(var.name, s.tables, otherwise))


def _ranged(s: State, var: IndexVar, size: Size | None) -> Rank:
    lo, hi = var.lo, var.hi
    assert lo is not None and hi is not None  # they are given together
    prover = Prover(s.nodes, s.open)
    if size is None:
        return Rank(var.rank, lo, hi, prover.top(hi), var.span)
    if not prover.at_least_zero(lo):
        lo = s.nodes.map("max", (lo, s.nodes.wide(0)), var.span)
    if not prover.at_most(hi, size):
        hi = s.nodes.map("min", (hi, s.nodes.size(size)), var.span)
    return Rank(var.rank, lo, hi, size, var.span)


def known_extent(s: State, var: IndexVar, what: str) -> Size:
    """Return the size a table has along a closed index (error if only data know it)."""
    extent = s.nodes.ranks[var.rank].extent
    if extent is None:
        message = f"{what} has no known size along `{var.name}`"
        help_ = f"use `{var.name}` alone at a dimension of a table as well"
        raise fault("HST2016", message, var.span, help_)
    return extent
