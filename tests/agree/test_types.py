"""Every type in every format, and every value code: bit for bit where arithmetic is exact."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.ir.interp import Table
from hastec.target import CPU, SM90
from tests.agree.executors import cpu, triton
from tests.agree.formats import FORMATS, Stored, dense, table
from tests.agree.harness import Check, agree
from tests.agree.program import bind, graph_of

DTYPES = ("f64", "f32", "f16", "bf16", "i8", "i16", "i32", "i64", "u8", "bool")
M, K, N = 11, 35, 3
SIZES = {"M": M, "K": K, "N": N}


def product(dtype: str, fmt: Stored) -> str:
    head = f"kernel f(W: static sparse {dtype}[M, K] {fmt.at}, X: {dtype}[K, N])"
    if dtype == "bool":
        body = "-> Y: bool[M, N] {\n    Y[m, n] = any[k](W[m, k] and X[k, n])\n}\n"
    else:
        out = "i32" if dtype[0] in "iu" and dtype != "i64" else dtype
        body = f"-> Y: {out}[M, N] {{\n    Y[m, n] = sum[k] W[m, k] * X[k, n]\n}}\n"
    return f"{fmt.declaration}{head} {body}"


def given(dtype: str, fmt: Stored) -> dict[str, Table]:
    w, x = fmt.fit(table((M, K), 1)), np.asarray(dense((K, N), 2).values)
    match dtype[0]:
        case "b" if dtype == "bool":
            return {"W": Table(w != 0), "X": Table(x > 0)}
        case "u":
            return {"W": Table(np.abs(w).astype(np.int64)), "X": Table(np.abs(x).astype(np.int64))}
        case "i":
            return {"W": Table(w.astype(np.int64)), "X": Table(x.astype(np.int64))}
        case _:
            return {"W": Table(w), "X": Table(x)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_a_product_of_a_type(fmt: Stored, dtype: str) -> None:
    """On the CPU and as a GPU would in turns: every format meets every type on one of them."""
    bound = bind(graph_of(product(dtype, fmt)), given(dtype, fmt), SIZES)
    number = FORMATS.index(fmt) + DTYPES.index(dtype)
    if number % 2:
        agree(bound, Check(CPU, 2, cpu(), first=3 * number))
    else:
        agree(bound, Check(SM90, 2, triton(), 2, first=3 * number))


BLOCKS = "dense(i), compressed(j / 16), dense(j % 16)"
LAYOUTS = ("dense(i), dense(j)", BLOCKS, "dense(i), compressed(j)", "dense(i), bitmap(j)")
GROUPED = ("int8(group = 16)", "int4(group = 8)", "int3(group = 8)", "int4(group = 8, zero = 1)")
CODES = ("int8", "int4", "int2", "fp8", "palette(bits = 4)")
CODED = (
    *(f"{layout} values {code}" for layout in LAYOUTS[:2] for code in (*GROUPED, "mx(group = 16)")),
    *(f"{layout} values {code}" for layout in LAYOUTS for code in CODES),
)
INDICES = ("u8", "u16", "i64", "delta(1)", "delta(5)")


def check_stored(fmt: Stored, tolerance: float = 0.0) -> None:
    bound = bind(graph_of(product("f32", fmt)), given("f32", fmt), SIZES)
    agree(bound, Check(CPU, 2, cpu(), tolerance=tolerance))
    agree(bound, Check(SM90, 2, triton(), 2, tolerance=tolerance))


@pytest.mark.parametrize("layout", CODED)
def test_value_codes(layout: str) -> None:
    check_stored(Stored("coded", layout), tolerance=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_planes_of_words(layout: str) -> None:
    fmt = Stored("planes", f"{layout} values planes(4, 4)")
    bound = bind(graph_of(product("u8", fmt)), given("u8", fmt), SIZES)
    agree(bound, Check(CPU, 3, cpu()))
    agree(bound, Check(SM90, 3, triton(), 2))


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("layout", ["dense(i), compressed(j)", "dense(i), ragged(j)"])
def test_index_codes(layout: str, index: str) -> None:
    check_stored(Stored("own", f"{layout} index {index}"))


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_doubles_round_once(dtype: str) -> None:
    """Just beside a tie of the narrow type, further from it than f32 can tell."""
    digits = {"f32": 23, "f16": 10, "bf16": 7}[dtype]
    ties = [1 + 2.0 ** -(digits + 1), 1 + 3 * 2.0 ** -(digits + 1)]
    near = [t + d for t in ties for d in (-(2.0**-45), 0.0, 2.0**-45)]
    x = np.array([*near, *(-v for v in near), 0.0, 1e300, -1e300, np.inf, -np.inf, np.nan, 1e-320])
    text = f"kernel f(x: f64[N]) -> y: {dtype}[N] {{\n    y[n] = x[n]\n}}\n"
    bound = bind(graph_of(text), {"x": Table(x)}, {"N": x.size})
    agree(bound, Check(CPU, 3, cpu()))
    agree(bound, Check(SM90, 3, triton()))
