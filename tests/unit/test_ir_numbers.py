"""Numbers of the interpreter against torch and against what the language page says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hastec.ir.interp.number import convert, round_to, wrap
from hastec.ir.interp.scalar import apply
from hastec.ir.scalars import SCALARS, result_type
from hastec.ir.types import (
    BF16,
    BITS,
    BOOL,
    BY_NAME,
    F16,
    F32,
    F64,
    I8,
    I32,
    I64,
    U8,
    DType,
)

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -2.5, 3.5, 65504.0, 65520.0, 1e-40]


def floats(count: int = 3000) -> np.ndarray:
    random = np.random.default_rng(1)
    wide = random.standard_normal(count) * 10.0 ** random.integers(-45, 38, count)
    return np.asarray(np.concatenate([np.array(SPECIAL), wide]), np.float32)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("f16", torch.float16),
        ("bf16", torch.bfloat16),
        ("e5m2", torch.float8_e5m2),
        ("e4m3", torch.float8_e4m3fn),
    ],
)
def test_rounding_is_torch_s(name: str, kind: torch.dtype) -> None:
    x = floats()
    with np.errstate(all="ignore"):
        found = round_to(x.astype(np.float64), BY_NAME[name])
    np.testing.assert_array_equal(found, torch.tensor(x).to(kind).to(torch.float64).numpy())


def test_rounding_goes_straight_from_f64() -> None:
    # Through f32 this would first become 1 + 2^-11, a tie, and then 1.
    just_above = 1 + 2.0**-11 + 2.0**-40
    assert round_to(np.array(just_above), F16) == 1 + 2.0**-10
    assert round_to(np.array(1 + 2.0**-8 + 2.0**-40), BF16) == 1 + 2.0**-7


def test_four_bit_floats_round_to_even_and_stay_at_the_greatest() -> None:
    x = np.array([0.2, 0.25, 0.3, 0.75, 1.25, 2.5, 3.5, 5.0, 5.1, 100.0, -np.inf])
    wanted = [0, 0, 0.5, 1, 1, 2, 4, 4, 6, 6, -6]
    np.testing.assert_array_equal(round_to(x, BY_NAME["e2m1"]), wanted)


def test_floats_to_integers_truncate_and_saturate() -> None:
    x = np.array([2.9, -2.9, 1e30, -1e30, np.nan, np.inf, 200.0, -1.0])
    np.testing.assert_array_equal(convert(x, U8), [2, 0, 255, 0, 0, 255, 200, 0])
    np.testing.assert_array_equal(convert(x, I8), [2, -2, 127, -128, 0, 127, 127, -1])
    assert convert(np.array([2.0**63, -(2.0**63)]), I64).tolist() == [2**63 - 1, -(2**63)]
    assert convert(np.array([2.0**31]), I32).tolist() == [2**31 - 1]


def test_integers_wrap_and_truth_is_not_zero() -> None:
    x = np.array([255, 256, -1, 2**31])
    np.testing.assert_array_equal(convert(x, U8), [255, 0, 255, 0])
    np.testing.assert_array_equal(convert(x, BY_NAME["i4"]), [-1, 0, -1, 0])
    np.testing.assert_array_equal(wrap(x, I32), [255, 256, -1, -(2**31)])
    np.testing.assert_array_equal(convert(np.array([0.0, np.nan, -0.0, 0.1]), BOOL), [0, 1, 0, 1])


def test_integers_become_f32_by_one_rounding() -> None:
    x = np.array([2**60 + 2**36 + 1])  # above a tie of f32 that float64 would round down to
    assert convert(x, F32).tolist() == [2.0**60 + 2.0**37]
    assert convert(x, F32, exact=True).tolist() == [float(2**60 + 2**36 + 1)]


# ---------------------------------------------------------------------------------------- functions
TORCH = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "mod": torch.remainder,
    "neg": torch.neg,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
    "eq": torch.eq,
    "ne": torch.ne,
    "not": torch.logical_not,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "where": lambda c, x, y: torch.where(c != 0, x, y),
    "min": torch.minimum,
    "max": torch.maximum,
    "abs": torch.abs,
    "sign": torch.sign,
    "relu": torch.relu,
    "square": torch.square,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log": torch.log,
    "log2": torch.log2,
    "log1p": torch.log1p,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "erf": torch.erf,
    "rsqrt": torch.rsqrt,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "reciprocal": torch.reciprocal,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "trunc": torch.trunc,
    "pow": torch.pow,
    "isnan": torch.isnan,
    "isinf": torch.isinf,
    "isfinite": torch.isfinite,
}
WORDS = ("xor", "xnor", "bitand", "bitor", "bitxor", "shl", "shr", "popc")


def call(fn: str, args: tuple[np.ndarray, ...], dtype: DType) -> np.ndarray:
    types = (dtype,) * len(args)
    carried = tuple(convert(a if dtype.is_integer else a.astype(np.float64), dtype) for a in args)
    with np.errstate(all="ignore"):
        return apply(fn, carried, types, result_type(fn, types), False)


def test_every_function_is_compared() -> None:
    assert {*TORCH, *WORDS, "cast"} == set(SCALARS)


@pytest.mark.parametrize("fn", TORCH)
def test_functions_on_floats_are_torch_s(fn: str) -> None:
    random = np.random.default_rng(2)
    usual = (random.standard_normal(400) * 3).astype(np.float32)
    first = np.concatenate([np.array(SPECIAL, np.float32), usual])
    args = tuple(np.roll(first, 3 * place) for place in range(SCALARS[fn].arity))
    # torch computes in float64, so that only our own rounding is measured.
    wanted = TORCH[fn](*(torch.tensor(a).double() for a in args))
    found = call(fn, args, F32)
    np.testing.assert_allclose(found, wanted.float().numpy(), 2e-7, 2e-45)


@pytest.mark.parametrize("fn", ["add", "sub", "mul", "neg", "min", "max", "abs", "sign", "square"])
@pytest.mark.parametrize(("dtype", "kind"), [(I32, torch.int32), (I64, torch.int64)])
def test_functions_on_integers_wrap_like_torch_s(fn: str, dtype: DType, kind: torch.dtype) -> None:
    random = np.random.default_rng(3)
    top = 2 ** (dtype.bits - 1)
    edge = np.array([0, 1, -1, top - 1, -top, 7, -7])
    first = np.concatenate([edge, random.integers(-top, top, 200)])
    args = tuple(np.roll(first, 2 * place) for place in range(SCALARS[fn].arity))
    wanted = TORCH[fn](*(torch.tensor(a).to(kind) for a in args))
    np.testing.assert_array_equal(call(fn, args, dtype), wanted.numpy())


def test_integer_division_floors_and_the_remainder_has_the_divisor_s_sign() -> None:
    x, y = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    assert call("div", (x, y), I32).tolist() == [3, -4, -4, 3]
    assert call("mod", (x, y), I32).tolist() == [1, 1, -1, -1]


def test_words() -> None:
    x, y = np.array([0b1100, -1, 5, -8]), np.array([0b1010, 1, 40, -1])
    assert call("xor", (x, y), I32).tolist() == [6, -2, 45, 7]
    assert call("xnor", (x, y), I32).tolist() == [-7, 1, -46, -8]
    assert call("bitand", (x, y), I32).tolist() == [8, 1, 0, -8]
    assert call("bitor", (x, y), I32).tolist() == [14, -1, 45, -1]
    assert call("popc", (x,), I32).tolist() == [2, 32, 2, 29]
    assert call("popc", (x,), I64).tolist() == [2, 64, 2, 61]
    # Counts outside the word: nothing is left, or only the sign.
    assert call("shl", (x, y), I32).tolist() == [0b1100 << 10, -2, 0, 0]
    assert call("shr", (x, y), I32).tolist() == [0, -1, 0, -1]


def test_bits_agree_as_zero_and_one() -> None:
    x, y = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert result_type("xnor", (BOOL, BITS)) == I32
    assert apply("xnor", (x, y), (BOOL, BITS), I32, False).tolist() == [1, 0, 0, 1]
    assert apply("xor", (x, y), (BITS, BITS), I32, False).tolist() == [0, 1, 1, 0]
    assert apply("add", (x, x), (BOOL, BOOL), I32, False).tolist() == [2, 2, 0, 0]


def test_types_of_mixed_operands() -> None:
    half, whole = np.array([0.5]), np.array([2**24 + 1])
    # An integer meets a float as a float of 24 bits; with f64 it stays exact.
    assert apply("add", (half, whole), (F32, I32), F32, False).tolist() == [2.0**24]
    assert apply("add", (half, whole), (F64, I32), F64, False).tolist() == [2.0**24 + 1.5]
    assert apply("add", (half, whole), (F32, I32), F32, True).tolist() == [2.0**24 + 1.5]
