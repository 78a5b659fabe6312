"""Identities and merges of the reductions that lowering knows."""

from __future__ import annotations

from hastec.ir.builder import Builder
from hastec.ir.kernel import Value
from hastec.ir.types import BOOL, DType, Kind

LOWEST = -3.4028234663852886e38
"""The lowest finite f32: where a maximum starts that exponentials are taken relative to."""

_MERGE = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "any": "or", "all": "and"}


def merge(k: Builder, monoid: str, left: Value, right: Value) -> Value:
    """Return two states of a monoid merged."""
    return k.apply(_MERGE[monoid], left, right)


def power(k: Builder, value: Value, count: int) -> Value:
    """Return the product of ``count`` (at least 1) copies of a value."""
    total: Value | None = None
    while count:
        if count % 2:
            total = value if total is None else k.apply("mul", total, value)
        count //= 2
        value = k.apply("mul", value, value) if count else value
    assert total is not None
    return total


def identity(k: Builder, monoid: str, dtype: DType) -> Value:
    """Return what a reduction over nothing gives."""
    if dtype == BOOL:
        return k.const(monoid in ("all", "min", "prod"))
    match monoid:
        case "sum" | "any":
            return k.const(0, dtype)
        case "prod" | "all":
            return k.const(1, dtype)
        case "max":
            return k.const(float("-inf") if dtype.is_float else _limits(dtype)[0], dtype)
        case _:
            return k.const(float("inf") if dtype.is_float else _limits(dtype)[1], dtype)


def _limits(dtype: DType) -> tuple[int, int]:
    if dtype.kind is Kind.UINT:
        return 0, (1 << dtype.bits) - 1
    return -(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1
