"""A program's syntax tree to graphs, one for each kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import TypeVar

from hastec.diag import Diagnostic, HasteError, Note, Source
from hastec.front.formats import Catalogue
from hastec.front.free import check_names
from hastec.front.kernel import build_kernel
from hastec.front.monoids import monoid
from hastec.front.ready import READY, Known
from hastec.front.schedules import Settings, hints_of, read_schedules
from hastec.front.state import Program
from hastec.grammar import ast
from hastec.grammar.parser import MAX_ERRORS, parse
from hastec.ir.graph import Graph, Monoid
from hastec.ir.scalars import SCALARS
from hastec.ir.types import BY_NAME

T = TypeVar("T")
Named = TypeVar("Named", ast.FormatDecl, ast.FnDecl, ast.MonoidDecl, ast.KernelDecl)


def check(source: Source, known: Known | None = None) -> tuple[Graph, ...]:
    """Return the graphs of a program's kernels, in order.

    Raises ``HasteError`` that points into ``source`` with up to 20 diagnostics.
    """
    try:
        return build(parse(source), known)
    except HasteError as error:
        raise error.at(source) from None


def build(module: ast.Module, known: Known | None = None) -> tuple[Graph, ...]:
    """Return the graphs of the kernels of ``module``; ``known`` are the levels and codes there are.

    Raises ``HasteError`` with what is wrong with any of its declarations.
    """
    problems: list[Diagnostic] = []
    formats = _named(module, ast.FormatDecl)
    ready = frozenset(_ready()) - formats.keys()
    catalogue = Catalogue({**_ready(), **formats}, known or Known(), ready)
    fns = _named(module, ast.FnDecl)
    problems += _twice(module)
    problems += _each(formats.values(), catalogue.check)
    problems += _each(fns.values(), lambda fn: check_names(fn, fns))
    monoids: dict[str, Monoid] = {}

    def enter(decl: ast.MonoidDecl) -> None:
        monoids[decl.name.name] = monoid(decl, fns)

    if not problems:
        problems += _each(_named(module, ast.MonoidDecl).values(), enter)
    settings: dict[str, Settings] = {}
    problems += read_schedules(module, settings)
    graphs: list[Graph] = []
    if not problems:
        program = Program(fns, monoids)

        def read(decl: ast.KernelDecl) -> None:
            graph = build_kernel(decl, program, catalogue)
            hints = hints_of(graph, settings.get(decl.name.name, {}))
            graphs.append(replace(graph, hints=hints))

        problems += _each(_named(module, ast.KernelDecl).values(), read)
    if problems:
        raise HasteError(*problems[:MAX_ERRORS])
    return tuple(graphs)


def _each(decls: Iterable[T], action: Callable[[T], None]) -> list[Diagnostic]:
    """Do ``action`` for each declaration and return what it reports."""
    found: list[Diagnostic] = []
    for decl in decls:
        try:
            action(decl)
        except HasteError as error:
            found += error.diagnostics
    return found


@cache
def _ready() -> Mapping[str, ast.FormatDecl]:
    return MappingProxyType(_named(parse(Source("<ready>", READY)), ast.FormatDecl))


def _named(module: ast.Module, kind: type[Named]) -> dict[str, Named]:
    """Return the declarations of one kind by name, the first of each."""
    found: dict[str, Named] = {}
    for decl in module.decls:
        if isinstance(decl, kind):
            found.setdefault(decl.name.name, decl)
    return found


def _twice(module: ast.Module) -> Iterator[Diagnostic]:
    """Report names that are declared twice, or that the language has taken.

    Formats and kernels have names of their own; functions, patterns and monoids share theirs.
    """
    seen: dict[tuple[str, str], ast.Ident] = {}
    for decl in module.decls:
        if isinstance(decl, ast.ScheduleDecl):
            continue
        shared = isinstance(decl, ast.FnDecl | ast.MonoidDecl)
        key = ("fn" if shared else type(decl).__name__, decl.name.name)
        if key in seen:
            note = Note("it is declared here", seen[key].span)
            message = f"`{decl.name.name}` is declared twice"
            yield Diagnostic("HST1008", message, decl.name.span, "use another name", (note,))
        seen.setdefault(key, decl.name)
        public = decl.name.name in SCALARS and SCALARS[decl.name.name].public
        if shared and (public or decl.name.name in ("bit", *BY_NAME)):
            message = f"`{decl.name.name}` is a function of the language"
            yield Diagnostic("HST1005", message, decl.name.span, "use another name")
