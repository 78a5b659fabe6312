"""Text to syntax tree: what is one statement, what binds how tightly, what is collected."""

from __future__ import annotations

from pathlib import Path

import pytest

from hastec.diag import HasteError, Source
from hastec.grammar import ast
from hastec.grammar.depth import MAX_DEPTH
from hastec.grammar.logical import MAX_NESTING
from hastec.grammar.parser import MAX_ERRORS, parse
from hastec.grammar.printer import show, show_expr
from hastec.grammar.tokens import MAX_NAME

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.haste"))


def program(text: str) -> ast.Module:
    return parse(Source("test", text))


def expr(text: str) -> ast.Expr:
    (fn,) = program(f"fn f(x) = {text}").decls
    assert isinstance(fn, ast.FnDecl)
    return fn.body


def fails(text: str) -> list[str]:
    with pytest.raises(HasteError) as caught:
        program(text)
    return [d.code for d in caught.value.diagnostics]


def shape(e: ast.Expr) -> str:
    """Return an expression with every operation in parentheses."""
    match e:
        case ast.Chain(first, rest) | ast.Compare(first, rest):
            return "(" + shape(first) + "".join(f" {op} {shape(x)}" for op, x in rest) + ")"
        case ast.Logic(op, operands):
            return "(" + f" {op} ".join(map(shape, operands)) + ")"
        case ast.Negate(x):
            return f"(-{shape(x)})"
        case ast.Not(x):
            return f"(not {shape(x)})"
        case ast.Conditional(c, a, b):
            return f"({shape(a)} if {shape(c)} else {shape(b)})"
        case ast.Member(x, p, None):
            return f"({shape(x)} in {shape(p)})"
        case ast.Member(x, p, stop):
            assert stop is not None
            return f"({shape(x)} in {shape(p)} .. {shape(stop)})"
        case ast.Bracket(name, items, args):
            return f"{name.name}[{', '.join(map(shape, items))}]({', '.join(map(shape, args))})"
        case _:
            return show_expr(e)


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("a + b * c - d", "(a + (b * c) - d)"),
        ("a / b * c % d", "(a / b * c % d)"),
        ("-a * b", "((-a) * b)"),
        ("a xnor b * c", "(a xnor b * c)"),
        ("not a and b or c", "(((not a) and b) or c)"),
        ("not a < b", "(not (a < b))"),
        ("a < b <= c", "(a < b <= c)"),
        ("i - j in 0 .. n + 1", "((i - j) in 0 .. (n + 1))"),
        ("j in T * 64 and k", "((j in (T * 64)) and k)"),
        ("a if c else b if d else e", "(a if c else (b if d else e))"),
        ("sum[k] a * b + c", "(sum[k]((a * b)) + c)"),
        ("sum[k] (a + b) * c", "(sum[k]((a + b)) * c)"),
        ("sum[k] ((a + b) * c)", "sum[k](((a + b) * c))"),
        ("p * sum[k] a * b / c", "(p * sum[k]((a * b / c)))"),
        ("sum[i] sum[k] a * b", "sum[i](sum[k]((a * b)))"),
        ("sum[k] -a * b", "sum[k](((-a) * b))"),
        ("-sum[k] a * b", "(-sum[k]((a * b)))"),
        ("a - sum[k] b - c", "(a - sum[k](b) - c)"),
        ("sum[j in P] softmax[j](s) * v", "sum[(j in P)]((softmax[j](s) * v))"),
        ("max[k] a * (b + c)", "max[k]((a * (b + c)))"),
        ("x[i] * rec[s <= t](g, x)", "(x[i] * rec[(s <= t)](g, x))"),
    ],
)
def test_what_binds_how_tightly(text: str, grouped: str) -> None:
    assert shape(expr(text)) == grouped


def test_an_open_reduction_means_the_closed_one() -> None:
    assert expr("sum[k] a * b") == expr("sum[k](a * b)")


@pytest.mark.parametrize(
    "text",
    [
        "kernel k(\n  a: f32[N],\n\n  b: f32) -> y: f32[N] {\n y[i] =\n a[i] + # more\n\n b }",
        "kernel k(a: f32[N], b: f32) ->\n y: f32[N] {\n y[i] = a[i\n] + b\n\n\n}\n\n",
        "kernel k(a: f32[N], b: f32) -> y: f32[N] { y[i] = a[i] + b }",
        "haste 1\r\nkernel k(a: f32[N], b: f32) -> y: f32[N] {\r\n\ty[i] = a[i] + b\r\n}",
    ],
)
def test_where_a_line_ends_a_statement(text: str) -> None:
    (k,) = program(text).decls
    assert isinstance(k, ast.KernelDecl)
    assert [s.target.name for s in k.body] == ["y"]
    assert show_expr(k.body[0].value) == "a[i] + b"


def test_two_statements_need_two_lines() -> None:
    assert fails("kernel k(a: f32) -> y: f32, z: f32 { y = a z = a }") == ["HST0002"]


def test_spans_point_at_the_text() -> None:
    text = "kernel k(a: f32[N]) -> y: f32[N] {\n    y[i] = sum[k] (a[k] - b) * 2  for i < 3\n}"
    (k,) = program(text).decls
    assert isinstance(k, ast.KernelDecl)
    (stmt,) = k.body
    line = text.splitlines()[1]
    value = stmt.value
    assert line[stmt.span.column - 1 : stmt.span.end_column - 1] == line.strip()
    assert isinstance(value, ast.Chain)
    first = value.first.span
    assert line[first.column - 1 : first.end_column - 1] == "sum[k] (a[k] - b)"


def test_an_error_does_not_hide_the_next_declaration() -> None:
    text = "fn f(x) = x +\nfn g(x) = (x\nfn h(x) = x\nfn i(x) = x]\n"
    assert fails(text) == ["HST0002", "HST0004", "HST0003"]


def test_errors_are_not_endless() -> None:
    assert len(fails("fn f(x) = x +\n" * 100)) == MAX_ERRORS


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "# only a remark", "haste 1", "haste 1\n# end", "\nhaste 1\n\nfn f(x) = x\n"],
)
def test_texts_with_little_in_them(text: str) -> None:
    program(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("haste 2", "HST0008"),
        ("haste", "HST0008"),
        ("haste 1 1", "HST0008"),
        ("fn f(x) = x\nhaste 1", "HST0011"),
        ("haste 1\nhaste 1", "HST0011"),
        ("fn f(x) = 9223372036854775808", "HST0009"),
        ("fn f(x) = " + "9" * 5000, "HST0009"),
        ("fn f(x) = 1e999", "HST0009"),
        ("fn f(x) = a" + "b" * MAX_NAME, "HST0007"),
        ("fn sum(x) = x", "HST0005"),
        ("fn f(index) = index", "HST0005"),
        ("fn f(x) = x\x00", "HST0001"),
        ("fn f(x) = \uff58", "HST0001"),
        ("fn f(x) = (" * 1000, "HST0006"),
        ("fn f(x) = " + "(" * (MAX_NESTING + 1) + "x" + ")" * (MAX_NESTING + 1), "HST0006"),
        ("fn f(x) = " + "-" * (MAX_DEPTH + 1) + "x", "HST0006"),
        ("fn f(x) = " + "not " * 100_000 + "x", "HST0006"),
        ("fn f(x) = " + "x if x else " * 10_000 + "x", "HST0006"),
        ("fn f(x) = " + "sum[k] " * 10_000 + "x", "HST0006"),
        ("format f(i; c) = " + "dense(i) if i < c else " * 10_000 + "dense(i)", "HST0006"),
    ],
)
def test_limits(text: str, code: str) -> None:
    assert fails(text)[0] == code


@pytest.mark.parametrize(
    "text",
    [
        "fn f(x) = 9223372036854775807",
        "fn f(x) = 1e300 + 0.5 + 2.5E-7",
        "fn f(x) = " + " + ".join(["x"] * 20_000),
        "fn f(x) = " + " and ".join(["x < 1"] * 20_000),
        "fn f(x) = " + "(" * MAX_NESTING + "x" + ")" * MAX_NESTING,
        "fn f(x) = " + "abs(" * (MAX_NESTING - 1) + "x" + ")" * (MAX_NESTING - 1),
        "fn one(merge) = give(merge)",
    ],
)
def test_what_is_still_allowed(text: str) -> None:
    program(text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_printed_trees_read_back(path: Path) -> None:
    module = parse(Source(path.name, path.read_text()))
    assert program(show(module)) == module


@pytest.mark.parametrize(
    "text",
    [
        "a - (b - c)", "(a - b) - c", "(a * b) / (c * d)", "-(-a)", "-(a + b)", "not (a and b)",
        "(a if b else c) + d", "a if (b if c else d) else e", "(a < b) == c", "sum[k] (a) * b",
        "(sum[k] a * b) * c", "sum[k] ((a + b) * c)", "(sum[k] a) / sum[l] b", "f(x; 3, k = 4)",
        "topk[l, l < n](s; k = 8, always l == 0 or c, always d)", "(a, b) in T", "(a in b) in c",
        "a in (b .. c) .. d".replace("(b .. c)", "b"), "x if y in 0 .. 4 else f(; 3)", "f()",
        "(not a) in b", "-1 in -2 .. -3", "a xor -b", "sum[k] -(a + b) * c", "1e-07 * x",
    ],
)  # fmt: skip
def test_printed_expressions_read_back(text: str) -> None:
    tree = expr(text)
    assert expr(show_expr(tree)) == tree
