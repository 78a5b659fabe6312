"""Size expressions: arithmetic that stays small, and shapes as they are declared."""

from __future__ import annotations

from collections.abc import Iterable

from hastec.diag import HasteError, Span
from hastec.front.fault import fault
from hastec.grammar import ast
from hastec.sym.size import LIMIT, Divided, Size

MAX_TERMS = 32
MAX_FACTORS = 8
MAX_DIVISIONS = 4
"""Larger size expressions are computed at run time like any other value."""


def combine(op: str, left: Size, right: Size) -> Size | None:
    """Return ``left op right`` (``+ - * / %``), or None if it would be too large to reason about.

    A division by a constant that is not positive has no size either.
    """
    match op:
        case "+":
            found = left + right
        case "-":
            found = left - right
        case "*":
            found = left * right
        case "/" | "%":
            by = right.constant
            if by is not None and by <= 0:
                return None
            found = left // right if op == "/" else left % right
        case _:
            return None
    return found if _small(found, MAX_DIVISIONS) else None


def _small(size: Size, divisions: int) -> bool:
    if len(size.terms) > MAX_TERMS or divisions < 0:
        return False
    for monomial, c in size.terms:
        if abs(c) > LIMIT or len(monomial) > MAX_FACTORS:
            return False
        for atom in monomial:
            if isinstance(atom, Divided) and not (
                _small(atom.left, divisions - 1) and _small(atom.right, divisions - 1)
            ):
                return False
    return True


def declared_size(expr: ast.Expr) -> Size:
    """Return a dimension as written in a declaration: sizes, integers and ``+ - * / %``."""
    match expr:
        case ast.Number(int(value)):
            return Size.of(value)
        case ast.Name(name) if is_size(name):
            return Size.of(name)
        case ast.Name(name, span):
            help_ = f"write `{name[:1].upper()}{name[1:]}`: sizes are upper-case"
            raise fault("HST2008", f"`{name}` is no size", span, help_)
        case ast.Chain(first, rest, span):
            total = declared_size(first)
            for op, operand in rest:
                found = combine(op, total, declared_size(operand))
                if found is None:
                    raise _bad(span)
                total = found
            return total
        case _:
            raise _bad(expr.span)


def _bad(span: Span) -> HasteError:
    message = "a dimension is made of sizes and integers with `+ - * / %`"
    return fault("HST2008", message, span, "give the dimension a size of its own, such as `N`")


def is_size(name: str) -> bool:
    """Return whether a name is written like a size: upper-case."""
    return name[:1].isupper()


def size_names(shape: Iterable[Size]) -> dict[str, None]:
    """Return the sizes a shape shows, in order."""
    found: dict[str, None] = {}
    for size in shape:
        found.update(dict.fromkeys(size.names()))
    return found
