"""Floating-point work on arrays: groups of neighbours, their ranges, exact powers of two."""

from __future__ import annotations

from hastec.arrays import (
    Array,
    array,
    bits_of,
    cast,
    dtype_of,
    kind_of,
    long,
    tensor,
    torch_module,
    view_as,
)


def real(value: float, kind: str, like: Array) -> Array:
    """Return one number as an array of a floating-point type."""
    return array(torch_module().tensor([value], dtype=dtype_of(kind), device=like.device))


def magnitude(x: Array) -> Array:
    """Return absolute values."""
    return array(torch_module().abs(x))


def negative(x: Array) -> Array:
    """Return where the sign bit is set."""
    return array(torch_module().signbit(x))


def nearest(x: Array) -> Array:
    """Return floats rounded to whole numbers, ties to even."""
    return array(torch_module().round(x))


def exponent(x: Array) -> Array:
    """Return for positive floats the largest e with 2^e <= x, as int64 (for 0: -1)."""
    return long(array(torch_module().frexp(x)[1])) - 1


def scaled(x: Array, power: Array) -> Array:
    """Return f32 or f64 times two to the power of integers, which must be a normal number."""
    wide = kind_of(x) == "float64"
    bits = (power + 1023) << 52 if wide else cast((power + 127) << 23, "int32")
    return x * view_as(bits, kind_of(x))


def finite(x: Array) -> Array:
    """Return where elements are neither NaN nor infinite."""
    return array(torch_module().isfinite(x))


def extreme_at(index: Array, count: int, values: Array, most: bool) -> Array:
    """Return for 0 … ``count`` - 1 the largest (or least) of 0 and the floats ``values`` there."""
    torch = torch_module()
    out = torch.zeros(count, dtype=tensor(values).dtype, device=index.device)
    return array(out.scatter_reduce_(0, index, values, "amax" if most else "amin"))


def extreme_along(rows: Array, most: bool) -> Array:
    """Return the largest (or least) of 0 and the elements of each row."""
    torch = torch_module()
    if not rows.shape[-1]:
        return array(tensor(rows).new_zeros(rows.shape[:-1]))
    found = torch.amax(rows, -1) if most else torch.amin(rows, -1)
    return array(torch.clamp(found, min=0) if most else torch.clamp(found, max=0))


def most_finite(kind: str) -> float:
    """Return the largest number of a floating-point type."""
    return float(torch_module().finfo(dtype_of(kind)).max)


def at_most(kind: str, bound: float) -> float:
    """Return the largest number of a floating-point type that is not above a positive bound."""
    torch = torch_module()
    found = torch.tensor([bound], dtype=torch.float64).to(dtype_of(kind))
    if float(found[0]) > bound:
        below = tensor(bits_of(found)) - 1
        found = below.view(dtype_of(kind))
    return float(found[0])


def in_groups(x: Array, group: int) -> Array:
    """Return groups of neighbours on the last dimension as rows, the last one padded with 0."""
    torch, length = torch_module(), x.shape[-1]
    padded = torch.nn.functional.pad(tensor(x), (0, -length % max(1, group)))
    return array(padded.reshape(-1, max(1, group)))


def out_of_groups(rows: Array, shape: tuple[int, ...]) -> Array:
    """Return what :func:`in_groups` put into rows in its former shape."""
    groups = -(-shape[-1] // max(1, rows.shape[-1]))
    whole = tensor(rows).reshape(*shape[:-1], groups * rows.shape[-1])
    return array(whole[..., : shape[-1]])
