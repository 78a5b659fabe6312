"""Reductions: the built-in monoids, monoids of the user's own, and softmax."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hastec.diag import InternalError
from hastec.ir.graph import Node, Reduce, Softmax
from hastec.ir.interp.align import Value
from hastec.ir.interp.domain import (
    all_faults,
    domain,
    fold_faults,
    live_over,
    over_box,
)
from hastec.ir.interp.monoid import fold
from hastec.ir.interp.number import Array, Bools, Floats, Ints, bools, convert, floats, ints, limits
from hastec.ir.interp.state import Run
from hastec.ir.types import DType


def reduced(run: Run, node: Node, op: Reduce) -> Value:
    """``op.args`` merged in index order over ``op.ranks``, the last rank fastest."""
    args = tuple(run.values[a] for a in op.args)
    found = domain(run, op.ranks, op.guards)
    bad = fold_faults(run, all_faults(found, args), node.ranks)
    ranks = (*node.ranks, *op.ranks)
    run.charge(run.shape(ranks), node.span)
    outer = run.shape(node.ranks)
    flat = (*outer, int(np.prod(run.shape(op.ranks), dtype=np.int64)))
    live = live_over(run, found.where, ranks).reshape(flat)
    arrays = tuple(over_box(run, a, ranks).reshape(flat) for a in args)
    types = tuple(run.nodes[a].dtype for a in op.args)
    if op.monoid in run.monoids:
        data = fold(run.monoids[op.monoid], arrays, types, live, run.exact)
        return Value(node.ranks, convert(data, node.dtype, run.exact), bad)
    if op.monoid in ("argmax", "argmin"):
        found_at = _place(_ascending(arrays[0], op.monoid == "argmax"), live)
        base = run.box(op.ranks[0]).base
        return Value(node.ranks, np.where(found_at < 0, -1, found_at + base), bad)
    inside = convert(arrays[0], node.dtype, run.exact)
    data = convert(_MERGE[op.monoid](inside, live, node.dtype), node.dtype, run.exact)
    return Value(node.ranks, data, bad)


def _ascending(x: Array, up: bool) -> Array:
    """Return ``x`` (or with ``up`` false its mirror image) as numbers that can be compared."""
    if x.dtype == np.float64:
        return x if up else -floats(x)
    return ints(x) if up else ~ints(x)


def _place(x: Array, live: Bools) -> Ints:
    """Return the first position of the greatest (or of the first nan), -1 if there is none."""
    if x.shape[-1] == 0:
        return np.full(x.shape[:-1], -1, np.int64)
    if x.dtype == np.float64:
        # Above everything else, as torch has it; infinity stays below.
        strange = np.isnan(x) & live
        best = np.where(live & ~np.isnan(x), x, -np.inf).max(axis=-1, keepdims=True)
        hit = np.where(strange.any(axis=-1, keepdims=True), strange, live & (x == best))
    else:
        best = np.where(live, x, np.iinfo(np.int64).min).max(axis=-1, keepdims=True)
        hit = live & (x == best)
    return np.where(live.any(axis=-1), hit.argmax(axis=-1), -1).astype(np.int64)


# ------------------------------------------------------------------------------------------ monoids
def _sum(x: Array, live: Bools, dtype: DType) -> Array:
    """Floats are added in float64: the sum rounded once, inside the error of any order."""
    return np.asarray(np.where(live, x, 0).sum(axis=-1, dtype=x.dtype))


def _product(x: Array, live: Bools, dtype: DType) -> Array:
    if dtype.is_float:
        return np.asarray(np.where(live, floats(x), 1).prod(axis=-1))
    return np.asarray(np.where(live, ints(x), 1).prod(axis=-1))


def _greatest(x: Array, live: Bools, dtype: DType) -> Array:
    least = -np.inf if dtype.is_float else limits(dtype)[0]
    return np.asarray(np.where(live, x, least).max(axis=-1, initial=least))


def _least(x: Array, live: Bools, dtype: DType) -> Array:
    greatest = np.inf if dtype.is_float else limits(dtype)[1]
    return np.asarray(np.where(live, x, greatest).min(axis=-1, initial=greatest))


def _any(x: Array, live: Bools, dtype: DType) -> Array:
    return np.asarray((bools(x) & live).any(axis=-1))


def _all(x: Array, live: Bools, dtype: DType) -> Array:
    return np.asarray((bools(x) | ~live).all(axis=-1))


def _mean(x: Array, live: Bools, dtype: DType) -> Array:
    count = live.sum(axis=-1)
    total = np.where(live, floats(x), 0).sum(axis=-1)
    return np.where(count == 0, 0.0, total / np.maximum(count, 1))


def _lse(x: Array, live: Bools, dtype: DType) -> Array:
    return log_sum_exp(floats(x), live)


def log_sum_exp(x: Floats, live: Bools) -> Floats:
    """Return log(sum(exp(x))) along the last axis over ``live``, -inf if there is nothing."""
    scores = np.where(live, x, -np.inf)
    top = scores.max(axis=-1, initial=-np.inf)
    # Infinite tops would make inf - inf; they are the answer themselves.
    steady = np.where(np.isfinite(top), top, 0.0)
    total = np.log(np.exp(scores - steady[..., None]).sum(axis=-1)) + steady
    return np.asarray(np.where(np.isinf(top), top, total))


_MERGE: dict[str, Callable[[Array, Bools, DType], Array]] = {
    "sum": _sum,
    "prod": _product,
    "max": _greatest,
    "min": _least,
    "any": _any,
    "all": _all,
    "mean": _mean,
    "lse": _lse,
}


# ------------------------------------------------------------------------------------------ softmax
def softmax(run: Run, node: Node, op: Softmax) -> Value:
    """exp(score - lse) over one rank; 0 outside its range and guards, and if all are -inf."""
    if node.ranks.count(op.rank) != 1:
        raise InternalError("a softmax varies over its rank")
    score = run.values[op.arg]
    found = domain(run, (op.rank,), op.guards)
    rest = tuple(r for r in node.ranks if r != op.rank)
    ranks = (*rest, op.rank)
    run.charge(run.shape(ranks), node.span)
    bad = fold_faults(run, all_faults(found, (score,)), rest)
    live = live_over(run, found.where, ranks)
    scores = floats(convert(over_box(run, score, ranks), node.dtype, run.exact))
    total = log_sum_exp(scores, live)[..., None]
    share = np.where(live & (total != -np.inf), np.exp(scores - total), 0.0)
    axis = node.ranks.index(op.rank)
    data = np.moveaxis(floats(convert(share, node.dtype, run.exact)), -1, axis)
    if bad is not None:
        shape = run.shape(ranks)
        bad = np.moveaxis(np.broadcast_to(bad[..., None], shape), -1, node.ranks.index(op.rank))
    return Value(node.ranks, data, bad)
