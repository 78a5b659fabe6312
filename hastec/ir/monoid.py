"""The built-in monoids kernels reduce by: how two elements merge, and the neutral element."""

from __future__ import annotations

import math

from hastec.ir.types import DType, Kind

MERGE: dict[str, str] = {
    "sum": "add",
    "prod": "mul",
    "min": "min",
    "max": "max",
    "any": "or",
    "all": "and",
}
"""The scalar function that merges two elements."""


def identity(monoid: str, dtype: DType) -> bool | int | float:
    """Return the neutral element (what a reduction of nothing gives)."""
    if monoid in ("any", "all"):
        return monoid == "all"
    if monoid in ("sum", "prod"):
        return 0 if monoid == "sum" else 1
    if dtype.is_float:
        return -math.inf if monoid == "max" else math.inf
    low = 0 if dtype.kind is Kind.UINT else -(2 ** (dtype.bits - 1))
    return low if monoid == "max" else 2**dtype.bits - 1 + low
