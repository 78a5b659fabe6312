"""Sizes of a call, and the tables it needs: found once, agreeing everywhere, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hastec.diag import Source
from hastec.diag.span import Span
from hastec.ir import types as t
from hastec.ir.graph import Param
from hastec.levels.faults import TableError
from hastec.run.sizes import solve_sizes
from hastec.run.tables import checked_size
from hastec.sym.size import Size


def size(text: str | int) -> Size:
    """Return a size: a name, a number, or a sum, product or quotient of them written in Polish."""
    if isinstance(text, int) or text.isidentifier():
        return Size.of(text)
    op, a, b = text.split()
    left, right = (size(int(x) if x.isdigit() else x) for x in (a, b))
    return {"+": left + right, "*": left * right, "/": left // right}[op]


def param(name: str, *dims: str | int, **more: Any) -> Param:
    return Param(name, t.F32, tuple(size(d) for d in dims), **more)


W, X, Y = param("W", "M", "K"), param("X", "K", "N"), param("Y", "M", "N", role="out")


def error(*params: Param, named: dict[str, int] | None = None, **shapes: tuple[int, ...]) -> str:
    with pytest.raises(TableError) as caught:
        solve_sizes(params, shapes, named or {})
    return str(caught.value)


def test_shapes_tell_sizes() -> None:
    assert solve_sizes((W, X, Y), {"W": (3, 4), "X": (4, 5)}, {}) == {"M": 3, "K": 4, "N": 5}
    assert solve_sizes((W,), {"W": (0, 2**40)}, {}) == {"M": 0, "K": 2**40}


def test_sizes_are_solved_in_any_order() -> None:
    first = param("first", "* M W"), param("off", "+ B 1"), param("C", "M", 256, "W")
    assert solve_sizes(first, {"first": (12,), "off": (9,), "C": (3, 256, 4)}, {}) == {
        "M": 3, "W": 4, "B": 8
    }  # fmt: skip
    late = param("blocks", "/ L 64"), param("K", "L")
    assert solve_sizes(late, {"blocks": (2,), "K": (128,)}, {}) == {"L": 128}


def test_sizes_may_be_passed_by_name() -> None:
    out = param("Y", "V", role="out")
    assert solve_sizes((X, out), {"X": (1, 2)}, {"V": 7}) == {"K": 1, "N": 2, "V": 7}
    assert solve_sizes((X,), {"X": (1, 2)}, {"K": 1})["K"] == 1


def test_disagreement_shows_both_declarations() -> None:
    assert error(W, X, W=(3, 4), X=(5, 6)) == (
        "error[HST4004]: X: dimension 0 (K) is 5 in X: f32[K, N], but must be 4\n"
        "  note: K = 4 is dimension 1 of W: f32[M, K]\n"
        "  help: pass tables whose sizes agree"
    )
    assert "note: K = 9 was passed by name" in error(X, named={"K": 9}, X=(1, 2))
    assert "dimension 1 (256) is 255 in C: f32[M, 256], but must be 256" in error(
        param("C", "M", 256), C=(3, 255)
    )


def test_disagreement_points_at_both_places() -> None:
    spans = Span(1, 10, 1, 11), Span(1, 24, 1, 25)
    pair = param("W", "K", span=spans[0]), param("X", "K", span=spans[1])
    with pytest.raises(TableError) as caught:
        solve_sizes(pair, {"W": (1,), "X": (2,)}, {})
    text = str(caught.value.at(Source("k.haste", "kernel k(W: f32[K], X: f32[K]) {")))
    assert text.startswith("k.haste:1:24: error[HST4004]: X: dimension 0")
    assert "k.haste:1:10: note: K = 1 is dimension 0 of W: f32[K]" in text


def test_what_fits_no_size() -> None:
    assert "dimension 0 (B + 1) is 0, which fits no B" in error(param("off", "+ B 1"), off=(0,))
    assert "dimension 0 (2 * D) is 7, which fits no D" in error(param("x", "* 2 D"), x=(7,))


def test_a_size_nothing_tells() -> None:
    assert error(W, Y, W=(1, 2)) == (
        "error[HST4005]: Y: size N of Y: f32[M, N] is not told by any table given\n"
        "  help: pass it by name: N = …"
    )
    assert "size M of" in error(param("a", "* M W"), a=(12,))


@pytest.mark.parametrize("value", [-1, 2**63, 1.5, True, "3", None, 10**5000], ids=range(7))
def test_sizes_are_whole_numbers(value: Any) -> None:
    assert "HST4004" in error(X, named={"K": value}, X=(1, 2))


def test_names_are_checked() -> None:
    text = error(X, named={"k": 3}, X=(1, 2))
    assert "HST4024" in text and "neither a table nor a size" in text
    with pytest.raises(TableError, match=r"HST4024.*w: is no table of this kernel.*\n.*'W'\?"):
        checked_size("w", torch.ones(2, 3), (W, X, Y))
    with pytest.raises(TableError, match=r"its inputs are W, X$"):
        checked_size("Zz", torch.ones(1), (W, X, Y))
    assert checked_size("N", np.int32(3), (W, X, Y)) == 3
