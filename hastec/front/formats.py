"""Declared formats to :class:`hastec.ir.format.Format`: options filled in, formats spliced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hastec.diag import HasteError, Note, Span
from hastec.front.codes import code, fill
from hastec.front.fault import fault, meant
from hastec.front.ready import Known
from hastec.grammar import ast
from hastec.ir.format import Coord, Cut, Format, LevelSpec, Part
from hastec.text import counted

MAX_PARTS = 16
MAX_INSIDE = 16
"""How deep formats may use formats."""

Argument = int | str
"""An option of a format: a number, or the name of a size or a scalar input (a run-time cut)."""
Layout = tuple[tuple[Part, ...], Cut | None]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The formats a program declares or finds ready, and the levels and codes there are."""

    formats: Mapping[str, ast.FormatDecl]
    known: Known
    ready: frozenset[str] = frozenset()
    """Formats that no program declares: their text is not the user's."""

    def expand(self, call: ast.Call, rank: int, scalars: Mapping[str, Span]) -> Format:
        """Return the format ``call`` asks for, over a table of ``rank`` dimensions.

        A format of fewer dimensions lays out the last ones; those before are dense. ``scalars``
        are the names a run-time cut may use.
        """
        decl = self.formats.get(call.name.name)
        if decl is None:
            help_ = meant(call.name.name, self.formats, "declare it: `format name(i, j) = …`")
            message = f"there is no format `{call.name.name}`"
            raise fault("HST3001", message, call.name.span, help_)
        dims, name = tuple(d.name for d in decl.dims), decl.name.name
        if len(dims) > rank:
            message = f"`{name}` lays out {counted(len(dims), 'dimension')}, the table has {rank}"
            notes = () if name in self.ready else (Note("declared here", decl.name.span),)
            raise fault("HST3007", message, call.span, "use another format", *notes)
        given = self._arguments(decl, call, scalars)
        parts, cut = _Expansion(self, decl, dict(given)).layout(decl.layout)
        outer = _outer(dims, rank - len(dims))
        leading = tuple(LevelSpec("dense", Coord(d)) for d in outer)
        parts = tuple(replace(p, levels=(*leading, *p.levels)) for p in parts)
        numbers = tuple((k, v) for k, v in given if isinstance(v, int))
        return Format(name, (*outer, *dims), parts, cut, numbers)

    def _arguments(
        self, decl: ast.FormatDecl, call: ast.Call, scalars: Mapping[str, Span]
    ) -> tuple[tuple[str, Argument], ...]:
        what, names = f"the format `{decl.name.name}`", [o.name for o in decl.options]
        given = fill(what, names, call, lambda e: _argument(e, scalars), required=True)
        runs = _cut_options(decl.layout)
        for name, value in given:
            if isinstance(value, str) and name not in runs:
                message = f"the option `{name}` of `{decl.name.name}` is a number"
                raise fault("HST3004", message, call.span, f"write a number for `{value}`")
        return given

    def check(self, decl: ast.FormatDecl) -> None:
        """Report what is wrong with a declaration, used or not."""
        runs = _cut_options(decl.layout)
        given: dict[str, Argument] = {o.name: o.name if o.name in runs else 2 for o in decl.options}
        _Expansion(self, decl, given).layout(decl.layout)


def _outer(dims: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return names for the dimensions a format does not mention."""
    free = [n for n in (f"d{i}" for i in range(count + len(dims))) if n not in dims]
    return tuple(free[:count])


def _argument(expr: ast.Expr, scalars: Mapping[str, Span]) -> Argument:
    match expr:
        case ast.Number(int(value)) if value > 0:
            return value
        case ast.Name(name) if name in scalars:
            return name
        case ast.Name(name):
            help_ = meant(name, scalars, "declare it as an integer input without brackets")
            raise fault("HST3004", f"`{name}` is no size or scalar input", expr.span, help_)
        case _:
            message = "an option of a format is a positive integer, a size or a scalar input"
            raise fault("HST3004", message, expr.span, "write a number")


def _cut_options(layout: ast.Layout) -> set[str]:
    found: set[str] = set()
    todo = [layout]
    while todo:
        at = todo.pop()
        if isinstance(at, ast.Cut):
            todo += [at.below, at.above]
            if isinstance(at.condition, ast.Compare):
                found |= {e.name for _, e in at.condition.rest if isinstance(e, ast.Name)}
        elif isinstance(at, ast.Sum):
            todo += at.parts
    return found


@dataclass(frozen=True, slots=True)
class _Expansion:
    """One format with its options given; ``inside`` are the formats it is used by."""

    catalogue: Catalogue
    decl: ast.FormatDecl
    given: Mapping[str, Argument]
    inside: tuple[str, ...] = ()

    def layout(self, layout: ast.Layout) -> Layout:
        """Return the parts of a layout, and the cut that joins them."""
        match layout:
            case ast.Levels():
                return self._levels(layout)
            case ast.Sum(parts):
                found: list[Part] = []
                for part in parts:
                    found += self._plain(part, "a sum")
                    if len(found) > MAX_PARTS:
                        message = f"this format has more than {MAX_PARTS} parts"
                        raise fault("HST3012", message, layout.span, "use fewer parts")
                return tuple(found), None
            case ast.Cut(condition, below, above):
                cut = self._cut(condition)
                for half in (below, above):
                    if isinstance(half, ast.Cut):
                        raise fault("HST3006", "a cut inside a cut", half.span, "use one cut")
                halves = (self._single(below), self._single(above))
                return halves, cut

    def _plain(self, layout: ast.Layout, what: str) -> tuple[Part, ...]:
        parts, cut = self.layout(layout)
        if cut is not None:
            message = f"{what} cannot contain a cut"
            raise fault("HST3006", message, layout.span, "put the cut outermost")
        return parts

    def _single(self, layout: ast.Layout) -> Part:
        parts = self._plain(layout, "a cut")
        if len(parts) != 1:
            message = "a cut joins two layouts of one part each"
            raise fault("HST3006", message, layout.span, "use one part on each side")
        return parts[0]

    def _cut(self, condition: ast.Expr) -> Cut:
        dims = {d.name for d in self.decl.dims}
        match condition:
            case ast.Compare(ast.Name(dim), (("<", ast.Name(bound)),)) if dim in dims:
                value = self.given.get(bound)
                if isinstance(value, str):
                    return Cut(dim, value)
        message = "a cut is `dim < c`, where `c` is an option: a size or a scalar input"
        help_ = f"write `{self.decl.dims[0].name} < c` and give `c` behind `@`"
        raise fault("HST3006", message, condition.span, help_)

    # ------------------------------------------------------------------------------------ levels
    def _levels(self, layout: ast.Levels) -> Layout:
        known = self.catalogue.known
        values = code(layout.values, known.values, "value") if layout.values else None
        index = code(layout.index, known.index, "index") if layout.index else None
        parts = self._parts(layout)
        if values:
            parts = tuple(replace(p, values=values) for p in parts)
        if index:
            parts = tuple(replace(p, index=index) for p in parts)
        for part in parts:
            self._complete(part, layout.span)
        return parts, None

    def _parts(self, layout: ast.Levels) -> tuple[Part, ...]:
        levels: list[LevelSpec] = []
        for call in layout.calls:
            if call.name.name in self.catalogue.known.levels:
                levels.append(self._level(call))
                continue
            parts = self._format(call)
            if len(layout.calls) == 1:
                return parts
            if len(parts) != 1:
                message = f"`{call.name.name}` has several parts and cannot stand beside a level"
                raise fault("HST3005", message, call.span, "use it alone, or in a sum")
            levels += parts[0].levels
        return (Part(tuple(levels)),)

    def _format(self, call: ast.Call) -> tuple[Part, ...]:
        """Splice another format: its dimensions are ours, by place."""
        name = call.name.name
        decl = self.catalogue.formats.get(name)
        if decl is None:
            known = (*self.catalogue.known.levels, *self.catalogue.formats)
            help_ = meant(name, known, f"use one of {', '.join(self.catalogue.known.levels)}")
            raise fault("HST3002", f"there is no level `{name}`", call.name.span, help_)
        if name in (*self.inside, self.decl.name.name) or len(self.inside) > MAX_INSIDE:
            message = f"the format `{name}` is made of itself, or of too many others"
            raise fault("HST3012", message, call.span, "use levels, or another format")
        dims = {d.name for d in self.decl.dims}
        given = [a.name for a in call.args if isinstance(a, ast.Name) and a.name in dims]
        if len(given) != len(call.args) or len(given) != len(decl.dims):
            message = f"`{name}` takes {counted(len(decl.dims), 'dimension')} of this format"
            help_ = f"write `{name}({', '.join(sorted(dims))})`"
            raise fault("HST3005", message, call.span, help_)
        names = [o.name for o in decl.options]
        options = fill(f"the format `{name}`", names, call, self._number_or_name,
                       given=call.options, required=True)  # fmt: skip
        inner = _Expansion(self.catalogue, decl, dict(options), (*self.inside, self.decl.name.name))
        parts, cut = inner.layout(decl.layout)
        if cut is not None:
            raise fault("HST3006", f"`{name}` has a cut", call.span, "put the cut outermost")
        renamed = dict(zip((d.name for d in decl.dims), given, strict=True))
        return tuple(_rename(p, renamed) for p in parts)

    def _number_or_name(self, expr: ast.Expr) -> Argument:
        if isinstance(expr, ast.Name) and isinstance(self.given.get(expr.name), str):
            return self.given[expr.name]
        return self._number(expr)

    def _level(self, call: ast.Call) -> LevelSpec:
        if len(call.args) != 1:
            message = f"`{call.name.name}` stores one coordinate"
            raise fault("HST3005", message, call.span, f"write `{call.name.name}(i)`")
        names = self.catalogue.known.levels[call.name.name]
        options = fill(f"the level `{call.name.name}`", names, call, self._option,
                       given=call.options)  # fmt: skip
        return LevelSpec(call.name.name, self._coord(call.args[0]), options)

    def _option(self, expr: ast.Expr) -> int | str | Coord:
        dims = {d.name for d in self.decl.dims}
        first = expr.first if isinstance(expr, ast.Chain) else expr
        if isinstance(first, ast.Name) and first.name in dims:
            return self._coord(expr)
        return self._number(expr)

    def _coord(self, expr: ast.Expr) -> Coord:
        dims = [d.name for d in self.decl.dims]
        match expr:
            case ast.Name(dim) if dim in dims:
                return Coord(dim)
            case ast.Chain(ast.Name(dim), (("/" | "%" as op, by),)) if dim in dims:
                return Coord(dim, "/" if op == "/" else "%", self._number(by))
            case _:
                message = "a level stores a dimension `i`, or `i / c` or `i % c`"
                raise fault("HST3005", message, expr.span, f"write `{dims[0]}`")

    def _number(self, expr: ast.Expr) -> int:
        match expr:
            case ast.Number(int(value)):
                return value
            case ast.Name(name) if isinstance(self.given.get(name), int):
                return int(self.given[name])
            case ast.Name(name):
                options = [o.name for o in self.decl.options]
                help_ = meant(name, options, "write a number or an option of the format")
                raise fault("HST3004", f"`{name}` is not a number here", expr.span, help_)
            case _:
                message = "a number or an option of the format belongs here"
                raise fault("HST3004", message, expr.span, "write a number")

    def _complete(self, part: Part, span: Span) -> None:
        """Every dimension is stored once: as it is, or as quotient and remainder."""
        for dim in self.decl.dims:
            coords = [level.coord for level in part.levels if level.coord.dim == dim.name]
            ops = sorted(c.op for c in coords)
            pair = ops == ["%", "/"] and coords[0].by == coords[1].by
            if not (ops == [""] or pair) or any(c.by < 1 for c in coords):
                raise _incomplete(dim.name, coords, span)


def _incomplete(dim: str, coords: list[Coord], span: Span) -> HasteError:
    shown = ", ".join(f"`{c}`" for c in coords) or "nothing"
    message = (
        f"the levels of dimension `{dim}` are {shown}: that does not give each coordinate once"
    )
    return fault("HST3005", message, span, f"store `{dim}`, or `{dim} / c` and `{dim} % c`")


def _rename(part: Part, names: Mapping[str, str]) -> Part:
    def coord(c: Coord) -> Coord:
        return replace(c, dim=names[c.dim])

    levels = tuple(
        LevelSpec(
            level.kind,
            coord(level.coord),
            tuple((k, coord(v) if isinstance(v, Coord) else v) for k, v in level.options),
        )
        for level in part.levels
    )
    return replace(part, levels=levels)
