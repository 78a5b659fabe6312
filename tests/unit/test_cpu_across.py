"""Reductions and prefixes over register digits on the CPU, for many shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hastec.backends.cpu.backend import Cpu
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.numeric import Array, carrier, cast
from hastec.ir.types import BF16, BOOL, F16, F32, F64, I16, I32, I64, DType
from hastec.target import CPU
from tests.unit.cpu_run import on_cpu

MONOIDS: dict[str, Callable[..., np.ndarray]] = {
    "sum": np.sum,
    "prod": np.prod,
    "min": np.min,
    "max": np.max,
    "any": np.any,
    "all": np.all,
}
PREFIXES: dict[str, Callable[..., np.ndarray]] = {
    "sum": np.cumsum,
    "min": np.minimum.accumulate,
    "max": np.maximum.accumulate,
}
OVERS = (("a",), ("b",), ("a", "b"))
SHAPES = [(1, 16), (4, 16), (3, 16), (8, 8), (5, 5), (16, 3), (2, 32), (9, 16), (16, 1), (20, 2)]
CASES = [
    *((F32, a, b, unit) for a, b in SHAPES for unit in ("a", "b")),
    *((t, a, b, "b") for t in (F64, F16, BF16, I16, I32, I64, BOOL) for a, b in SHAPES[1::3]),
]


TEXT = """
kernel merged {{
  threads 1
  table x: {dtype} read align 16
  {tables}
  digit a: reg {a}
  digit b: reg {b}
  %1: i32[a] = coord a
  %2: i32[b] = coord b
  %3: i32 = const {b}
  %4: i32[a] = mul(%1, %3)
  %5: i32[a, b] = add(%4, %2)
  %6: i32 = const {width}
  %7: i32[{outer}] = mul(%{start}, %6)
  %8: i32[a, b] = add(%7, %{step})
  %10: ptr[a, b] = address x + %8
  %9: {dtype}[a, b] = load x[%10]
  {lines}
}}
"""


def merges(dtype: DType) -> list[tuple[str, ...]]:
    """Return every reduction and prefix of a type: kind, monoid, digits."""
    names = ("any", "all") if dtype == BOOL else ("sum", "min", "max", "prod")
    steps: list[tuple[str, ...]] = [("reduce", m, *over) for m in names for over in OVERS]
    if dtype != BOOL:
        steps += [("scan", m, d) for m in PREFIXES for d in ("a", "b")]
    return steps


def merged(dtype: DType, a: int, b: int, unit: str) -> tuple[Kernel, list[tuple[str, ...]]]:
    """Return a kernel that loads x over digits a and b and stores every reduction of it.

    ``unit`` is the digit along which ``x`` is contiguous, so that either may become lanes.
    """
    steps = merges(dtype)
    outer, inner, width = ("a", "b", b) if unit == "b" else ("b", "a", a)
    lines, tables = [], []
    for n, (kind, monoid, *over) in enumerate(steps):
        left = [d for d in ("a", "b") if kind == "scan" or d not in over]
        at = 100 + 3 * n
        shape = f"[{', '.join(left)}]" if left else ""
        place = {"a": " + %1", "b": " + %2", "ab": " + %5", "": ""}["".join(left)]
        tables.append(f"table y{n}: {dtype} write align 16")
        lines += [
            f"%{at}: {dtype}{shape} = {kind} {monoid} %9 over {', '.join(over)}",
            f"%{at + 1}: ptr{shape} = address y{n}{place}",
            f"store y{n}[%{at + 1}] = %{at}",
        ]
    text = TEXT.format(
        dtype=dtype,
        tables="\n  ".join(tables),
        lines="\n  ".join(lines),
        **{"a": a, "b": b, "width": width, "outer": outer},
        start={"a": 1, "b": 2}[outer],
        step={"a": 1, "b": 2}[inner],
    )
    kernel = read_kernel(text)
    verify_kernel(kernel)
    return kernel, steps


def data(dtype: DType, a: int, b: int) -> Array:
    """Return small whole numbers, whose sums and products are exact."""
    rng = np.random.default_rng(a * 100 + b)
    if dtype == BOOL:
        return np.asarray(rng.random((a, b)) < rng.choice([0.1, 0.5, 0.9]))
    choices = [1, 1, -1, 0] if a * b > 30 else [1, 2, -2]
    return cast(rng.choice(choices, (a, b)).astype(np.float64), F64, dtype)


@pytest.mark.parametrize(("dtype", "a", "b", "unit"), CASES)
def test_merges(dtype: DType, a: int, b: int, unit: str) -> None:
    kernel, steps = merged(dtype, a, b, unit)
    x = data(dtype, a, b)
    given = np.ascontiguousarray(x.T if unit == "a" else x)
    outs = {f"y{n}": np.zeros(a * b, carrier(dtype)) for n in range(len(steps))}
    found = on_cpu(kernel, {"x": given, **outs}, {})
    wide = x if dtype == BOOL else cast(x, dtype, F64 if dtype.is_float else I64)
    for n, (kind, monoid, *over) in enumerate(steps):
        axes = tuple("ab".index(d) for d in over)
        want = MONOIDS[monoid](wide, axes) if kind == "reduce" else PREFIXES[monoid](wide, axes[0])
        wanted = cast(np.asarray(want), F64, dtype) if dtype.is_float else want.astype(x.dtype)
        got = found[f"y{n}"][: wanted.size].reshape(wanted.shape)
        assert (got == wanted).all(), f"{kind} {monoid} over {over} of {a}x{b}"


@pytest.mark.parametrize("where", [0, 5, 15])
def test_a_nan_reaches_minimum_and_maximum(where: int) -> None:
    kernel, steps = merged(F32, 4, 16, "b")
    x = np.ones((4, 16), np.float32)
    x[2, where] = np.nan
    outs = {f"y{n}": np.zeros(64, np.float32) for n in range(len(steps))}
    found = on_cpu(kernel, {"x": x, **outs}, {})
    for n, (kind, monoid, *over) in enumerate(steps):
        if kind == "reduce" and monoid in ("min", "max"):
            axes = tuple("ab".index(d) for d in over)
            want = MONOIDS[monoid](x, axes)
            got = found[f"y{n}"][: want.size].reshape(want.shape)
            np.testing.assert_array_equal(got, want)


def test_sums_of_many_rows_share_their_steps() -> None:
    kernel, _ = merged(F32, 16, 16, "b")
    text = Cpu().emit(kernel, {}, CPU).source
    # 16 vectors of 16 lanes: 8 + 4 + 2 + 1 merges where one by one it would be 16 times 4.
    start, stop = text.index("; lanes"), text.index("store")
    assert text[start:stop].count("shufflevector <16 x float>") < 40
