"""Reads kernels from the text that :mod:`hastec.ir.kernel_show` prints.

Only the form is checked here; :func:`hastec.ir.kernel_verify.verify_kernel` checks the meaning.
"""

from __future__ import annotations

from typing import TypeVar

from hastec.ir.index import Interval, ValueId
from hastec.ir.kernel import (
    POINTER,
    Address,
    Apply,
    Arrive,
    Carried,
    Carry,
    Const,
    Coord,
    Digit,
    Dot,
    Final,
    For,
    If,
    Kernel,
    Let,
    Load,
    Reduce,
    Requirement,
    Role,
    Scan,
    SizeArg,
    Stmt,
    Store,
    Table,
    TableAccess,
    Value,
    ValueOp,
)
from hastec.ir.lex import Cursor
from hastec.ir.read_format import read_size
from hastec.ir.types import BY_NAME, DType
from hastec.sym.size import Size

DECLARATION, WORD, TYPE = "HST7201", "HST7202", "HST7203"
"""Codes: a declaration out of place or twice, an unknown word, an unknown element type."""

_ROLES: dict[str, Role] = {
    "grid": "grid",
    "loop": "loop",
    "thread": "thread",
    "reg": "reg",
    "block": "block",
}
_ACCESSES: tuple[TableAccess, ...] = ("read", "scratch", "count")
_T = TypeVar("_T")


def read_kernel(text: str, name: str = "<kernel>") -> Kernel:
    """Return the kernel ``text`` describes; ``HasteError`` with a span if it describes none.

    ``name`` is what errors call the text.
    """
    cursor = Cursor(text, name)
    cursor.blank()
    cursor.expect("kernel")
    title = cursor.name("the kernel's name")
    cursor.expect("{")
    cursor.end_line()
    found = _Declarations(cursor)
    found.read()
    body = _body(cursor)
    cursor.end_line()
    cursor.blank()
    if cursor.peek.kind != "end":
        cursor.expected("the end")
    return found.kernel(title, body)


# ---------------------------------------------------------------------------------- declarations
class _Declarations:
    """The lines before the first statement, collected one by one."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.threads = 1
        self.wide = False
        self.tables: list[Table] = []
        self.sizes: list[str] = []
        self.digits: list[Digit] = []
        self.grid: list[tuple[str, Size]] = []
        self.requires: list[Requirement] = []
        self.states: list[Value] = []

    def read(self) -> None:
        """Read declarations as long as there are any."""
        cursor = self.cursor
        cursor.blank()
        while cursor.peek.text in _DECLARATIONS and cursor.peek.kind == "name":
            self._one(cursor.next().text)
            cursor.blank()

    def _one(self, word: str) -> None:
        cursor = self.cursor
        if word == "state":
            self.states.append(_value(cursor))
            return
        match word:
            case "threads":
                self.threads = cursor.integer()
            case "wide":
                self.wide = True
            case "table":
                self.tables.append(_table(cursor))
            case "size":
                self.sizes.append(cursor.name())
            case "digit":
                self.digits.append(read_digit(cursor))
            case "grid":
                self.grid.append(_grid(cursor))
            case _:
                self.requires.append(_requirement(cursor))
        cursor.end_line()

    def kernel(self, name: str, body: tuple[Stmt, ...]) -> Kernel:
        """Return the kernel with these declarations and ``body``."""
        return Kernel(
            name,
            tuple(self.tables),
            tuple(self.sizes),
            tuple(self.digits),
            tuple(self.grid),
            self.threads,
            body,
            tuple(self.states),
            tuple(self.requires),
            self.wide,
        )


_DECLARATIONS = ("threads", "wide", "table", "size", "digit", "grid", "require", "state")


def _table(cursor: Cursor) -> Table:
    name = cursor.name()
    cursor.expect(":")
    dtype = _dtype(cursor)
    access: TableAccess | None = next((a for a in _ACCESSES if cursor.accept(a)), None)
    if access is None:
        cursor.expect("write")
    cursor.expect("align")
    align = cursor.integer()
    numel = read_size(cursor) if cursor.accept("numel") else None
    return Table(name, dtype, access or "write", numel, align)


def read_digit(cursor: Cursor) -> Digit:
    """Take a digit: name, role, extent and stride."""
    name = cursor.name()
    cursor.expect(":")
    role = _ROLES.get(cursor.peek.text)
    if role is None:
        cursor.fail(WORD, f"no role of a digit: {cursor.peek}")
    cursor.next()
    extent = cursor.integer() if cursor.peek.kind == "number" or cursor.at("-") else None
    return Digit(name, role, extent, cursor.integer() if cursor.accept("stride") else 1)


def _grid(cursor: Cursor) -> tuple[str, Size]:
    name = cursor.name()
    cursor.expect("=")
    return name, read_size(cursor)


def _requirement(cursor: Cursor) -> Requirement:
    size = read_size(cursor)
    cursor.expect("in")
    lo = cursor.integer()
    cursor.expect("..")
    hi = cursor.integer()
    return Requirement(size, hi - 1, lo, cursor.integer() if cursor.accept("step") else 1)


def _dtype(cursor: Cursor) -> DType:
    token = cursor.kind("name", "an element type")
    if token.text == POINTER.name:
        return POINTER
    if token.text not in BY_NAME:
        cursor.fail(TYPE, f"no element type: {token}", token)
    return BY_NAME[token.text]


# ------------------------------------------------------------------------------------ statements
def _body(cursor: Cursor) -> tuple[Stmt, ...]:
    """Take statements up to and including the closing brace (not the end of its line)."""
    found: list[Stmt] = []
    cursor.enter()
    cursor.blank()
    while not cursor.accept("}"):
        found.append(_statement(cursor))
        cursor.blank()
    cursor.leave()
    return tuple(found)


def _statement(cursor: Cursor) -> Stmt:
    if cursor.peek.kind == "ref":
        return Let(_value(cursor))
    if cursor.accept("store"):
        return _store(cursor)
    if cursor.accept("for"):
        return _for(cursor)
    if cursor.accept("if"):
        condition = cursor.ref()
        cursor.expect("{")
        cursor.end_line()
        body = _body(cursor)
        cursor.end_line()
        return If(condition, body)
    if cursor.peek.text in _DECLARATIONS:
        cursor.fail(DECLARATION, "declarations come before the first statement")
    cursor.expected("a statement")


def _for(cursor: Cursor) -> For:
    digit = cursor.name("the digit of the loop")
    cursor.expect("in")
    lo = cursor.ref()
    cursor.expect("..")
    hi = cursor.ref()
    stages = cursor.integer() if cursor.accept("stages") else 1
    unroll = cursor.integer() if cursor.accept("unroll") else 1
    rare = cursor.accept("rare")
    carries: list[Carry] = []
    if cursor.accept("with"):
        carries.append(_carry(cursor))
        while cursor.accept(","):
            carries.append(_carry(cursor))
    cursor.expect("{")
    span = cursor.end_line()
    body = _body(cursor)
    cursor.end_line()
    return For(digit, lo, hi, body, tuple(carries), stages, unroll, rare, span)


def _carry(cursor: Cursor) -> Carry:
    inside = cursor.ref()
    cursor.expect("=")
    init = cursor.ref()
    cursor.expect("next")
    following = cursor.ref()
    cursor.expect("after")
    return Carry(init, following, inside, cursor.ref())


def _store(cursor: Cursor) -> Store:
    table, pointer = _place(cursor)
    cursor.expect("=")
    value = cursor.ref()
    mask = _mask(cursor)
    combine = cursor.name("a monoid") if cursor.accept("combine") else "set"
    return Store(table, pointer, value, mask, combine, cursor.end_line())


def _place(cursor: Cursor) -> tuple[str, ValueId]:
    table = cursor.name("a table")
    cursor.expect("[")
    pointer = cursor.ref()
    cursor.expect("]")
    return table, pointer


def _mask(cursor: Cursor) -> ValueId | None:
    return cursor.ref() if cursor.accept("mask") else None


# ---------------------------------------------------------------------------------------- values
def _value(cursor: Cursor) -> Value:
    at = cursor.ref()
    hint = "" if cursor.at(":") else cursor.name("a hint or `:`")
    cursor.expect(":")
    dtype = _dtype(cursor)
    digits: tuple[str, ...] = ()
    if cursor.accept("["):
        digits = _names(cursor)
        cursor.expect("]")
    bounds = _bounds(cursor) if cursor.accept("in") else None
    cursor.expect("=")
    op = _op(cursor)
    return Value(at, op, dtype, digits, hint, bounds, cursor.end_line())


def _bounds(cursor: Cursor) -> Interval:
    lo = cursor.integer()
    cursor.expect("..")
    return lo, cursor.integer()


def _op(cursor: Cursor) -> ValueOp:
    word = cursor.name("an operation")
    if cursor.accept("("):
        return Apply(word, _arguments(cursor))
    match word:
        case "const":
            return Const(_literal(cursor))
        case "size":
            return SizeArg(cursor.name())
        case "coord":
            return Coord(cursor.name())
        case "address":
            return _address(cursor)
        case "load":
            return _load(cursor)
        case "reduce":
            monoid, arg = cursor.name("a monoid"), cursor.ref()
            return Reduce(monoid, arg, _over(cursor))
        case "scan":
            monoid, arg = cursor.name("a monoid"), cursor.ref()
            cursor.expect("over")
            return Scan(monoid, arg, cursor.name())
        case "dot":
            left, right = cursor.ref(), cursor.ref()
            acc = cursor.ref() if cursor.accept("acc") else None
            return Dot(left, right, acc, _over(cursor))
        case "arrive":
            table, pointer = _place(cursor)
            cursor.expect("among")
            return Arrive(table, pointer, cursor.integer())
        case "carried":
            return Carried(cursor.name(), cursor.integer())
        case "final":
            return Final(cursor.name(), cursor.integer())
        case _:
            cursor.fail(WORD, f"no operation: `{word[:40]}`")


def _arguments(cursor: Cursor) -> tuple[ValueId, ...]:
    found: list[ValueId] = []
    while not cursor.accept(")"):
        found.append(cursor.ref())
        if not cursor.at(")"):
            cursor.expect(",")
    return tuple(found)


def _address(cursor: Cursor) -> Address:
    base = cursor.ref() if cursor.peek.kind == "ref" else cursor.name("a table or an address")
    return Address(base, cursor.ref() if cursor.accept("+") else None)


def _load(cursor: Cursor) -> Load:
    table, pointer = _place(cursor)
    mask = _mask(cursor)
    other = cursor.number() if cursor.accept("other") else 0
    unit = cursor.name() if cursor.accept("unit") else ""
    return Load(
        table, pointer, mask, other, unit, cursor.integer() if cursor.accept("align") else 1
    )


def _literal(cursor: Cursor) -> bool | int | float:
    if cursor.peek.text in ("true", "false"):
        return cursor.next().text == "true"
    return cursor.number()


def _over(cursor: Cursor) -> tuple[str, ...]:
    cursor.expect("over")
    return _names(cursor)


def _names(cursor: Cursor) -> tuple[str, ...]:
    found = [cursor.name()]
    while cursor.accept(","):
        found.append(cursor.name())
    return tuple(found)
