"""``schedule`` blocks: settings of a kernel that override what the compiler would choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from hastec.diag import Diagnostic, HasteError, Span
from hastec.front.fault import fault, meant
from hastec.grammar import ast
from hastec.ir.graph import Graph

PLAIN = ("warps", "stages", "unroll")
"""Settings that stand alone; ``tile`` names an index."""

Settings: TypeAlias = Mapping[str, tuple[int, Span]]
"""Values and places by name: ``tile(m = 64)`` is ``tile.m``, ``warps(4)`` is ``warps``."""


def read_schedules(module: ast.Module, found: dict[str, Settings]) -> Iterator[Diagnostic]:
    """Enter what ``schedule`` blocks ask for, by kernel; report those that name none."""
    kernels = {d.name.name: d for d in module.decls if isinstance(d, ast.KernelDecl)}
    for decl in module.decls:
        if not isinstance(decl, ast.ScheduleDecl):
            continue
        name = decl.kernel.name
        if name not in kernels:
            help_ = meant(name, kernels, "name a kernel of this program")
            yield Diagnostic("HST1020", f"there is no kernel `{name}`", decl.kernel.span, help_)
        elif name in found:
            message = f"the kernel `{name}` has two schedules"
            yield Diagnostic("HST1020", message, decl.kernel.span, "join them")
        else:
            try:
                found[name] = _read(decl)
            except HasteError as error:
                yield from error.diagnostics


def _read(decl: ast.ScheduleDecl) -> Settings:
    found: dict[str, tuple[int, Span]] = {}
    for call in decl.calls:
        for key, value, span in _settings(call):
            if key in found:
                raise fault("HST1020", f"`{key}` is set twice", span, "remove one of them")
            found[key] = value, span
    return found


def hints_of(graph: Graph, settings: Settings) -> tuple[tuple[str, int], ...]:
    """Return what a kernel's schedule asks for; HST1020 for settings that do not exist."""
    ranks = {r.name for r in graph.ranks}
    for name, (_, span) in settings.items():
        if name in PLAIN:
            continue
        word, _, index = name.partition(".")
        if word != "tile" or not index:
            help_ = meant(
                word, ("tile", *PLAIN), "set tile(i = 64), warps(4), stages(3), unroll(2)"
            )
            raise fault("HST1020", f"no schedule has the setting `{name}`", span, help_)
        if index not in ranks:
            help_ = meant(index, ranks, "name an index of the kernel")
            raise fault("HST1020", f"`{index}` is no index of {graph.name}", span, help_)
    return tuple((name, value) for name, (value, _) in settings.items())


def _settings(call: ast.Call) -> Iterator[tuple[str, int, Span]]:
    """Yield ``tile(m = 64)`` as (``tile.m``, 64), ``split(4)`` as (``split``, 4)."""
    name = call.name.name
    if len(call.args) > 1:
        raise fault("HST1020", f"`{name}` takes one number", call.span, "name the others")
    for value in call.args:
        yield name, _positive(value), value.span
    for option in call.options:
        if option.name is None:
            raise fault("HST1020", "a setting has a name", option.span, "write `name = 64`")
        yield f"{name}.{option.name.name}", _positive(option.value), option.span
    if not call.args and not call.options:
        yield name, 1, call.span


def _positive(expr: ast.Expr) -> int:
    if isinstance(expr, ast.Number) and isinstance(expr.value, int) and expr.value > 0:
        return expr.value
    raise fault("HST1020", "a setting is a positive integer", expr.span, "write a number")
