"""Subscripts: what is accepted fits for all sizes, and what people write is accepted."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hastec.diag import HasteError, Source
from hastec.front.build import check
from hastec.ir.graph import Graph
from tests.unit.build_help import codes, run

LEAVES = ("i", "i", "j", "j", "N", "M", "0", "1", "2", "3")


def expression(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(LEAVES)
    a, b = expression(rng, depth - 1), expression(rng, depth - 1)
    by = rng.choice(("2", "3", "N", "M"))
    return rng.choice(
        (f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} / {by})", f"({a} % {by})",
         f"min({a}, {b})", f"max({a}, {b})", f"({a} if {a} < {b} else {b})")
    )  # fmt: skip


def condition(rng: random.Random, sub: str) -> str:
    left = sub if rng.random() < 0.6 else expression(rng, 1)
    sign = rng.choice(("<", "<=", ">", ">=", "==", "!="))
    one = f"{left} {sign} {expression(rng, 1)}"
    if rng.random() < 0.4:
        return f"{one} {rng.choice(('and', 'or'))} not {condition(rng, sub)}"
    return one


def program(rng: random.Random) -> str:
    """Return a kernel that reads ``x`` at a random place, perhaps behind a condition."""
    sub = expression(rng, 2)
    ranges = ["j < M", "j in 0 .. i", "j <= i", "j in i - 2 .. i + 3", f"j < {expression(rng, 1)}"]
    items = [rng.choice(ranges)]
    if rng.random() < 0.5:
        items.append(condition(rng, sub))
    if rng.random() < 0.4:
        items.append(f"{sub} in 0 .. {rng.choice(('N', 'M'))}")
    read = f"x[{sub}]"
    if rng.random() < 0.4:
        read = f"({read} if {condition(rng, sub)} else 0)"
    lines = f"y[i] = sum[{', '.join(items)}] {read}"
    return f"kernel k(x: f32[N], w: f32[M], v: f32[N]) -> y: f32[N] {{\n{lines}\n}}\n"


def accepted(text: str) -> Graph | None:
    try:
        return check(Source("test", text))[0]
    except HasteError:
        return None


@pytest.mark.parametrize("seed", range(4))
def test_what_is_accepted_never_leaves_its_table(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(150):
        text = program(rng)
        graph = accepted(text)
        for n, m in ((0, 2), (1, 1), (2, 0), (3, 5), (6, 2)) if graph else ():
            assert graph is not None
            try:
                run(graph, x=np.ones(n), w=np.ones(m), v=np.ones(n))
            except HasteError as error:
                divided = [d.code for d in error.diagnostics] == ["HST4904"]
                assert divided, f"{text}\nN = {n}, M = {m}\n{error}"


FITS = [
    "x[N - 1 - i]",
    "x[(i + 1) % N]",
    "x[max(i - 1, 0)] + x[min(i + 1, N - 1)]",
    "x[i / 2] + x[i / 3 * 2]",
    "x[i + 1] if i + 1 < N else 0",
    "x[i - 1] if i > 0 else 0",
    "0 if i == 0 else x[i - 1]",
    "0 if i + 2 >= N or i < 1 else x[i + 2] - x[i - 1]",
    "sum[r in 0 .. 3, 0 <= i + r - 1 < N] x[i + r - 1]",
    "sum[r in -1 .. 2] (x[i + r] if i + r in 0 .. N else 0)",
    "sum[b < N / 4, r < 4] x[b * 4 + r]",
    "sum[b < (N + 3) / 4, r < 4, b * 4 + r < N] x[b * 4 + r]",
    "sum[h < H, g < G] q[h * G + g] * k[(h * G + g) / G]",
    "sum[h < H * G] q[h] * k[h / G]",
    "sum[r < i + 1] x[i - r]",
    "sum[r, r <= i] w[r] * x[i - r]",
    "table[code[i]]",
    "x[at[i]] + x[at[i] + 1]",
    "x[len - 1]",
]
MISSES = [
    ("x[i + 1]", "HST2010"),
    ("x[i - 1]", "HST2010"),
    ("x[2 * i]", "HST2010"),
    ("x[i + 1] if i < N else 0", "HST2010"),
    ("x[i + 1] if i + 1 < N or i == 2 else 0", "HST2010"),
    ("x[i + 1] if not i + 1 < N else 0", "HST2010"),
    ("sum[r in 0 .. 3, i + r - 1 < N] x[i + r - 1]", "HST2010"),
    ("x[argmax[j](x[j])]", "HST2010"),
    ("k[i / G]", "HST2010"),
    ("x[N]", "HST2009"),
    ("x[-1]", "HST2009"),
    ("x[i + N]", "HST2009"),
    ("x[at[i] * 0 - 1]", "HST2009"),
    ("table[256]", "HST2009"),
]
HEAD = (
    "x: f32[N], q: f32[H * G], k: f32[H], g: f32[G], w: f32[K], at: i32[N], len: i32, "
    "code: u8[N], table: f32[256]"
)


@pytest.mark.parametrize("value", FITS)
def test_what_fits(value: str) -> None:
    assert (
        codes(f"kernel k({HEAD}) -> y: f32[N] {{\n y[i] = {value}\n}}".replace("g: ", "g_: ")) == []
    )


@pytest.mark.parametrize(("value", "code"), MISSES)
def test_what_does_not_fit(value: str, code: str) -> None:
    text = f"kernel k({HEAD}) -> y: f32[N] {{\n y[i] = {value}\n}}".replace("g: ", "g_: ")
    assert codes(text) == [code]
