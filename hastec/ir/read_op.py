"""Operations and monoids read back from printed graphs."""

from __future__ import annotations

from typing import Literal

from hastec.ir.graph import (
    Access,
    Const,
    Convert,
    Define,
    Index,
    Input,
    Map,
    Monoid,
    NodeId,
    Op,
    Present,
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Term,
    Update,
)
from hastec.ir.lex import TWICE, UNKNOWN, Cursor
from hastec.ir.read_format import comma, option_list, read_format, read_size
from hastec.ir.scalars import SCALARS


def read_op(cursor: Cursor) -> Op:
    """Read what a node does, as :func:`hastec.ir.show.show_op` prints it."""
    token = cursor.peek
    match cursor.name("what the node does"):
        case "input":
            return Input(cursor.name())
        case "const":
            return Const(cursor.literal())
        case "size":
            return SizeOf(read_size(cursor))
        case "index":
            return Index(cursor.name())
        case "access":
            return Access(cursor.ref(), _subs(cursor))
        case "present":
            return Present(cursor.ref(), _subs(cursor))
        case "convert":
            table = cursor.ref()
            cursor.expect("to")
            return Convert(table, read_format(cursor))
        case "reduce" | "softmax" | "define" | "update" | "select" as word:
            return _binder(cursor, word)
        case fn if fn in SCALARS:
            return Map(fn, read_refs(cursor))
        case fn:
            cursor.fail(UNKNOWN, f"no operation or function is called `{fn}`", token)


def _binder(cursor: Cursor, word: str) -> Op:
    match word:
        case "reduce":
            return Reduce(cursor.name(), *_bracket(cursor), read_refs(cursor))
        case "softmax":
            return _softmax(cursor)
        case "define":
            return Define(cursor.name(), *_bracket(cursor), equals_ref(cursor))
        case "update":
            table, subs = cursor.ref(), _subs(cursor)
            cursor.expect("over")
            ranks, guards = _bracket(cursor)
            return Update(table, ranks, subs, guards, equals_ref(cursor))
        case _:
            return _select(cursor)


def _softmax(cursor: Cursor) -> Softmax:
    ranks, guards = _bracket(cursor)
    if len(ranks) != 1:
        cursor.expected("one rank")
    cursor.expect("(")
    arg = cursor.ref()
    cursor.expect(")")
    return Softmax(ranks[0], guards, arg)


def _select(cursor: Cursor) -> Select:
    kind = _kind(cursor)
    ranks, guards = _bracket(cursor)
    cursor.expect("over")
    over = cursor.name()
    cursor.expect("key")
    key = cursor.ref()
    amount = cursor.ref() if cursor.accept("amount") else None
    always = read_refs(cursor) if cursor.accept("always") else ()
    return Select(kind, ranks, over, guards, key, amount, always)


def _kind(cursor: Cursor) -> Literal["topk", "top_p", "where"]:
    if cursor.accept("topk"):
        return "topk"
    if cursor.accept("top_p"):
        return "top_p"
    cursor.expect("where")
    return "where"


def _bracket(cursor: Cursor) -> tuple[tuple[str, ...], tuple[NodeId, ...]]:
    return option_list(cursor, "[", "]", cursor.name, cursor.ref)


def _subs(cursor: Cursor) -> tuple[NodeId, ...]:
    cursor.expect("[")
    return comma(cursor, "]", cursor.ref)


def read_refs(cursor: Cursor) -> tuple[NodeId, ...]:
    """Read ``(%1, %2)``."""
    cursor.expect("(")
    return comma(cursor, ")", cursor.ref)


def equals_ref(cursor: Cursor) -> NodeId:
    """Read ``= %1``."""
    cursor.expect("=")
    return cursor.ref()


# ----------------------------------------------------------------------------------------- monoids
def read_monoid(cursor: Cursor) -> Monoid:
    """Read a reduction of the user's own, from after the word ``monoid`` to its closing brace."""
    name = cursor.name()
    cursor.expect("(")
    params = comma(cursor, ")", cursor.name)
    cursor.expect("{")
    span = cursor.end_line()
    one, none, merge = (_fields(cursor, word) for word in ("one", "none", "merge"))
    cursor.blank()
    cursor.expect("give")
    give = _term(cursor)
    cursor.end_line()
    cursor.blank()
    cursor.expect("}")
    cursor.end_line()
    if not tuple(one) == tuple(none) == tuple(merge):
        cursor.fail(UNKNOWN, f"the states of monoid `{name}` name different fields")
    values = tuple(one.values()), tuple(none.values()), tuple(merge.values())
    return Monoid(name, params, tuple(one), *values, give, span)


def _fields(cursor: Cursor, word: str) -> dict[str, Term]:
    cursor.blank()
    cursor.expect(word)
    found: dict[str, Term] = {}
    while cursor.peek.kind in ("name", "string"):
        token = cursor.peek
        name = cursor.name()
        if name in found:
            cursor.fail(TWICE, f"the field `{name}` is given twice", token)
        cursor.expect("=")
        found[name] = _term(cursor)
        if not cursor.accept(","):
            break
    cursor.end_line()
    return found


def _term(cursor: Cursor) -> Term:
    term = _operand(cursor)
    if isinstance(term, str):
        cursor.expected("an expression")
    return term


def _operand(cursor: Cursor) -> Term | str:
    token = cursor.peek
    if token.kind == "number" or token.text in ("inf", "nan", "true", "false", "-"):
        return ("const", cursor.literal())
    if cursor.accept("."):
        return ("field", cursor.name())
    if cursor.accept("type"):
        return cursor.name()
    name = cursor.name("an expression")
    if cursor.accept("("):
        cursor.enter()
        parts = comma(cursor, ")", lambda: _operand(cursor))
        cursor.leave()
        return (name, *parts)
    side, dot, field = name.partition(".")
    return ("state", side, field) if dot else ("param", name)
