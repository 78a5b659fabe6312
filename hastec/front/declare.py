"""Declared tables: sizes, types, adjectives, formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from hastec.diag import HasteError, Note, Span
from hastec.front.codes import check_code, code, fill
from hastec.front.fault import fault, meant
from hastec.front.formats import Catalogue
from hastec.front.sizes import combine, declared_size, size_names
from hastec.grammar import ast
from hastec.ir.format import CodeSpec, Coord, Format, LevelSpec, Part
from hastec.ir.graph import Param, Time
from hastec.ir.types import BY_NAME, DType, Kind
from hastec.sym.size import Size
from hastec.text import counted

MAX_RANK = 8
TIMES: tuple[Time, ...] = ("static", "request", "step")
OUTPUTS = ("sparse",)
"""What an output may be."""


@dataclass(slots=True)
class _Adjectives:
    time: Time = "step"
    sparse: bool = False
    fill: float = 0.0
    cap: int = 0
    host: bool = False
    inout: bool = False
    seen: dict[str, Span] = field(default_factory=dict)


def declare(
    decl: ast.Param, catalogue: Catalogue, scalars: Mapping[str, Span], *, output: bool
) -> Param:
    """Return a declared table; ``scalars`` are what a run-time cut may be called."""
    dtype = _dtype(decl.dtype)
    shape = tuple(_dimension(e) for e in decl.shape)
    if len(shape) > MAX_RANK:
        message = f"`{decl.name.name}` has {counted(len(shape), 'dimension')}, more than {MAX_RANK}"
        raise fault("HST2012", message, decl.span, "join some of them")
    words = _adjectives(decl, output)
    _check_fill(words, dtype)
    layout = _format(decl, catalogue, scalars, words.sparse, dtype)
    partial = layout is not None and bool(layout.parts[0].levels) and not layout.dense
    role: Literal["in", "out", "inout"] = "out" if output else "inout" if words.inout else "in"
    return Param(
        decl.name.name,
        dtype,
        shape,
        role,
        words.time,
        words.sparse or partial,
        words.fill,
        words.host,
        layout,
        decl.like.name if decl.like else "",
        words.cap,
        decl.span,
    )


def _dtype(name: ast.Ident) -> DType:
    if name.name not in BY_NAME:
        help_ = meant(name.name, BY_NAME, f"use one of {', '.join(BY_NAME)}")
        raise fault("HST2007", f"there is no type `{name.name}`", name.span, help_)
    return BY_NAME[name.name]


def _dimension(expr: ast.Expr) -> Size:
    size = declared_size(expr)
    if size.constant is not None and size.constant < 0:
        message = f"a dimension cannot be {size.constant}"
        raise fault("HST2008", message, expr.span, "use a size or a positive integer")
    return size


# --------------------------------------------------------------------------------------- adjectives
def _adjectives(decl: ast.Param, output: bool) -> _Adjectives:
    words = _Adjectives()
    for call in decl.adjectives:
        name = call.name.name
        _clash(words, call, output)
        words.seen[name] = call.span
        match name:
            case "static" | "request" | "step":
                words.time = next(t for t in TIMES if t == name)
            case "host":
                words.host = True
            case "inout":
                words.inout = True
            case _:
                words.sparse = True
                _sparse_options(words, call, output)
    if words.inout and words.time == "static":
        message = "a table that is written cannot be static"
        raise fault("HST3008", message, words.seen["inout"], "drop `static`")
    return words


def _clash(words: _Adjectives, call: ast.Call, output: bool) -> None:
    name = call.name.name
    if name in words.seen or (name in TIMES and any(t in words.seen for t in TIMES)):
        first = next(t for t in words.seen if t == name or (t in TIMES and name in TIMES))
        message = f"`{name}` stands beside `{first}`"
        note = Note("the other one", words.seen[first])
        raise fault("HST3008", message, call.span, "keep one of them", note)
    if output and name not in OUTPUTS:
        message = f"an output cannot be `{name}`"
        raise fault("HST3008", message, call.span, "declare it as an input, or drop the word")
    if name != "sparse" and (call.args or call.options):
        raise fault("HST3008", f"`{name}` takes no options", call.span, f"write `{name}`")


def _sparse_options(words: _Adjectives, call: ast.Call, output: bool) -> None:
    if call.args:
        message = "the options of `sparse` have names"
        raise fault("HST3008", message, call.args[0].span, "write `sparse(fill = …)`")
    given = dict(fill("`sparse`", ("fill", "cap"), call, _constant))
    words.fill = float(given.get("fill", 0.0))
    cap = given.get("cap", 1)
    if "cap" in given and (not output or not isinstance(cap, int) or cap < 1):
        message = "`cap` is how many entries an output has room for: a positive integer"
        raise fault("HST3008", message, call.span, "write `sparse(cap = 1024)` on an output")
    words.cap = int(cap) if "cap" in given else 0


def _check_fill(words: _Adjectives, dtype: DType) -> None:
    """Report a fill that is no value of the table's type."""
    if dtype.is_float:
        return
    low, high = 0, 1
    if dtype.is_integer:
        signed = dtype.kind is Kind.INT
        low, high = -(2 ** (dtype.bits - 1)) if signed else 0, 2 ** (dtype.bits - signed) - 1
    if not (low <= words.fill <= high and words.fill == int(words.fill)):
        message = f"the fill {words.fill:g} is no value of type {dtype}"
        help_ = f"write an integer in {low} .. {high}, or use a floating-point table"
        raise fault("HST3008", message, words.seen["sparse"], help_)


def _constant(expr: ast.Expr) -> int | float:
    match expr:
        case ast.Number(value):
            return value
        case ast.Constant("inf"):
            return float("inf")
        case ast.Negate(operand):
            return -_constant(operand)
        case _:
            raise fault("HST3008", "a number belongs here", expr.span, "write a number or `inf`")


# ------------------------------------------------------------------------------------------ formats
def _format(
    decl: ast.Param, catalogue: Catalogue, scalars: Mapping[str, Span], sparse: bool, dtype: DType
) -> Format | None:
    values = code(decl.values, catalogue.known.values, "value") if decl.values else None
    index = code(decl.index, catalogue.known.index, "index") if decl.index else None
    if decl.layout:
        layout = catalogue.expand(decl.layout, len(decl.shape), scalars)
    elif values or index:
        layout = _coded(len(decl.shape), sparse)
    else:
        return None
    layout = replace(layout, parts=tuple(_with_codes(p, values, index) for p in layout.parts))
    where = decl.values or decl.layout or decl.dtype
    for part in layout.parts:
        check_code(part.values, dtype, where.span)
    return layout


def _coded(rank: int, sparse: bool) -> Format:
    """A table of which only the codes are given: dense, or in levels the compiler chooses."""
    dims = tuple(f"d{i}" for i in range(rank))
    levels = () if sparse else tuple(LevelSpec("dense", Coord(d)) for d in dims)
    return Format("any" if sparse else "dense", dims, (Part(levels),))


def _with_codes(part: Part, values: CodeSpec | None, index: CodeSpec | None) -> Part:
    return replace(part, values=values or part.values, index=index or part.index)


# -------------------------------------------------------------------------------------------- sizes
def check_sizes(params: Sequence[Param]) -> None:
    """Report a size that inputs show but do not tell: ``X: f32[M * N]`` alone.

    A size that only outputs show is passed by name when the kernel is called.
    """
    told: set[str] = set()
    shown = [p for p in params if p.role != "out"]
    dims = [size for p in shown for size in p.shape]
    while True:
        found = {n for size in dims for n in _told_by(size, told)} - told
        if not found:
            break
        told |= found
    for param in shown:
        for name in size_names(param.shape):
            if name not in told:
                raise _untold(param, name)


def _told_by(size: Size, told: set[str]) -> list[str]:
    """Return the size that ``size`` tells if those ``told`` are known: one that is linear in it."""
    names = [n for n in size.names() if n not in told]
    if len(names) != 1:
        return []
    return names if _linear(size, names[0]) else []


def _linear(size: Size, name: str) -> bool:
    """True if ``size`` is ``a * name + b``, so that its value gives ``name``."""
    base = size.substitute({name: Size()})
    slope = combine("-", size.substitute({name: Size.of(1)}), base)
    again = None if slope is None else combine("+", slope * Size.of(name), base)
    return again == size


def _untold(param: Param, name: str) -> HasteError:
    assert param.span is not None  # declarations have spans
    message = f"the size `{name}` does not follow from the inputs"
    help_ = f"give a table a dimension that is just `{name}`"
    return fault("HST2003", message, param.span, help_)
