"""Every primitive function and conversion on the CPU, for every type, against NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from hastec.ir import numeric
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.numeric import Array, carrier
from hastec.ir.primitive_types import FAMILIES
from hastec.ir.types import (
    BF16,
    BOOL,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    DType,
)
from hastec.target import CPU
from tests.unit.cpu_run import OLDER, on_cpu

TYPES = (BOOL, I8, I16, I32, I64, U8, U16, U32, F16, BF16, F32, F64)
LENGTH = 1024
REAL = ("exp", "exp2", "log", "log2", "sin", "cos", "erf", "rsqrt")
ULPS = 4
"""How far a real function may be off, in units of the last place."""


TEXT = """
kernel elementwise {{
  threads 1
  table a: {operand} read align 16
  table b: {operand} read align 16
  {tables}
  size N
  digit p: grid
  digit u: reg {width}
  grid p = (N + {more}) / {width}
  %0: i32 = coord p
  %1: i32[u] = coord u
  %2: i32 = const {width}
  %3: i32 = mul(%0, %2)
  %4: i32 = size N
  %5: i32[u] = add(%3, %1)
  %7: bool[u] = lt(%5, %4)
  %8: ptr[u] = address a + %5
  %9: {operand}[u] = load a[%8] mask %7
  %10: ptr[u] = address b + %5
  %11: {operand}[u] = load b[%10] mask %7
  {body}
}}
"""


def elementwise(operand: DType, steps: list[tuple[str, DType]], lanes: int) -> Kernel:
    """Return a kernel that applies functions to arrays ``a`` and ``b``, an output for each."""
    width = max(1, lanes)
    outs = [f"table y{n}: {t} write align 16" for n, (_, t) in enumerate(steps)]
    tables = "\n  ".join(outs)
    lines = []
    for n, (call, dtype) in enumerate(steps):
        at = 100 + 3 * n
        lines += [
            f"%{at}: {dtype}[u] = {call}",
            f"%{at + 1}: ptr[u] = address y{n} + %5",
            f"store y{n}[%{at + 1}] = %{at} mask %7",
        ]
    body = "\n  ".join(lines)
    text = TEXT.format(operand=operand, tables=tables, width=width, more=width - 1, body=body)
    kernel = read_kernel(text)
    verify_kernel(kernel)
    return kernel


def samples(dtype: DType, seed: int) -> Array:
    """Return numbers of a type: its ends, its special values, and many in between."""
    rng = np.random.default_rng(seed)
    if dtype == BOOL:
        return rng.random(LENGTH) < 0.5
    if dtype.is_integer:
        info = np.iinfo(dtype.numpy)
        wide = rng.integers(info.min, info.max, LENGTH, carrier(dtype), endpoint=True)
        small = rng.integers(max(info.min, -9), 9, LENGTH, endpoint=True).astype(carrier(dtype))
        found = np.where(rng.random(LENGTH) < 0.5, wide, small)
        found[rng.integers(LENGTH, size=24)] = [info.min, info.max, 0, 1] * 6
        return found
    numbers = rng.normal(size=LENGTH) * 10.0 ** rng.uniform(-6, 4, LENGTH)
    numbers[: LENGTH // 4] = rng.integers(-9, 9, LENGTH // 4)
    places = rng.integers(LENGTH, size=30)
    numbers[places] = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40] * 5
    numbers[rng.integers(LENGTH, size=9)] = [2.5, -0.5, 1e9, -1e9, 3e38, 1e-7, 65519, 65520, 1e19]
    return numeric.cast(numbers, F64, dtype)


def agree(found: Array, want: Array, dtype: DType, fn: str) -> np.ndarray:
    """Return where results agree: bit for bit, or a real function within a few units."""
    if not dtype.is_float:
        return np.asarray(found == want)
    x, y = (numeric.cast(v, dtype, F64).astype(np.float64) for v in (found, want))
    equal = (x == y) | (np.isnan(x) & np.isnan(y))
    if fn not in REAL:
        return np.asarray(equal)
    digits = {F16: 10, BF16: 7, F32: 23, F64: 52}[dtype]
    least = {F16: 2.0**-24, BF16: 2.0**-133, F32: 2.0**-149, F64: 2.0**-1074}[dtype]
    with np.errstate(invalid="ignore"):
        unit = np.maximum(np.abs(y) * 2.0**-digits, least)
        return np.asarray(equal | (np.abs(x - y) <= ULPS * unit))


def functions(dtype: DType) -> list[tuple[str, str, DType]]:
    """Return (function, call, result) of everything a type has."""
    found = []
    for family in FAMILIES:
        if not family.takes(dtype):
            continue
        for fn in family.names:
            operands = ", ".join(("%9", "%11")[: family.arity])
            found.append((fn, f"{fn}({operands})", BOOL if family.decides else dtype))
    return found


@pytest.mark.parametrize("lanes", [0, 16, 5])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_functions(dtype: DType, lanes: int) -> None:
    steps = functions(dtype)
    kernel = elementwise(dtype, [(call, t) for _, call, t in steps], lanes)
    a, b = samples(dtype, 1), samples(dtype, 2)
    outs = {f"y{n}": np.zeros(LENGTH, carrier(t)) for n, (_, _, t) in enumerate(steps)}
    found = on_cpu(kernel, {"a": a, "b": b, **outs}, {"N": LENGTH})
    for n, (fn, call, result) in enumerate(steps):
        args = [a, b][: call.count("%")]
        want = numeric.apply(fn, args, dtype, result)
        good = agree(found[f"y{n}"], want, result, fn)
        first = int(np.argmin(good))
        shown = [v[first] for v in args]
        assert good.all(), f"{fn} {dtype} of {shown}: {found[f'y{n}'][first]}, not {want[first]}"


@pytest.mark.parametrize("arch", ["host", OLDER[0]])
@pytest.mark.parametrize("lanes", [0, 16])
@pytest.mark.parametrize("source", TYPES, ids=str)
def test_conversions(source: DType, lanes: int, arch: str) -> None:
    kernel = elementwise(source, [("cast(%9)", t) for t in TYPES], lanes)
    a = samples(source, 3)
    outs = {f"y{n}": np.zeros(LENGTH, carrier(t)) for n, t in enumerate(TYPES)}
    arrays = {"a": a, "b": a, **outs}
    found = on_cpu(kernel, arrays, {"N": LENGTH}, replace(CPU, arch=arch))
    for n, target in enumerate(TYPES):
        want = numeric.cast(a, source, target)
        good = agree(found[f"y{n}"], want, target, "cast")
        first = int(np.argmin(good))
        assert good.all(), f"{source} {a[first]} to {target}: {found[f'y{n}'][first]}"


def test_all_halves_convert_both_ways_without_hardware() -> None:
    kernel = elementwise(F16, [("cast(%9)", F32)], 16)
    words = np.arange(2**16, dtype=np.uint16).view(np.float16)
    arrays: dict[str, Array] = {"a": words, "b": words, "y0": np.zeros(2**16, np.float32)}
    target = replace(CPU, arch=OLDER[0])
    single = on_cpu(kernel, arrays, {"N": 2**16}, target)["y0"]
    np.testing.assert_array_equal(single, words.astype(np.float32))
    back = elementwise(F32, [("cast(%9)", F16)], 16)
    with np.errstate(invalid="ignore"):
        up, down = (np.nextafter(single, np.float32(s) * np.inf) for s in (1, -1))
        middle = ((single.astype(np.float64) + np.roll(single, -1)) / 2).astype(np.float32)
    for numbers in (single, up, down, middle):
        arrays = {"a": numbers, "b": numbers, "y0": np.zeros(2**16, np.float16)}
        with np.errstate(over="ignore"):
            want = numbers.astype(np.float16)
        np.testing.assert_array_equal(on_cpu(back, arrays, {"N": 2**16}, target)["y0"], want)


REFERENCES = {
    "exp": np.exp,
    "exp2": np.exp2,
    "log": np.log,
    "log2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "erf": special.erf,
}


@pytest.mark.parametrize("arch", ["host", OLDER[0]])
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_real_functions_over_the_whole_range(dtype: DType, arch: str) -> None:
    rng = np.random.default_rng(0)
    low, high = (-44, 38) if dtype == F32 else (-322, 308)
    count = 1 << 13
    wide = 10.0 ** rng.uniform(low, high, count) * rng.choice([-1, 1], count)
    ends = rng.uniform(-105, 90, count) if dtype == F32 else rng.uniform(-747, 711, count)
    near_one = 1 + rng.normal(size=count) * 10.0 ** rng.uniform(-7, -1, count)
    x = np.concatenate([wide, ends, near_one, rng.uniform(-5, 5, count)]).astype(carrier(dtype))
    steps = [(f"{fn}(%9)", dtype) for fn in REFERENCES]
    kernel = elementwise(dtype, steps, 16 if dtype == F32 else 8)
    outs = {f"y{n}": np.zeros(x.size, carrier(dtype)) for n in range(len(steps))}
    found = on_cpu(kernel, {"a": x, "b": x, **outs}, {"N": x.size}, replace(CPU, arch=arch))
    for n, (fn, reference) in enumerate(REFERENCES.items()):
        with np.errstate(all="ignore"):
            exact = reference(x.astype(np.float64))
            want = exact.astype(carrier(dtype))
        good = agree(found[f"y{n}"], want, dtype, fn)
        first = int(np.argmin(good))
        assert good.all(), f"{fn}({x[first]!r}) = {found[f'y{n}'][first]!r}, not {exact[first]!r}"


def test_the_digits_of_two_over_pi() -> None:
    from hastec.backends.cpu.angles import DIGITS  # the constant under test

    def arctangent(inverse: int, one: int) -> int:
        term = total = one // inverse
        n, sign = 3, -1
        while term:
            term //= inverse * inverse
            total, n, sign = total + sign * (term // n), n + 2, -sign
        return total

    one = 1 << 1400
    pi = 4 * (4 * arctangent(5, one) - arctangent(239, one))
    assert int.from_bytes(DIGITS) == (2 * one << 1232) // pi
