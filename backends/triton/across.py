"""What combines coordinates of a digit: reductions, prefixes and matrix products."""

from __future__ import annotations

from hastec.backends.triton.lines import Lines
from hastec.backends.triton.physical import Lanes, singles
from hastec.backends.triton.text import TEST, TYPES, Expr, call, filled, listed
from hastec.diag import InternalError
from hastec.ir.kernel import Const, Dot, Reduce, Scan, Value
from hastec.ir.types import BF16, BOOL, F32

_REDUCE = {"sum": "tl.sum", "max": "tl.max", "min": "tl.min", "any": "tl.max", "all": "tl.min"}


def reduce(w: Lines, value: Value, op: Reduce) -> Expr:
    """Return a reduction over digits, the first one first."""
    arg = w.plan.values[op.arg]
    expr, shape = w.text(arg), w.plan.shape(arg)
    flat = [d for dim in shape for d in dim]
    if len(flat) > len(shape):
        expr = w.plan.reshaped(expr, singles(flat))
    truth = arg.dtype == BOOL
    if truth:
        expr = Expr(f"{expr.atom}.to(tl.int32)")
    for n, digit in enumerate(op.digits):
        # Triton's passes for sm_100 fail over a tile that is reduced to a number axis by axis.
        whole = n > 0 and len(flat) == 1 and w.plan.digits[digit].role == "block"
        expr = _fold(w, op.monoid, expr, None if whole else flat.index(digit))
        flat.remove(digit)
    expr = w.plan.convert(expr, singles(flat), w.plan.shape_of(value.digits, w.lanes(value)))
    return Expr(f"{expr.within(TEST + 1)} != 0", TEST) if truth else expr


def _fold(w: Lines, monoid: str, expr: Expr, axis: int | None) -> Expr:
    if monoid == "prod":
        w.helpers["_prod"] = None
        return call("tl.reduce", expr, "None" if axis is None else axis, "_prod")
    return call(_REDUCE[monoid], expr) if axis is None else call(_REDUCE[monoid], expr, axis)


def scan(w: Lines, value: Value, op: Scan, lanes: Lanes) -> Expr:
    """Return the inclusive prefix along a digit."""
    shape = w.plan.shape_of(value.digits, lanes)
    expr = w.at(w.plan.values[op.arg], shape, lanes)
    flat = singles(d for dim in shape for d in dim)
    if op.monoid != "sum":
        raise InternalError(f"no prefix by {op.monoid}")
    if flat == shape:
        return call("tl.cumsum", expr, flat.index((op.digit,)))
    expr = call("tl.cumsum", w.plan.reshaped(expr, flat), flat.index((op.digit,)))
    return w.plan.reshaped(expr, shape)


def dot(w: Lines, value: Value, op: Dot) -> Expr:
    """Return a matrix product: of two dimensions, however many digits the factors have."""
    left, right = w.plan.values[op.left], w.plan.values[op.right]
    rows = tuple(d for d in left.digits if d not in op.over)
    columns = tuple(d for d in right.digits if d not in op.over)
    args = [_matrix(w, left, rows, op.over), _matrix(w, right, op.over, columns)]
    if w.interpreted and left.dtype == BF16:
        # Triton's interpreter multiplies the bits of bf16; its f32 product is the same.
        args = [call("tl.cast", a, "tl.float32") for a in args]
    if op.acc is not None:
        args.append(_start(w, w.plan.values[op.acc], value))
    if left.dtype.bits >= F32.bits:
        args.append(Expr('input_precision="ieee"'))
    expr = call("tl.dot", *args, f"out_dtype={TYPES[value.dtype]}")
    if len(rows) == len(columns) == 1 and value.digits == (*rows, *columns):
        return expr
    natural = (*rows, *columns)
    expr = w.plan.reshaped(expr, singles(natural))
    if natural == value.digits:
        return expr
    return call("tl.permute", expr, listed(natural.index(d) for d in value.digits))


def _start(w: Lines, state: Value, value: Value) -> Expr:
    shape = w.plan.shape(value)
    if isinstance(state.op, Const):
        return filled(w.plan.sizes(shape), state.op.value, value.dtype)
    return w.at(state, shape, ())


def _matrix(w: Lines, value: Value, rows: tuple[str, ...], columns: tuple[str, ...]) -> Expr:
    """Return a factor as a matrix of ``rows`` by ``columns``."""
    expr = w.text(value)
    turned = value.digits == (*columns, *rows) and value.digits != (*rows, *columns)
    if turned:
        rows, columns = columns, rows
    elif value.digits != (*rows, *columns):
        order = listed(value.digits.index(d) for d in (*rows, *columns))
        expr = call("tl.permute", expr, order)
    if len(rows) != 1 or len(columns) != 1:
        expr = w.plan.reshaped(expr, (rows, columns))
    return call("tl.trans", expr) if turned else expr
