"""Python text with the precedence of its outermost operator, so that no bracket is superfluous."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from hastec.ir.types import BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, DType
from hastec.sym.size import Atom, Divided, Monomial, Name, Size

TEST, OR, XOR, AND, SHIFT, SUM, PRODUCT, SIGN, ATOM = range(9)
"""Precedence, the loosest first."""

OPERATORS: dict[str, int] = {
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), TEST),
    **{"|": OR, "^": XOR, "&": AND, "<<": SHIFT, ">>": SHIFT, "+": SUM, "-": SUM},
    **dict.fromkeys(("*", "/", "//", "%"), PRODUCT),
}

TYPES: dict[DType, str] = {
    BOOL: "tl.int1",
    I8: "tl.int8",
    I16: "tl.int16",
    I32: "tl.int32",
    I64: "tl.int64",
    U8: "tl.uint8",
    U16: "tl.uint16",
    U32: "tl.uint32",
    F16: "tl.float16",
    BF16: "tl.bfloat16",
    F32: "tl.float32",
    F64: "tl.float64",
}


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression as text; ``parts`` are its operands and the operator, if it has one."""

    text: str
    level: int = ATOM
    parts: tuple[Expr, str, Expr] | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return self.text

    def within(self, level: int) -> str:
        """Return the text as an operand of something that binds as tightly as ``level``."""
        return self.text if self.level >= level else f"({self.text})"

    @property
    def atom(self) -> str:
        """The text as something to index, or to ask for an attribute."""
        return self.within(ATOM)

    def uses(self, name: str) -> bool:
        """Whether a variable occurs."""
        return re.search(rf"(?<![\w.]){name}(?!\w)", self.text) is not None


def infix(left: Expr, sign: str, right: Expr) -> Expr:
    """Return two operands with an operator between them, evaluated left to right."""
    if sign == "*" and right.text == "-1":
        return Expr(f"-{left.within(SIGN)}", SIGN)
    if sign == "+" and (positive := _opposite(right)) is not None:
        sign, right = "-", positive
    level = OPERATORS[sign]
    first, second = level, level + 1
    if level == TEST:
        first = level + 1  # comparisons would chain
    elif level < SUM:
        # Readers do not know how bits bind beside arithmetic.
        alike = left.parts is not None and left.parts[1] == sign and sign in "&|^"
        first, second = level if alike else SIGN, SIGN
    return Expr(f"{left.within(first)} {sign} {right.within(second)}", level, (left, sign, right))


def _opposite(expr: Expr) -> Expr | None:
    """Return what an expression with a negative sign is the opposite of; None for others."""
    if expr.parts is not None and expr.parts[1] == "*" and expr.parts[2].text.startswith("-"):
        return infix(expr.parts[0], "*", Expr(expr.parts[2].text[1:]))
    if expr.level == SIGN and expr.text.startswith("-"):
        return Expr(expr.text[1:])
    return None


def call(name: str, *args: object) -> Expr:
    """Return a call."""
    return Expr(f"{name}({', '.join(str(a) for a in args)})")


def listed(numbers: Iterable[object]) -> str:
    """Return a list as text."""
    return f"[{', '.join(str(n) for n in numbers)}]"


def size_expr(size: Size, names: Mapping[str, str]) -> Expr:
    """Return a size expression; ``names`` are those of arguments."""
    terms = [_term(monomial, c, names) for monomial, c in size.terms]
    return reduce(lambda a, b: infix(a, "+", b), terms) if terms else Expr("0")


def _term(monomial: Monomial, c: int, names: Mapping[str, str]) -> Expr:
    factors = [_atom(a, names) for a in monomial]
    if c != 1 or not factors:
        factors.append(_signed(str(c)))
    return reduce(lambda a, b: infix(a, "*", b), factors)


def _atom(atom: Atom, names: Mapping[str, str]) -> Expr:
    match atom:
        case Name(name):
            return Expr(names[name])
        case Divided(op, left, right):
            sign = "//" if op == "/" else "%"
            return infix(size_expr(left, names), sign, size_expr(right, names))


def filled(sizes: str, number: bool | int | float, dtype: DType) -> Expr:
    """Return a tensor of one number."""
    if dtype == BF16:
        return call("tl.cast", filled(sizes, number, F32), "tl.bfloat16")
    return call("tl.full", sizes, literal(number, dtype), TYPES[dtype])


def literal(number: bool | int | float, dtype: DType) -> Expr:
    """Return a constant."""
    if dtype == BOOL:
        return Expr(str(bool(number)))
    if not dtype.is_float:
        return _signed(str(int(number)))
    number = float(number)
    if number != number or number in (float("inf"), float("-inf")):
        return Expr(f'float("{number}")')
    return _signed(repr(number))


def _signed(text: str) -> Expr:
    return Expr(text, SIGN if text.startswith("-") else ATOM)
