"""Loads and stores as Triton text."""

from __future__ import annotations

from hastec.backends.triton.lines import Lines
from hastec.backends.triton.physical import Lanes, Shape
from hastec.backends.triton.text import Expr, call, infix, listed, literal
from hastec.ir.kernel import Load, Store, Value
from hastec.ir.types import DType

_ATOMIC = {"sum": "tl.atomic_add", "max": "tl.atomic_max", "min": "tl.atomic_min"}


def load(w: Lines, value: Value, op: Load, lanes: Lanes) -> Expr:
    """Return a load on ``lanes``."""
    shape = w.plan.shape_of(value.digits, lanes)
    dtype = w.kernel.table(op.table).dtype
    where = w.broadcast(w.plan.values[op.pointer], shape, lanes)
    guard = None if op.mask is None else w.broadcast(w.plan.values[op.mask], shape, lanes)
    if len(shape) > 1 and lanes and not _whole_run(w, value, op):
        flat = None if guard is None else _flat(w, guard, shape)
        return _unflat(w, _read(_flat(w, where, shape), flat, op, dtype), shape)
    if lanes and op.unit and op.align > 1 and shape:
        where = _hinted(w, where, op, shape, dtype)
    return _read(where, guard, op, dtype)


def _whole_run(w: Lines, value: Value, op: Load) -> bool:
    """Whether a thread reads its run of neighbours with one access.

    Triton would give what is left of a run to other threads, and move it back after the load.
    """
    return op.unit in value.digits and op.align >= w.plan.extent((op.unit,))


def _flat(w: Lines, expr: Expr, shape: Shape) -> Expr:
    """Return a tensor in one dimension, neighbours in neighbouring threads.

    A last dimension that is a register digit goes to the front: no element changes its thread.
    """
    if _vector_last(w, shape):
        expr = call("tl.trans", expr)
    return w.plan.reshaped(expr, (tuple(d for dim in shape for d in dim),))


def _unflat(w: Lines, expr: Expr, shape: Shape) -> Expr:
    if not _vector_last(w, shape):
        return w.plan.reshaped(expr, shape)
    return call("tl.trans", w.plan.reshaped(expr, (shape[1], shape[0])))


def _vector_last(w: Lines, shape: Shape) -> bool:
    return len(shape) == 2 and shape[1] == (w.plan.vector,)


def _read(where: Expr, guard: Expr | None, op: Load, dtype: DType) -> Expr:
    if guard is None:
        return call("tl.load", where)
    return call("tl.load", where, f"mask={guard}", f"other={literal(op.other, dtype)}")


def _hinted(w: Lines, where: Expr, op: Load, shape: Shape, dtype: DType) -> Expr:
    """State how far neighbours run and what divides their start: reshapes forget it."""
    run, divisor = [1] * len(shape), [1] * len(shape)
    at = next(n for n, dim in enumerate(shape) if op.unit in dim)
    if shape[at][-1] != op.unit:
        return where  # fused with faster digits, neighbours lie apart
    run[at] = w.plan.extent((op.unit,))
    divisor[at] = min(16, op.align * dtype.bytes)
    runs = call("tl.max_contiguous", where, listed(run))
    return call("tl.multiple_of", runs, listed(divisor))


def arrive(w: Lines, pointer: Value, among: int) -> Expr:
    """Return whether this program is the last of ``among`` to arrive at a counter.

    The default order of atomics makes what came before visible to who counts later.
    """
    before = call("tl.atomic_add", w.text(pointer), 1)
    return infix(infix(before, "%", Expr(str(among))), "==", Expr(str(among - 1)))


def store(w: Lines, stmt: Store) -> str:
    """Return the line that stores."""
    values = w.plan.values
    pointer, value = values[stmt.pointer], values[stmt.value]
    mask = None if stmt.mask is None else values[stmt.mask]
    parts = [v for v in (pointer, value, mask) if v is not None]
    digits = tuple(d for d in w.plan.digits if any(d in v.digits for v in parts))
    lanes = _lanes(w, parts)
    shape = w.plan.shape_of(digits, lanes)
    args = [str(w.broadcast(v, shape, lanes)) for v in (pointer, value)]
    if mask is not None:
        args.append(f"mask={w.broadcast(mask, shape, lanes)}")
    return str(call("tl.store" if stmt.combine == "set" else _ATOMIC[stmt.combine], *args))


def _lanes(w: Lines, parts: list[Value]) -> Lanes:
    """Return the smallest lanes in use that hold all thread digits of ``parts``."""
    used = [w.lanes(v) for v in parts if w.lanes(v)]
    digits = {d for v in parts for d in v.digits if d in w.plan.lanes}
    fits = [u for u in used if digits <= set(u)]
    return min(fits, key=len, default=w.plan.lanes if used else ())
