"""Functions before any use: their names mean something, and none is made of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hastec.diag import Note
from hastec.front.fault import fault, meant
from hastec.front.items import subject
from hastec.front.sizes import is_size
from hastec.grammar import ast


def check_names(fn: ast.FnDecl, fns: Mapping[str, ast.FnDecl]) -> None:
    """Report parameters of one name, names nobody binds, and recursion in ``fn``."""
    seen: dict[str, ast.Ident] = {}
    for name in (*fn.params, *fn.options):
        if name.name in seen:
            note = Note("the other one", seen[name.name].span)
            message = f"`{name.name}` is named twice"
            raise fault("HST1005", message, name.span, "use another name", note)
        seen[name.name] = name
    _walk(fn.body, frozenset(seen))
    _check_recursion(fn, fns)


def _walk(expr: ast.Expr, bound: frozenset[str]) -> None:
    match expr:
        case ast.Name(name, span) | ast.Item(ast.Ident(name, span)):
            if name not in bound and not (is_size(name) and isinstance(expr, ast.Name)):
                help_ = meant(name, sorted(bound), f"make `{name}` a parameter")
                raise fault("HST1001", f"`{name}` is no name known here", span, help_)
        case ast.Bracket(_, items):
            bound = bound.union(*(_bound(i) for i in items))
        case _:
            pass
    for child in ast.children(expr):
        _walk(child, bound)


def _bound(item: ast.Expr) -> set[str]:
    if isinstance(item, ast.Member) and isinstance(item.member, ast.Group):
        return {e.name for e in item.member.items if isinstance(e, ast.Name)}
    name = subject(item)
    return {name.name} if name else set()


def _check_recursion(fn: ast.FnDecl, fns: Mapping[str, ast.FnDecl]) -> None:
    """Follow the calls of ``fn`` until they lead back to it; each function is looked at once."""
    todo = list(_calls(fn.body))
    seen: set[str] = set()
    while todo:
        call = todo.pop()
        name = call.name.name
        if name == fn.name.name:
            message = f"`{name}` is made of itself"
            note = Note("declared here", fn.name.span)
            help_ = "write it without recursion: functions are written out where they are used"
            raise fault("HST1010", message, call.span, help_, note)
        if name in fns and name not in seen:
            seen.add(name)
            todo += _calls(fns[name].body)


def _calls(expr: ast.Expr) -> Iterator[ast.Call]:
    todo = [expr]
    while todo:
        at = todo.pop()
        if isinstance(at, ast.Call):
            yield at
        todo += ast.children(at)
