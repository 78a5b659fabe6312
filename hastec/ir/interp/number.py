"""Numbers of every element type, carried in three array types.

Every float is carried as float64, every integer as int64, every truth value as bool. A value of
a narrower type is the carried number after :func:`convert`, so each rounding is explicit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hastec.ir.types import F32, F64, DType, Kind

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Array: TypeAlias = Floats | Ints | Bools


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary floating point format: digits of the significand (the hidden one included), least
    normal exponent, greatest number, and what lies beyond it.
    """

    digits: int
    least: int
    greatest: float
    beyond: Literal["inf", "greatest"]


_BINARY = {
    "bf16": Binary(8, -126, (2 - 2.0**-7) * 2.0**127, "inf"),
    "f16": Binary(11, -14, 65504.0, "inf"),
    "e5m2": Binary(3, -14, 57344.0, "inf"),
    "e4m3": Binary(4, -6, 448.0, "greatest"),
    "e2m1": Binary(2, 0, 6.0, "greatest"),
}


def floats(x: Array) -> Floats:
    """Carry ``x`` as float64."""
    return x.astype(np.float64, copy=False)


def ints(x: Array) -> Ints:
    """Carry integers or truth values as int64."""
    return x.astype(np.int64, copy=False)


def bools(x: Array) -> Bools:
    """Carry ``x != 0`` (true for nan)."""
    return np.not_equal(x, 0)


def carried(x: NDArray[np.generic], dtype: DType) -> Array:
    """Carry an array of numbers of any NumPy type as numbers of ``dtype``, exactly."""
    match dtype.kind:
        case Kind.FLOAT:
            return x.astype(np.float64, copy=False)
        case Kind.BOOL:
            return x.astype(np.bool_, copy=False)
        case Kind.INT | Kind.UINT:
            return x.astype(np.int64, copy=False)


def zeros(shape: tuple[int, ...], dtype: DType, fill: float = 0.0) -> Array:
    """Return a carried array full of ``fill``."""
    match dtype.kind:
        case Kind.FLOAT:
            return np.full(shape, fill, np.float64)
        case Kind.BOOL:
            return np.full(shape, bool(fill), np.bool_)
        case Kind.INT | Kind.UINT:
            return np.full(shape, int(fill), np.int64)


def limits(dtype: DType) -> tuple[int, int]:
    """Return the least and the greatest integer of ``dtype``."""
    if dtype.kind is Kind.UINT:
        return 0, 2**dtype.bits - 1
    return -(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1) - 1


def wrap(x: Ints, dtype: DType) -> Ints:
    """Reduce integers to the range of ``dtype``, modulo two to its width."""
    if dtype.bits == 64:
        return x
    low, high = limits(dtype)
    return np.asarray((x - low) & (high - low)) + low


def round_to(x: Floats, dtype: DType) -> Floats:
    """Round to the nearest number of a float type, ties to even.

    Beyond the greatest lies infinity; ``e4m3`` and ``e2m1`` have none and stay at the greatest.
    """
    if dtype == F64:
        return x
    if dtype == F32:
        return x.astype(np.float32).astype(np.float64)
    return _quantise(x, _BINARY[dtype.name])


def _quantise(x: Floats, form: Binary) -> Floats:
    finite = np.where(np.isfinite(x), x, 0.0)
    _, exponent = np.frexp(finite)
    unit = np.maximum(exponent - form.digits, form.least - form.digits + 1)
    near = np.ldexp(np.rint(np.ldexp(finite, -unit)), unit)
    far = np.abs(np.where(np.isfinite(x), near, x)) > form.greatest
    beyond = np.inf if form.beyond == "inf" else form.greatest
    near = np.where(far, np.copysign(beyond, x), near)
    return np.where(np.isnan(x), np.nan, near)


def convert(x: Array, dtype: DType, exact: bool = False) -> Array:
    """Convert carried numbers to ``dtype``.

    To bool: not zero. To integers: floats truncate and saturate (nan is 0), integers wrap. To
    floats: round to nearest even; with ``exact``, rounding to f32 is left out.
    """
    match dtype.kind:
        case Kind.BOOL:
            return bools(x)
        case Kind.FLOAT:
            if exact and dtype in (F32, F64):
                return floats(x)
            # Straight from the integer: going through float64 would round twice.
            if dtype == F32 and x.dtype == np.int64:
                return x.astype(np.float32).astype(np.float64)
            return round_to(floats(x), dtype)
        case Kind.INT | Kind.UINT:
            return saturate(x, dtype) if x.dtype == np.float64 else wrap(ints(x), dtype)


def saturate(x: Array, dtype: DType) -> Ints:
    """Truncate floats to integers of ``dtype``; those out of range become its limits, nan 0."""
    low, high = limits(dtype)
    whole = np.trunc(np.where(np.isnan(x), 0.0, x))
    inside = np.clip(whole, float(low), float(high))
    # float(2**63 - 1) is 2**63, which int64 cannot hold: the top is set apart.
    top = whole >= float(high)
    return np.where(top, high, np.where(top, 0.0, inside).astype(np.int64))
