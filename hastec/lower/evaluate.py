"""Value nodes into kernel values, on demand and once each."""

from __future__ import annotations

from collections.abc import Hashable
from typing import assert_never

from hastec.diag.diagnostic import InternalError
from hastec.ir.arith import I32_MAX
from hastec.ir.graph import (
    Access,
    Const,
    Convert,
    Define,
    Index,
    Input,
    Map,
    NodeId,
    Present,
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Update,
)
from hastec.ir.index import Form, ValueId
from hastec.ir.kernel import Value
from hastec.ir.primitive import expand
from hastec.ir.scalars import SCALARS, Result
from hastec.ir.types import BOOL, I32, I64, DType, compute_type
from hastec.lower import tables
from hastec.lower.context import Context

_FORMS = frozenset(("add", "sub", "mul", "div", "mod", "neg"))
_SIGNS = _FORMS | {"min", "max", "abs"}
"""Functions whose names say nothing about their result."""


def evaluate(c: Context, node: NodeId) -> Value:
    """Return the value of a node where the context stands."""
    at = c.work.nodes[node]
    key: Hashable = node
    if not isinstance(at.op, Reduce):
        key = (node, c.conditions if sensitive(c, node) else ())
    found = c.recall(key)
    if found is None:
        c.k.span = at.span
        found = _evaluate(c, node)
        c.remember(key, found, at.ranks)
    assert isinstance(found, Value)
    return found


def _evaluate(c: Context, node: NodeId) -> Value:
    at, k = c.work.nodes[node], c.k
    match at.op:
        case Const(value):
            return k.const(value, at.dtype if at.dtype.is_float else None)
        case Index(rank):
            return k.named(k.value(form(c, node)), rank)
        case SizeOf():
            return k.value(form(c, node))
        case Map(fn, args):
            if at.dtype == I64 and fn in _FORMS:
                return k.value(form(c, node))
            return _map(c, node, fn, args)
        case Access(table, _):
            return tables.read(c, node, table)
        case Present(table, _):
            return tables.present(c, node, table)
        case Reduce():
            raise InternalError(f"%{node} is used before its loop")
        case Softmax() | Select() | Define() | Update() | Convert() | Input():
            raise InternalError(f"%{node} has no value in a kernel")
        case _ as never:
            assert_never(never)


def form(c: Context, node: NodeId) -> Form:
    """Return an integer node as an index form."""
    at, k = c.work.nodes[node], c.k
    match at.op:
        case Index(rank):
            return c.coords[rank]
        case SizeOf(size):
            return Form.of(size)
        case Const(value) if isinstance(value, int):
            return Form.of(int(value))
        case Map(fn, args) if at.dtype == I64 and fn in _FORMS:
            return _arithmetic(c, fn, tuple(form(c, a) for a in args))
        case Map("cast", (arg,)) if c.work.nodes[arg].dtype.is_integer and at.dtype == I64:
            return form(c, arg)
        case _:
            return k.form(evaluate(c, node))


def _arithmetic(c: Context, fn: str, args: tuple[Form, ...]) -> Form:
    k = c.k
    match fn, args:
        case "add", (a, b):
            return a + b
        case "sub", (a, b):
            return a - b
        case "neg", (a,):
            return -a
        case "mul", (a, b) if not b.terms:
            return a * b.const
        case "mul", (a, b) if not a.terms:
            return b * a.const
        case (("div" | "mod"), (a, b)) if not b.terms and (b.constant is None or b.constant > 0):
            return k.divide(a, b.const)[fn == "mod"]
        case _:
            return k.form(k.apply(fn, *(_long(c, a) for a in args)))


def _long(c: Context, value: Form) -> Value:
    """Return a form as a value: 64-bit in case its products are."""
    return c.k.cast(c.k.value(value), I64)


def subscript(c: Context, node: NodeId) -> Form:
    """Return a subscript or range bound as wide as indices are.

    Index tables were checked on entry, so their elements are narrow; anything else of 64 bits is
    moved to the nearest end of the narrow numbers, where it is as far out of range as before.
    """
    found = form(c, node)
    if c.k.index_type == I32 and not _checked(c, node) and any(_wild(c, v) for v, _ in found.terms):
        held = c.k.value(found)
        for fn, end in (("max", -I32_MAX - 1), ("min", I32_MAX)):
            held = c.k.apply(fn, held, c.k.const(end, held.dtype))
        return Form.value(c.k.cast(held, I32).id)
    total = Form.of(found.const)
    for value, coefficient in found.terms:
        narrow = c.k.cast(c.k.values[value], c.k.index_type)
        total = total + Form.value(narrow.id) * coefficient
    return total


def _checked(c: Context, node: NodeId) -> bool:
    """Whether a subscript's values were found in range before the kernel runs."""
    for access, place in c.work.checked:
        op = c.work.nodes[access].op
        if isinstance(op, Access | Present) and op.subs[place] == node:
            return True
    return False


def _wild(c: Context, value: ValueId) -> bool:
    """Whether nothing says that a 64-bit value fits into 32."""
    found = c.k.values[value]
    low, high = found.bounds or (None, None)
    proven = low is not None and high is not None and low >= -I32_MAX - 1 and high <= I32_MAX
    return found.dtype == I64 and not proven


def _map(c: Context, node: NodeId, fn: str, args: tuple[NodeId, ...]) -> Value:
    k, at = c.k, c.work.nodes[node]
    if fn == "where":
        return _where(c, args, at.dtype)
    if fn in ("and", "or"):
        left = _truth(c, args[0])
        with c.under(left if fn == "and" else k.apply("not", left)):
            return k.apply(fn, left, _truth(c, args[1]))
    if fn == "not":
        return k.apply("not", _truth(c, args[0]))
    values = tuple(evaluate(c, a) for a in args)
    if fn == "cast":
        return convert(c, values[0], at.dtype)
    kind = at.dtype
    if SCALARS[fn].result is Result.BOOL:
        kind = compute_type(v.dtype for v in values)
    values = tuple(convert(c, v, kind) for v in values)
    made = expand(fn, values, kind, k)
    return made if fn in _SIGNS or made in values else k.named(made, fn)


def _where(c: Context, args: tuple[NodeId, ...], dtype: DType) -> Value:
    condition = _truth(c, args[0])
    with c.under(condition):
        yes = convert(c, evaluate(c, args[1]), dtype)
    with c.under(c.k.apply("not", condition)):
        no = convert(c, evaluate(c, args[2]), dtype)
    return c.k.apply("where", condition, yes, no)


def _truth(c: Context, node: NodeId) -> Value:
    value = evaluate(c, node)
    if value.dtype == BOOL:
        return value
    return c.k.apply("ne", value, c.k.const(0, value.dtype))


def convert(c: Context, value: Value, dtype: DType) -> Value:
    """Return a value in the type a node computes in; index arithmetic proven narrow stays so."""
    if dtype == I64 and value.dtype == I32 and value.bounds is not None:
        return value
    return c.k.cast(value, dtype)


def condition(c: Context, guards: tuple[NodeId, ...]) -> Value | None:
    """Return the conjunction of guards, each evaluated behind the ones before it."""
    total: Value | None = None
    saved = c.conditions
    for guard in guards:
        this = _truth(c, guard)
        total = this if total is None else c.k.apply("and", total, this)
        c.conditions = (*saved, total)
    c.conditions = saved
    return total


def sensitive(c: Context, node: NodeId) -> bool:
    """Whether a node reads a table at a computed place, which conditions must guard."""
    key = ("sensitive", node)
    found = c.recall(key)
    if found is None:
        found = _sensitive(c, node)
        c.remember(key, found, ())
    return bool(found)


def _sensitive(c: Context, node: NodeId) -> bool:
    op = c.work.nodes[node].op
    if isinstance(op, Reduce):
        return False
    if isinstance(op, Access | Present) and not tables.plain(c, op.subs):
        return True
    return any(sensitive(c, o) for o in c.work.value_operands(node))
