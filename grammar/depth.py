"""How deep a syntax tree is, found without recursion, so that everything later may recurse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from hastec.diag import Span
from hastec.grammar import ast
from hastec.grammar.logical import MAX_NESTING

MAX_DEPTH = 2 * MAX_NESTING
"""A bracket adds about two levels to a tree: itself, and the operator it stands at."""


def too_deep(decl: ast.Decl) -> Span | None:
    """Return where an expression of ``decl`` is deeper than ``MAX_DEPTH``, if one is."""
    for root in roots(decl):
        level: list[ast.Expr] = [root]
        for _ in range(MAX_DEPTH):
            level = [child for expr in level for child in ast.children(expr)]
            if not level:
                break
        else:
            return level[0].span
    return _deep_layout(decl.layout) if isinstance(decl, ast.FormatDecl) else None


def _deep_layout(layout: ast.Layout) -> Span | None:
    level = [layout]
    for _ in range(MAX_DEPTH):
        inner: list[ast.Layout] = []
        for at in level:
            match at:
                case ast.Sum(parts):
                    inner += parts
                case ast.Cut(_, below, above):
                    inner += (below, above)
                case ast.Levels():
                    pass
        if not inner:
            return None
        level = inner
    return level[0].span


def roots(decl: ast.Decl) -> Iterator[ast.Expr]:
    """Yield the expressions that stand directly in a declaration."""
    match decl:
        case ast.FnDecl(body=body):
            yield body
        case ast.MonoidDecl(clauses=clauses):
            yield from (f.value for c in clauses for f in c.fields)
        case ast.KernelDecl(params=params, outputs=outputs, body=body_):
            for param in (*params, *outputs):
                yield from _param(param)
            for stmt in body_:
                yield from (*(stmt.subs or ()), stmt.value, *stmt.ranges)
        case ast.ScheduleDecl(calls=calls):
            yield from calls
        case ast.FormatDecl(layout=layout):
            yield from _layout(layout)
        case _ as never:
            assert_never(never)


def _param(param: ast.Param) -> Iterator[ast.Expr]:
    yield from (*param.shape, *param.adjectives)
    yield from (c for c in (param.layout, param.values, param.index) if c)


def _layout(layout: ast.Layout) -> Iterator[ast.Expr]:
    todo = [layout]
    while todo:
        at = todo.pop()
        match at:
            case ast.Levels(calls, values, index):
                yield from calls
                yield from (c for c in (values, index) if c)
            case ast.Sum(parts):
                todo += reversed(parts)
            case ast.Cut(condition, below, above):
                yield condition
                todo += [above, below]
            case _ as never:
                assert_never(never)
