"""The scalar functions on carried arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hastec.diag import InternalError
from hastec.ir.interp.number import Array, Bools, Floats, Ints, bools, convert, floats, ints
from hastec.ir.scalars import SCALARS, Result
from hastec.ir.types import I64, DType, Kind, compute_type


def apply(
    fn: str, args: tuple[Array, ...], types: tuple[DType, ...], result: DType, exact: bool
) -> Array:
    """Return ``fn`` of ``args`` (of element types ``types``) in type ``result``.

    Operands are first converted to the type the function computes in. Floats compute in float64
    and the result is rounded once to f32 (with ``exact``: not at all); integers wrap around.
    Arrays broadcast.
    """
    rule = SCALARS[fn].result
    if rule is Result.GIVEN:
        return convert(args[0], result, exact)
    if fn in _LOGIC:
        return _LOGIC[fn](*(bools(a) for a in args))
    if fn in _WORDS:
        return convert(_word(fn, args, types, result), result, exact)
    if rule is Result.CHOICE:
        chosen = (convert(a, result, exact) for a in args[1:])
        return np.asarray(np.where(bools(args[0]), *chosen))
    domain = result if rule is Result.FLOAT else compute_type(types)
    inside = tuple(convert(a, domain, exact) for a in args)
    if rule is Result.BOOL:
        return _TESTS[fn](*inside)
    computed = _on_floats(fn, inside) if domain.is_float else _on_ints(fn, inside)
    return convert(computed, result, exact)


def _on_floats(fn: str, args: tuple[Array, ...]) -> Array:
    return np.asarray(_FLOATS[fn](*(floats(a) for a in args)))


def _on_ints(fn: str, args: tuple[Array, ...]) -> Array:
    if fn not in _INTS:
        raise InternalError(f"{fn} has no meaning on integers")
    return np.asarray(_INTS[fn](*(ints(a) for a in args)))


# ------------------------------------------------------------------------------------------- floats
def _erf(x: Floats) -> Floats:
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x)).astype(np.float64)


def _sign(x: Floats) -> Floats:
    return np.where(np.isnan(x), 0.0, np.sign(x))


def _silu(x: Floats) -> Floats:
    return np.asarray(x / (1 + np.exp(-x)))


def _gelu(x: Floats) -> Floats:
    return np.asarray(0.5 * x * (1 + _erf(x / math.sqrt(2))))


_FLOATS: dict[str, Callable[..., Floats]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "mod": np.mod,
    "neg": np.negative,
    "min": np.minimum,
    "max": np.maximum,
    "abs": np.abs,
    "sign": _sign,
    "relu": lambda x: np.where(x < 0, 0.0, x),
    "square": np.square,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log1p": np.log1p,
    "erf": _erf,
    "silu": _silu,
    "gelu": _gelu,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "reciprocal": lambda x: 1 / x,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "trunc": np.trunc,
    "pow": np.power,
}

# ---------------------------------------------------------------------------------- integers, logic
_INTS: dict[str, Callable[..., Ints]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.floor_divide,
    "mod": np.mod,
    "neg": np.negative,
    "min": np.minimum,
    "max": np.maximum,
    "abs": np.abs,
    "sign": np.sign,
    "relu": lambda x: np.maximum(x, 0),
    "square": np.square,
    "floor": lambda x: x,
    "ceil": lambda x: x,
    "round": lambda x: x,
    "trunc": lambda x: x,
}

_TESTS: dict[str, Callable[..., Bools]] = {
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

_LOGIC: dict[str, Callable[..., Bools]] = {
    "not": np.logical_not,
    "and": np.logical_and,
    "or": np.logical_or,
}


# -------------------------------------------------------------------------------------------- words
def _word(fn: str, args: tuple[Array, ...], types: tuple[DType, ...], result: DType) -> Array:
    """Functions of words of ``result``'s width (operands were wrapped to it by their own type)."""
    if fn == "xnor" and all(t.kind is Kind.BOOL for t in types):
        return np.asarray(ints(args[0]) == ints(args[1]))
    return np.asarray(_WORDS[fn](result.bits, *(ints(a) for a in args)))


def _shift_left(bits: int, x: Ints, by: Ints) -> Ints:
    inside = (by >= 0) & (by < bits)
    return np.where(inside, x << np.where(inside, by, 0), 0)


def _shift_right(bits: int, x: Ints, by: Ints) -> Ints:
    """Arithmetic shift; a count that is not below the width leaves copies of the sign."""
    inside = (by >= 0) & (by < bits)
    return np.asarray(x >> np.where(inside, by, bits - 1))


def _count_ones(bits: int, x: Ints) -> Ints:
    word = x if bits == I64.bits else x & (2**bits - 1)
    octets = np.ascontiguousarray(word)[..., None].view(np.uint8)
    return np.asarray(np.unpackbits(octets, axis=-1).sum(axis=-1, dtype=np.int64))


_WORDS: dict[str, Callable[..., Ints]] = {
    "xor": lambda bits, x, y: x ^ y,
    "xnor": lambda bits, x, y: ~(x ^ y),
    "bitand": lambda bits, x, y: x & y,
    "bitor": lambda bits, x, y: x | y,
    "bitxor": lambda bits, x, y: x ^ y,
    "shl": _shift_left,
    "shr": _shift_right,
    "popc": _count_ones,
}
