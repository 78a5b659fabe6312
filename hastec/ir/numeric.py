"""What every scalar function means on NumPy arrays: the kernel interpreter's arithmetic.

An array carries its element type as it lies in memory: truth values as bool, ``bf16`` as the
upper half of an f32 in uint16, everything else as NumPy's own type. Results are rounded once to
their type: f16 and bf16 compute in f32, f32 in f32, ``exp`` and its like in f64. Integers wrap
around; ``x / 0`` and ``x % 0`` are 0; shifts by the width or more shift everything out; ``min``
and ``max`` give nan if an operand is nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hastec.diag import InternalError
from hastec.ir.types import BF16, BOOL, F16, F32, F64, DType, Kind

Array: TypeAlias = NDArray[np.generic]
Doubles: TypeAlias = NDArray[np.float64]


def carrier(dtype: DType) -> np.dtype[np.generic]:
    """Return the NumPy type whose arrays carry ``dtype``."""
    return np.dtype("uint16" if dtype == BF16 else dtype.numpy)


def full(shape: tuple[int, ...], number: bool | int | float, dtype: DType) -> Array:
    """Return an array of ``dtype`` filled with a number, rounded to it."""
    if dtype.is_integer:
        return wrapped(np.full(shape, int(number) % 2**64, np.uint64), dtype)
    return cast(np.full(shape, number, np.float64), F64, dtype)


def wrapped(x: Array, dtype: DType) -> Array:
    """Return integers modulo two to the width of ``dtype``."""
    with np.errstate(over="ignore"):
        return x.astype(carrier(dtype))


# ----------------------------------------------------------------------------------- conversions
def cast(x: Array, source: DType, target: DType) -> Array:
    """Convert: to nearest even, integers wrap, floats saturate (nan to 0), to bool: not 0."""
    if source == target:
        return x
    if target == BOOL:
        return np.not_equal(_plain(x, source), 0)
    if target.is_integer:
        return _saturated(_plain(x, source), target) if source.is_float else wrapped(x, target)
    if target == BF16:
        return _to_bf16(_plain(x, source).astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        return _plain(x, source).astype(carrier(target))


def _plain(x: Array, dtype: DType) -> Array:
    """Return bf16 as f32, anything else as it is."""
    if dtype != BF16:
        return x
    return (x.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _to_bf16(x: Doubles) -> Array:
    """Round f64 to bf16 once: first to f32 towards an odd last bit, then to nearest even."""
    with np.errstate(over="ignore", invalid="ignore"):
        near = x.astype(np.float32)
        word = near.view(np.uint32)
        error = x - near.astype(np.float64)
        even = (error != 0) & ~np.isnan(error) & (word & 1 == 0)
        outwards = (error > 0) == (near >= 0)
    step = np.where(outwards, np.uint32(1), np.uint32(0xFFFFFFFF))
    odd = np.add(word, np.where(even, step, np.uint32(0)), dtype=np.uint32)
    rounded = (odd + np.uint32(0x7FFF) + ((odd >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    quiet = (word >> np.uint32(16)) | np.uint32(0x40)
    return np.where(np.isnan(x), quiet, rounded).astype(np.uint16)


def _saturated(x: Array, dtype: DType) -> Array:
    low = 0 if dtype.kind is Kind.UINT else -(2 ** (dtype.bits - 1))
    high = 2**dtype.bits - 1 + low
    wide = x.astype(np.float64)
    whole = np.trunc(np.where(np.isnan(wide), 0.0, wide))
    # The float above the greatest integer may not be representable as one: it is set apart.
    inside = np.where((whole >= float(low)) & (whole < float(high)), whole, 0.0)
    result = inside.astype(np.int64).astype(carrier(dtype))
    result = np.where(whole >= float(high), np.array(high, carrier(dtype)), result)
    return np.where(whole < float(low), np.array(low, carrier(dtype)), result)


# ------------------------------------------------------------------------------------- functions
def apply(fn: str, args: Sequence[Array], operand: DType, result: DType) -> Array:
    """Return ``fn`` of arrays of type ``operand`` (of a choice: all but the condition)."""
    if fn == "cast":
        return cast(args[0], operand, result)
    if fn == "where":
        return np.where(args[0].astype(np.bool_), args[1], args[2])
    plain = [_plain(a, operand) for a in args]
    if operand == F16:
        plain = [a.astype(np.float32) for a in plain]
    with np.errstate(all="ignore"):
        found = _compute(fn, plain, operand)
    if result.is_float:
        source = {"float16": F16, "float32": F32, "float64": F64}[found.dtype.name]
        return cast(found, source, result)
    return found


def _compute(fn: str, args: list[Array], operand: DType) -> Array:
    if fn in _REAL:
        exact = _REAL[fn](*(a.astype(np.float64) for a in args))
        return exact if operand == F64 else exact.astype(np.float32)
    if fn in _DECIDE:
        return _DECIDE[fn](*args)
    if operand == BOOL:
        return _LOGIC[fn](*args)
    if operand.is_integer and fn in _WHOLE:
        return _WHOLE[fn](*args)
    if fn in _EITHER:
        return _EITHER[fn](*args)
    raise InternalError(f"{fn} has no meaning on {operand}")


Function: TypeAlias = Callable[..., NDArray[np.generic]]


def _divide(a: Array, b: Array) -> Array:
    safe = np.where(np.equal(b, 0), np.ones_like(b), b)
    return np.where(np.equal(b, 0), np.zeros_like(a), np.floor_divide(a, safe))


def _modulo(a: Array, b: Array) -> Array:
    safe = np.where(np.equal(b, 0), np.ones_like(b), b)
    return np.where(np.equal(b, 0), np.zeros_like(a), np.mod(a, safe))


def _inside(amount: Array) -> NDArray[np.bool_]:
    bits = 8 * amount.dtype.itemsize
    return np.asarray(np.greater_equal(amount, 0) & np.less(amount, bits))


def _shl(a: Array, amount: Array) -> Array:
    fits = _inside(amount)
    safe = np.where(fits, amount, np.zeros_like(amount))
    return np.where(fits, np.left_shift(a, safe), np.zeros_like(a))


def _shr(a: Array, amount: Array) -> Array:
    fits = _inside(amount)
    safe = np.where(fits, amount, np.zeros_like(amount))
    gone = np.where(np.less(a, 0), np.full_like(a, -1), np.zeros_like(a)) if _signed(a) else 0
    return np.where(fits, np.right_shift(a, safe), gone).astype(a.dtype)


def _signed(a: Array) -> bool:
    return a.dtype.kind == "i"


def _ones(a: Array) -> Array:
    octets = np.ascontiguousarray(a).reshape(*a.shape, 1).view(np.uint8)
    return np.asarray(np.unpackbits(octets, axis=-1).sum(axis=-1).astype(a.dtype))


_DECIDE: dict[str, Function] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
}

_LOGIC: dict[str, Function] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "xor": lambda a, b: np.not_equal(a, b).astype(np.int32),
    "xnor": lambda a, b: np.equal(a, b).astype(np.int32),
}

_WHOLE: dict[str, Function] = {
    "div": _divide,
    "mod": _modulo,
    "bitand": np.bitwise_and,
    "bitor": np.bitwise_or,
    "bitxor": np.bitwise_xor,
    "xor": np.bitwise_xor,
    "xnor": lambda a, b: np.invert(np.bitwise_xor(a, b)),
    "shl": _shl,
    "shr": _shr,
    "popc": _ones,
    "floor": np.positive,
    "ceil": np.positive,
    "trunc": np.positive,
    "round": np.positive,
}

_EITHER: dict[str, Function] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "mod": np.mod,
    "min": np.minimum,
    "max": np.maximum,
    "neg": np.negative,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.rint,
    "sqrt": np.sqrt,
    "square": lambda a: np.multiply(a, a),
    "relu": lambda a: np.maximum(a, np.zeros_like(a)),
    "sign": lambda a: np.where(np.greater(a, 0), 1, np.where(np.less(a, 0), -1, 0)).astype(a.dtype),
}


# ------------------------------------------------------------------------------- real functions
def _each(f: Callable[[float], float]) -> Callable[[Doubles], Doubles]:
    def mapped(x: Doubles) -> Doubles:
        return np.array([f(v) for v in x.reshape(-1).tolist()], np.float64).reshape(x.shape)

    return mapped


def _softplus(x: Doubles) -> Doubles:
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


def _logistic(x: Doubles) -> Doubles:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, e) / (1.0 + e))


_REAL: dict[str, Callable[..., Doubles]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "log": np.log,
    "log2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "pow": np.power,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "reciprocal": lambda x: 1.0 / x,
    "erf": _each(math.erf),
    "gelu": lambda x: x * 0.5 * _each(math.erfc)(-x * math.sqrt(0.5)),
    "sigmoid": _logistic,
    "silu": lambda x: x * _logistic(x),
    "softplus": _softplus,
}
