"""Size expressions as :class:`hastec.sym.size.Size` prints them, read from printed IR."""

from __future__ import annotations

from hastec.ir.lex import Cursor
from hastec.sym.size import Size


def read_size(cursor: Cursor) -> Size:
    """Take a size expression: sums of products, ``/`` and ``%`` with their usual strength."""
    minus = cursor.accept("-")
    total = _product(cursor)
    total = -total if minus else total
    while cursor.at("+") or cursor.at("-"):
        plus = cursor.next().text == "+"
        term = _product(cursor)
        total = total + term if plus else total - term
    return total


def _product(cursor: Cursor) -> Size:
    total = _factor(cursor)
    while cursor.at("*") or cursor.at("/") or cursor.at("%"):
        op = cursor.next().text
        factor = _factor(cursor)
        total = total * factor if op == "*" else total // factor if op == "/" else total % factor
    return total


def _factor(cursor: Cursor) -> Size:
    if cursor.peek.kind == "number":
        return Size.of(cursor.integer())
    if not cursor.accept("("):
        return Size.of(cursor.name("a size"))
    cursor.enter()
    size = read_size(cursor)
    cursor.leave()
    cursor.expect(")")
    return size
