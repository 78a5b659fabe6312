"""Folding and bounds of integer arithmetic on kernel values."""

from __future__ import annotations

import operator
from collections.abc import Callable

from hastec.ir.index import Interval
from hastec.ir.kernel import ANY_SIZE

I32_MAX = 2**31 - 1
NARROW_SIZE = 2**30
"""Kernels with 32-bit offsets run only where every size is at most this."""
WIDE_SIZE = ANY_SIZE

FOLD: dict[str, Callable[[int, int], int | bool]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "min": min,
    "max": max,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "shl": operator.lshift,
    "shr": operator.rshift,
    "bitand": operator.and_,
    "bitor": operator.or_,
    "bitxor": operator.xor,
}


def fold(fn: str, args: tuple[int, ...]) -> int | bool | None:
    """Return ``fn`` of integer constants, or None if it is not folded."""
    if len(args) != 2:
        return None
    a, b = args
    if fn in ("div", "mod"):
        return None if b == 0 else (a // b if fn == "div" else a % b)
    return FOLD[fn](a, b) if fn in FOLD else None


def bounds(fn: str, args: tuple[Interval | None, ...]) -> Interval | None:
    """Return bounds of ``fn`` over operands with the given bounds; None if unknown."""
    match fn, args:
        case ("neg", ((lo, hi),)):
            return -hi, -lo
        case ("abs", ((lo, hi),)):
            return (0 if lo <= 0 <= hi else min(abs(lo), abs(hi))), max(abs(lo), abs(hi))
        case ("where", (_, (a, b), (c, d))):
            return min(a, c), max(b, d)
        case ("mod", (_, (lo, hi))) if lo > 0:
            return 0, hi - 1
        case ("bitand", (a, b)):
            masks = [m[1] for m in (a, b) if m is not None and m[0] >= 0]
            return (0, min(masks)) if masks else None
        case (_, ((a, b), (c, d))):
            return _binary(fn, (a, b), (c, d))
        case _:
            return None


def _binary(fn: str, left: Interval, right: Interval) -> Interval | None:
    (a, b), (c, d) = left, right
    match fn:
        case "add":
            return a + c, b + d
        case "sub":
            return a - d, b - c
        case "mul":
            ends = [x * y for x in (a, b) for y in (c, d)]
            return min(ends), max(ends)
        case "min":
            return min(a, c), min(b, d)
        case "max":
            return max(a, c), max(b, d)
        case "div" if c > 0:
            ends = [x // y for x in (a, b) for y in (c, d)]
            return min(ends), max(ends)
        case "shr" if c >= 0 and d < 64:
            ends = [x >> y for x in (a, b) for y in (c, d)]
            return min(ends), max(ends)
        case "shl" if c >= 0 and d < 64:
            ends = [x << y for x in (a, b) for y in (c, d)]
            return min(ends), max(ends)
        case "bitor" | "bitxor" if a >= 0 and c >= 0:
            return 0, (1 << max(b, d).bit_length()) - 1
        case _:
            return None
