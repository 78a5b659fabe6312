"""Options of formats, levels and codes; value codes and index codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from hastec.diag import Span
from hastec.front.fault import fault, meant
from hastec.grammar import ast
from hastec.ir.format import CodeSpec
from hastec.ir.types import DType, Kind

T = TypeVar("T")


def fill(
    what: str,
    names: Sequence[str],
    call: ast.Call,
    read: Callable[[ast.Expr], T],
    *,
    given: Sequence[ast.Option] | None = None,
    required: bool = False,
) -> tuple[tuple[str, T], ...]:
    """Return options by name, in the order of ``names``; those without a name go by place."""
    options = given
    if options is None:
        options = [*(ast.Option(None, a, a.span) for a in call.args), *call.options]
    found: dict[str, T] = {}
    for n, option in enumerate(options):
        name = option.name.name if option.name else (names[n] if n < len(names) else "")
        if name not in names or name in found:
            known = ", ".join(f"`{k}`" for k in names) or "none"
            why = f"{what} has no option `{name}`" if name else f"{what} has too many options"
            message = f"`{name}` is given twice" if name in found else why
            help_ = meant(name, names, f"its options are {known}" if names else "remove it")
            raise fault("HST3004", message, option.span, help_)
        found[name] = read(option.value)
    for name in names if required else ():
        if name not in found:
            message = f"{what} needs the option `{name}`"
            help_ = f"write `{call.name.name}({', '.join(f'{k} = …' for k in names)})`"
            raise fault("HST3004", message, call.span, help_)
    return tuple((name, found[name]) for name in names if name in found)


def code(call: ast.Call, known: Mapping[str, tuple[str, ...]], kind: str) -> CodeSpec:
    """Return a value code or an index code (``kind``)."""
    name = call.name.name
    if name not in known:
        message = f"there is no {kind} code `{name}`"
        help_ = meant(name, known, f"use one of {', '.join(known)}")
        raise fault("HST3003", message, call.name.span, help_)
    return CodeSpec(name, fill(f"the code `{name}`", known[name], call, _number))


def _number(expr: ast.Expr) -> int:
    match expr:
        case ast.Number(int(value)) if value > 0:
            return value
        case ast.Constant("true" | "false" as word):
            return int(word == "true")
        case _:
            message = "an option of a code is a positive integer, or true or false"
            raise fault("HST3004", message, expr.span, "write a number")


def check_code(spec: CodeSpec, dtype: DType, span: Span) -> None:
    """Report a value code that cannot hold values of type ``dtype``."""
    if spec.name == "planes":
        bits = sum(value for _, value in spec.options)
        if not dtype.is_integer or bits != dtype.bits:
            message = f"these planes hold {bits} bits, and the table is {dtype}"
            help_ = f"split the {dtype.bits} bits of an integer type, such as `planes(4, 4)` of u8"
            raise fault("HST3010", message, span, help_)
    scaled = spec.name in ("fp8", "mx") or (spec.name[:3] == "int" and spec.name[3:].isdigit())
    if scaled and dtype.kind is not Kind.FLOAT:
        message = f"`{spec.name}` holds scaled floating-point numbers, and the table is {dtype}"
        raise fault("HST3010", message, span, "use a floating-point table, or drop the code")
