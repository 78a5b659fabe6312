"""The scalar functions every backend implements, in families, and their type rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hastec.ir.types import BOOL, DType, Kind


def _number(t: DType) -> bool:
    return t.kind is not Kind.BOOL


def _truth(t: DType) -> bool:
    return t == BOOL


def _anything(_: DType) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Family:
    """Functions with one type rule.

    Operands have one common type that ``takes`` accepts; the result has that type, or is a truth
    value if ``decides``. A conversion may have any operand and any result.
    """

    names: tuple[str, ...]
    arity: int
    takes: Callable[[DType], bool]
    decides: bool = False


FAMILIES: tuple[Family, ...] = (
    Family(("add", "sub", "mul", "div", "mod", "min", "max"), 2, _number),
    Family(("neg", "abs"), 1, _number),
    Family(("lt", "le", "gt", "ge", "eq", "ne"), 2, _anything, decides=True),
    Family(("and", "or"), 2, _truth),
    Family(("not",), 1, _truth),
    Family(("bitand", "bitor", "bitxor", "shl", "shr"), 2, lambda t: t.is_integer),
    Family(("popc",), 1, lambda t: t.is_integer),
    Family(
        ("exp", "exp2", "log", "log2", "sqrt", "rsqrt", "sin", "cos", "erf"),
        1,
        lambda t: t.is_float,
    ),
    Family(("floor", "ceil", "trunc", "round"), 1, lambda t: t.is_float),
)

PRIMITIVES: tuple[str, ...] = (*(n for f in FAMILIES for n in f.names), "where", "cast")


def type_error(fn: str, args: tuple[DType, ...], result: DType) -> str:
    """Return what is wrong with the types of ``fn`` applied to ``args``, or "" if nothing is."""
    if fn == "cast":
        return "" if len(args) == 1 else "cast takes one operand"
    if fn == "where":
        if len(args) != 3 or args[0] != BOOL or args[1] != args[2] or result != args[1]:
            return "where takes a truth value and two values of the result's type"
        return ""
    family = next((f for f in FAMILIES if fn in f.names), None)
    if family is None:
        return f"{fn} is no primitive function"
    if len(args) != family.arity:
        return f"{fn} takes {family.arity} operands"
    if any(a != args[0] for a in args) or not family.takes(args[0]):
        return f"{fn} does not apply to {', '.join(map(str, args))}"
    if result != (BOOL if family.decides else args[0]):
        return f"{fn} of {args[0]} does not give {result}"
    return ""
