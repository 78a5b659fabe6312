"""Sizes and formats read back from printed IR."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hastec.ir.format import RAW, CodeSpec, Coord, Cut, Digit, Format, LevelSpec, Part
from hastec.ir.lex import NUMBER, Cursor
from hastec.sym.size import Size

T = TypeVar("T")
U = TypeVar("U")

MAX_TERMS = 256
"""Multiplied out, a short text may have any number of terms."""


def comma(cursor: Cursor, close: str, item: Callable[[], T]) -> tuple[T, ...]:
    """Read items between commas up to and with ``close``."""
    found: list[T] = []
    while not cursor.accept(close):
        if found:
            cursor.expect(",")
        found.append(item())
    return tuple(found)


def option_list(
    cursor: Cursor, opening: str, close: str, first: Callable[[], T], second: Callable[[], U]
) -> tuple[tuple[T, ...], tuple[U, ...]]:
    """Read ``[a, b; c, d]``: items, then maybe a semicolon and items of another kind."""
    cursor.expect(opening)
    found: list[T] = []
    while not (cursor.at(";") or cursor.at(close)):
        if found:
            cursor.expect(",")
        found.append(first())
    if cursor.accept(";"):
        return tuple(found), comma(cursor, close, second)
    cursor.expect(close)
    return tuple(found), ()


# ------------------------------------------------------------------------------------------- sizes
def read_size(cursor: Cursor) -> Size:
    """Read a size expression as ``str(size)`` prints it: a leading minus negates a whole term."""
    cursor.enter()
    total = Size()
    minus = cursor.accept("-")
    while True:
        term = _term(cursor)
        total = total - term if minus else total + term
        minus = cursor.accept("-")
        if not minus and not cursor.accept("+"):
            cursor.leave()
            return total


def _term(cursor: Cursor) -> Size:
    total = _factor(cursor)
    while True:
        if cursor.accept("*"):
            total = total * _factor(cursor)
            if len(total.terms) > MAX_TERMS:
                cursor.fail(NUMBER, f"this size has more than {MAX_TERMS} terms")
        elif cursor.accept("/"):
            total = total // _factor(cursor)
        elif cursor.accept("%"):
            total = total % _factor(cursor)
        else:
            return total


def _factor(cursor: Cursor) -> Size:
    if cursor.accept("("):
        inside = read_size(cursor)
        cursor.expect(")")
        return inside
    if cursor.peek.kind == "number":
        return Size.of(cursor.integer())
    return Size.of(cursor.name("a size"))


# ----------------------------------------------------------------------------------------- formats
def read_format(cursor: Cursor) -> Format:
    """Read a format as :func:`hastec.ir.show.show_format` prints it."""
    name = cursor.name("the name of a format")
    dims, arguments = option_list(cursor, "(", ")", cursor.name, lambda: _named_integer(cursor))
    cursor.expect("=")
    parts = [_part(cursor)]
    while cursor.accept("+"):
        parts.append(_part(cursor))
    cut = None
    if cursor.accept("cut"):
        dim = cursor.name()
        cursor.expect("<")
        cut = Cut(dim, cursor.name())
    return Format(name, dims, tuple(parts), cut, arguments)


def _named_integer(cursor: Cursor) -> tuple[str, int]:
    name = cursor.name()
    cursor.expect("=")
    return name, cursor.integer()


def _part(cursor: Cursor) -> Part:
    cursor.expect("(")
    levels: list[LevelSpec] = []
    while not any(cursor.at(word) for word in ("values", "index", "order", ")")):
        if levels:
            cursor.expect(",")
        levels.append(_level(cursor))
    values = _code(cursor) if cursor.accept("values") else RAW
    index = _code(cursor) if cursor.accept("index") else CodeSpec("i32")
    order: tuple[Digit, ...] = ()
    if cursor.accept("order"):
        cursor.expect("[")
        order = comma(cursor, "]", lambda: _digit(cursor))
    cursor.expect(")")
    return Part(tuple(levels), values, index, order)


def _level(cursor: Cursor) -> LevelSpec:
    kind = cursor.name("a level")
    cursor.expect("(")
    coord = _coord(cursor)
    options: tuple[tuple[str, int | str | Coord], ...] = ()
    if cursor.accept(";"):
        options = comma(cursor, ")", lambda: _option(cursor))
    else:
        cursor.expect(")")
    return LevelSpec(kind, coord, options)


def _coord(cursor: Cursor) -> Coord:
    dim = cursor.name("a dimension")
    if cursor.accept("/"):
        return Coord(dim, "/", cursor.integer())
    if cursor.accept("%"):
        return Coord(dim, "%", cursor.integer())
    return Coord(dim)


def _option(cursor: Cursor) -> tuple[str, int | str | Coord]:
    name = cursor.name()
    cursor.expect("=")
    if cursor.accept("name"):
        return name, cursor.name()
    if cursor.peek.kind == "number" or cursor.at("-"):
        return name, cursor.integer()
    return name, _coord(cursor)


def _code(cursor: Cursor) -> CodeSpec:
    name = cursor.name("a code")
    if not cursor.accept("("):
        return CodeSpec(name)
    return CodeSpec(name, comma(cursor, ")", lambda: _named_integer(cursor)))


def _digit(cursor: Cursor) -> Digit:
    level = cursor.integer()
    div = cursor.integer() if cursor.accept("/") else 1
    extent = cursor.integer() if cursor.accept("%") else 0
    return Digit(level, div, extent)
