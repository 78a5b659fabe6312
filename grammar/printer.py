"""Syntax tree to text, without the comments and line breaks of any source.

``parse(show(module)) == module``. People's files go through :mod:`hastec.grammar.formatter`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from hastec.grammar import ast
from hastec.text import Lines

CONDITIONAL, OR, AND, NOT, COMPARE, SUM, PRODUCT, SIGN, ATOM = range(9)
"""How tightly an expression holds together, loosest first."""

_SUMS = frozenset("+-")


def show(module: ast.Module) -> str:
    """Return a program as text that parses back to the same tree."""
    out = Lines()
    out.add("haste 1")
    for decl in module.decls:
        out.add("")
        _declaration(out, decl)
    return str(out)


def _declaration(out: Lines, decl: ast.Decl) -> None:
    match decl:
        case ast.FormatDecl(name, dims, options, layout):
            out.add(f"format {_signature(name, dims, options)} = {_layout(layout)}")
        case ast.FnDecl(word, name, params, options, body):
            out.add(f"{word} {_signature(name, params, options)} = {show_expr(body)}")
        case ast.MonoidDecl(name, params, clauses):
            _block(out, f"monoid {_signature(name, params, ())}", map(_clause, clauses))
        case ast.KernelDecl():
            _block(out, _header(decl), map(show_statement, decl.body))
        case ast.ScheduleDecl(kernel, calls):
            _block(out, f"schedule {kernel.name}", map(_word, calls))
        case _ as never:
            assert_never(never)


def _block(out: Lines, head: str, lines: Iterable[str]) -> None:
    out.add(head + " {")
    with out.indented():
        out.add(*lines)
    out.add("}")


def _signature(name: ast.Ident, params: Iterable[ast.Ident], options: tuple[ast.Ident, ...]) -> str:
    inside = ", ".join(p.name for p in params)
    if options:
        inside += "; " + ", ".join(o.name for o in options)
    return f"{name.name}({inside})"


def _clause(clause: ast.Clause) -> str:
    return f"{clause.word.name} {', '.join(map(_option, clause.fields))}"


def _header(kernel: ast.KernelDecl) -> str:
    text = f"kernel {kernel.name.name}({', '.join(map(show_param, kernel.params))})"
    if kernel.outputs:
        text += f" -> {', '.join(map(show_param, kernel.outputs))}"
    return text


def show_param(param: ast.Param) -> str:
    """Return a declared table as text."""
    text = " ".join((f"{param.name.name}:", *map(_word, param.adjectives), param.dtype.name))
    if param.shape:
        text += f"[{_list(param.shape)}]"
    if param.layout:
        text += f" @ {_word(param.layout)}"
    text += _codes(param.values, param.index)
    return text + (f" like {param.like.name}" if param.like else "")


def show_statement(stmt: ast.Statement) -> str:
    """Return a statement as text."""
    text = stmt.target.name
    if stmt.subs is not None:
        text += f"[{_list(stmt.subs)}]"
    text += f" {stmt.op} {show_expr(stmt.value)}"
    return text + (f"  for {_list(stmt.ranges)}" if stmt.ranges else "")


# ----------------------------------------------------------------------------------------- formats
def _layout(layout: ast.Layout) -> str:
    match layout:
        case ast.Levels(calls, values, index):
            return ", ".join(map(_word, calls)) + _codes(values, index)
        case ast.Sum(parts):
            return " + ".join(_part(p) for p in parts)
        case ast.Cut(condition, below, above):
            first = _layout(below)
            if not isinstance(below, ast.Sum):
                first = f"({first})"
            return f"{first} if {show_expr(condition)} else {_layout(above)}"
        case _ as never:
            assert_never(never)


def _part(layout: ast.Layout) -> str:
    return _layout(layout) if isinstance(layout, ast.Levels) else f"({_layout(layout)})"


def _codes(values: ast.Call | None, index: ast.Call | None) -> str:
    text = f" values {_word(values)}" if values else ""
    return text + (f" index {_word(index)}" if index else "")


# ------------------------------------------------------------------------------------- expressions
def show_expr(expr: ast.Expr) -> str:
    """Return an expression as text, with the parentheses it needs."""
    return _show(expr)[0]


def _in(expr: ast.Expr, least: int) -> str:
    text, level = _show(expr)
    return text if level >= least else f"({text})"


def _list(exprs: Iterable[ast.Expr]) -> str:
    return ", ".join(map(show_expr, exprs))


def _show(expr: ast.Expr) -> tuple[str, int]:
    match expr:
        case ast.Number(value):
            return repr(value), ATOM
        case ast.Constant(word) | ast.Name(word):
            return word, ATOM
        case ast.Item(table, subs):
            return f"{table.name}[{_list(subs)}]", ATOM
        case ast.Field(state, name):
            return f"{state.name}.{name.name}", ATOM
        case ast.Negate(operand):
            return f"-{_in(operand, SIGN)}", SIGN
        case ast.Not(operand):
            return f"not {_in(operand, NOT)}", NOT
        case ast.Logic(op, operands):
            level = AND if op == "and" else OR
            return f" {op} ".join(_in(e, level + 1) for e in operands), level
        case ast.Conditional(condition, then, otherwise):
            head = f"{_in(then, OR)} if {_in(condition, OR)}"
            return f"{head} else {show_expr(otherwise)}", CONDITIONAL
        case ast.Group(items):
            return f"({_list(items)})", ATOM
        case ast.Call(name, args, options):
            return _call(name.name, args, options), ATOM
        case _:
            return _operators(expr)


def _operators(
    expr: ast.Chain | ast.Compare | ast.Member | ast.Bracket,
) -> tuple[str, int]:
    match expr:
        case ast.Chain(first, rest):
            level = SUM if rest[0][0] in _SUMS else PRODUCT
            return _links(first, rest, PRODUCT if level == SUM else SIGN), level
        case ast.Compare(first, rest):
            return _links(first, rest, SUM), COMPARE
        case ast.Member(member, pattern, stop):
            text = f"{_in(member, SUM)} in {_in(pattern, SUM)}"
            return text + ("" if stop is None else f" .. {_in(stop, SUM)}"), COMPARE
        case ast.Bracket(name, items, args, options):
            head = f"{name.name}[{_list(items)}]"
            body = _in(args[0], PRODUCT) if expr.open else ""
            if body and not body.startswith("("):
                return f"{head} {body}", PRODUCT
            return head + _call("", args, options), ATOM
        case _ as never:
            assert_never(never)


def _links(first: ast.Expr, rest: Iterable[tuple[str, ast.Expr]], least: int) -> str:
    return _in(first, least) + "".join(f" {op} {_in(e, least)}" for op, e in rest)


def _call(name: str, args: tuple[ast.Expr, ...], options: tuple[ast.Option, ...]) -> str:
    inside = _list(args)
    if options:
        # Without arguments, named options need no semicolon, and unnamed ones cannot do without.
        plain = not args and all(o.name and o.name.name != "always" for o in options)
        inside += ("" if plain else "; ") + ", ".join(map(_option, options))
    return f"{name}({inside})"


def _word(call: ast.Call) -> str:
    """Return a level, a code, an adjective: without parentheses if there is nothing in them."""
    return show_expr(call).removesuffix("()")


def _option(option: ast.Option) -> str:
    value = option.value
    if option.name is None:
        return show_expr(value)
    if option.name.name == "always":
        return f"always {_in(value, OR)}"
    return f"{option.name.name} = {show_expr(value)}"
