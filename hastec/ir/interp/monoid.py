"""Monoids of the user's own: a fold in index order over typed states."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hastec.diag import InternalError
from hastec.ir.graph import Monoid, Term
from hastec.ir.infer import monoid_types, term_type
from hastec.ir.interp.align import choose, widen
from hastec.ir.interp.number import Array, Bools, carried, convert
from hastec.ir.interp.scalar import apply
from hastec.ir.types import BY_NAME, DType

Typed = tuple[Array, DType]


def fold(
    monoid: Monoid, args: tuple[Array, ...], types: tuple[DType, ...], live: Bools, exact: bool
) -> Array:
    """Merge the elements of ``args`` along their last axis, in order, where ``live`` holds.

    The state starts as ``none``; lanes that do not take part leave it as it is.
    """
    fields, _ = monoid_types(monoid, types)
    shape = live.shape[:-1]
    state = [widen(t, shape) for t in _evaluate(monoid.none, fields, {}, exact)]
    for at in range(live.shape[-1]):
        pairs = zip(monoid.params, args, types, strict=True)
        params: dict[Term, Typed] = {("param", n): (_column(a, at), t) for n, a, t in pairs}
        one = _evaluate(monoid.one, fields, params, exact)
        both: dict[Term, Typed] = {}
        for name, dtype, a, b in zip(monoid.fields, fields, state, one, strict=True):
            both |= {("state", "a", name): (a, dtype), ("state", "b", name): (b, dtype)}
        merged = _evaluate(monoid.merge, fields, both, exact)
        here = live[..., at]
        state = [choose(here, m, s) for m, s in zip(merged, state, strict=True)]
    done: dict[Term, Typed] = {
        ("field", n): (s, t) for n, s, t in zip(monoid.fields, state, fields, strict=True)
    }
    return widen(term(monoid.give, done, exact)[0], shape)


def _column(data: Array, at: int) -> Array:
    return data[..., at]


def _evaluate(
    terms: tuple[Term, ...], types: tuple[DType, ...], leaves: Mapping[Term, Typed], exact: bool
) -> list[Array]:
    pairs = zip(terms, types, strict=True)
    return [convert(term(part, leaves, exact)[0], dtype, exact) for part, dtype in pairs]


def term(part: object, leaves: Mapping[Term, Typed], exact: bool) -> Typed:
    """Return the value and the type of a monoid's expression."""
    if isinstance(part, tuple) and part in leaves:
        return leaves[part]
    match part:
        case ("const", bool() | int() | float() as number):
            dtype = term_type(part, {})
            return carried(np.asarray(number), dtype), dtype
        case ("cast", str(name), inner):
            dtype = BY_NAME[name]
            return convert(term(inner, leaves, exact)[0], dtype, exact), dtype
        case (str(fn), *parts):
            operands = tuple(term(p, leaves, exact) for p in parts)
            types = tuple(t for _, t in operands)
            names: dict[Term, DType] = {("param", str(i)): t for i, t in enumerate(types)}
            dtype = term_type((fn, *names), names)
            return apply(fn, tuple(a for a, _ in operands), types, dtype, exact), dtype
        case _:
            raise InternalError(f"not an expression of a monoid: {part!r}")
