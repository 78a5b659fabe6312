"""Text of generated Python: as few brackets as the meaning allows, lines that fit, good names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import reduce
from typing import TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hastec.backends.triton.fold import folded
from hastec.backends.triton.names import RESERVED, Names
from hastec.backends.triton.states import in_order, moved
from hastec.backends.triton.text import Expr, call, filled, infix, literal, size_expr
from hastec.ir.kernel import Kernel, Table
from hastec.ir.types import BF16, BOOL, F16, F32, I32
from hastec.sym.size import Size

Pair: TypeAlias = tuple[Expr, str]
SIGNS = ("+", "-", "*", "//", "%", "<<", ">>", "&", "|", "^", "<", "==")


def _joined(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    return st.tuples(inner, st.sampled_from(SIGNS), inner).map(
        lambda p: (infix(p[0][0], p[1], p[2][0]), f"({p[0][1]} {p[1]} {p[2][1]})")
    )


def trees() -> st.SearchStrategy[Pair]:
    """Draw expressions, each with its text in full brackets."""
    leaf = st.sampled_from(("a", "b", "c", "7")).map(lambda t: (Expr(t), t))
    return st.recursive(leaf, _joined, max_leaves=8)


@given(trees())
def test_brackets_are_enough(pair: Pair) -> None:
    short, full = pair
    assert ast.dump(ast.parse(short.text)) == ast.dump(ast.parse(full))


@example((Expr("a // (a + a + (a + a)) + a", 5), "((a // ((a + a) + (a + a))) + a)"), 10)
@given(trees(), st.integers(10, 40))
def test_folded_lines_mean_the_same(pair: Pair, width: int) -> None:
    text = f"x = f({pair[0]}, g({pair[0]})[:, None], k={pair[1]})"
    lines = folded(text, 4, width)
    assert ast.dump(ast.parse("if 1:\n" + "\n".join(lines))) == ast.dump(
        ast.parse(f"if 1:\n    {text}")
    )


def test_long_calls_are_folded_argument_by_argument() -> None:
    text = f"w = tl.load({'p' * 40}, mask=mask, other=0.0)"
    assert folded(text, 0, 50) == [
        "w = tl.load(",
        f"    {'p' * 40},",
        "    mask=mask,",
        "    other=0.0,",
        ")",
    ]
    assert folded(text, 0, 100) == [text]


@pytest.mark.parametrize(
    ("left", "sign", "right", "text"),
    [
        (Expr("a"), "*", Expr("-1", 7), "-a"),
        (Expr("a"), "+", infix(Expr("b"), "*", Expr("-4", 7)), "a - b * 4"),
        (Expr("a"), "+", infix(Expr("b"), "*", Expr("-1", 7)), "a - b"),
        (infix(Expr("a"), "+", Expr("b")), ">>", Expr("2"), "(a + b) >> 2"),
        (infix(Expr("a"), "&", Expr("b")), "&", Expr("c"), "a & b & c"),
        (infix(Expr("a"), "<", Expr("b")), "&", Expr("c"), "(a < b) & c"),
        (infix(Expr("a"), "<", Expr("b")), "==", Expr("c"), "(a < b) == c"),
        (Expr("a"), "-", infix(Expr("b"), "+", Expr("c")), "a - (b + c)"),
    ],
)
def test_operators_read_like_a_persons(left: Expr, sign: str, right: Expr, text: str) -> None:
    assert infix(left, sign, right).text == text


def test_what_is_indexed_is_bracketed() -> None:
    assert infix(Expr("a"), "+", Expr("b")).atom == "(a + b)"
    assert call("f", infix(Expr("a"), "+", Expr("b"))).atom == "f(a + b)"


def test_numbers() -> None:
    assert str(literal(True, BOOL)) == "True" and str(literal(3, I32)) == "3"
    assert str(literal(float("-inf"), F32)) == 'float("-inf")'
    assert literal(-2, I32).atom == "(-2)"
    assert str(filled("[4]", 0, F16)) == "tl.full([4], 0.0, tl.float16)"
    assert str(filled("[4]", 1, BF16)) == "tl.cast(tl.full([4], 1.0, tl.float32), tl.bfloat16)"


def test_sizes() -> None:
    m, n = Size.of("M"), Size.of("N")
    names = {"M": "M", "N": "N_"}
    assert str(size_expr((m + 31) // 32, names)) == "(M + 31) // 32"
    assert str(size_expr(m * n + (-2), names)) == "M * N_ - 2"
    assert str(size_expr(Size(), names)) == "0"


Reads: TypeAlias = dict[str, frozenset[str]]
STATES = "abcd"


@given(st.dictionaries(st.sampled_from(STATES), st.frozensets(st.sampled_from(STATES)), min_size=1))
def test_states_move_at_once(reads: Reads) -> None:
    """Whatever states read of each other, each means the values before any of the moves."""
    start = {name: n + 1 for n, name in enumerate(STATES)}
    terms = {name: (name, *sorted(used - {name})) for name, used in reads.items()}
    moves = [moved(n, chained(names)) for n, names in terms.items()]
    wanted = {**start, **{n: sum(start[t] for t in names) for n, names in terms.items()}}
    assert run(in_order(moves), start) == wanted


def chained(names: tuple[str, ...]) -> Expr:
    return reduce(lambda a, b: infix(a, "+", b), [Expr(n) for n in names])


def run(lines: Iterator[str], start: dict[str, int]) -> dict[str, int]:
    """Run assignments of sums, by hand."""
    now = dict(start)
    for line in lines:
        left, right = line.split(" += " if "+=" in line else " = ")
        parts = [part.replace("(", "").replace(")", "") for part in right.split(",")]
        sums = [sum(now[t.strip()] for t in part.split("+")) for part in parts]
        names = [n.strip() for n in left.split(",")]
        more = now[left] if "+=" in line else 0
        now.update(zip(names, [s + more for s in sums], strict=True))
    return now


def test_names_shadow_nothing() -> None:
    kernel = Kernel("tl", (Table("sum.val", F32), Table("x.2.crd", I32)), ("M",), (), (), 32, ())
    names = Names(kernel)
    assert names.arguments == {"sum.val": "sum_val", "x.2.crd": "x_crd", "M": "M"}
    made = [names.fresh(hint) for hint in ("max", "max", "lambda", "TL", "x_crd", "9", "a.b")]
    assert made == ["max_", "max_2", "lambda_", "tl_2", "x_crd_2", "n9", "a_b"]
    assert not set(made) & RESERVED and all(n.isidentifier() for n in made)
