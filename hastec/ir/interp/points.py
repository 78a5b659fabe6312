"""Values computed lane by lane: constants, coordinates, functions, accesses."""

from __future__ import annotations

from typing import cast

import numpy as np

from hastec.diag import Diagnostic
from hastec.ir.graph import (
    Access,
    Const,
    Convert,
    Define,
    Index,
    Input,
    Map,
    Node,
    NodeId,
    Present,
    SizeOf,
    Update,
)
from hastec.ir.interp.align import Value, bad_over, data_over, earlier, first_fault, masked, widen
from hastec.ir.interp.number import Array, Bools, Ints, bools, convert, ints, zeros
from hastec.ir.interp.scalar import apply
from hastec.ir.interp.state import BY_ZERO, OUT_OF_RANGE, Run


def constant(run: Run, node: Node, op: Const | SizeOf) -> Value:
    """A literal or a size."""
    number = op.value if isinstance(op, Const) else op.size.evaluate(run.sizes)
    return Value((), convert(np.asarray(number), node.dtype, run.exact))


def index(run: Run, op: Index) -> Value:
    """The coordinate of a rank, over its box."""
    return Value((op.rank,), run.coordinates(op.rank))


# --------------------------------------------------------------------------------------------- maps
def mapped(run: Run, node: Node, op: Map) -> Value:
    """A scalar function; ``and``, ``or`` and ``where`` drop faults of what they do not ask for."""
    args = tuple(run.values[a] for a in op.args)
    arrays = tuple(data_over(a, node.ranks) for a in args)
    run.charge(run.shape(node.ranks), node.span)
    types = tuple(run.nodes[a].dtype for a in op.args)
    data = apply(op.fn, arrays, types, node.dtype, run.exact)
    bad = _lazy_faults(op.fn, args, node.ranks)
    if op.fn in ("div", "mod") and node.dtype.is_integer:
        zero = np.broadcast_to(ints(arrays[1]) == 0, data.shape)
        bad = run.fault(zero, bad, node.ranks, node.id, BY_ZERO)
    return Value(node.ranks, data, _full(run, bad, node.ranks))


def _full(run: Run, bad: Ints | None, ranks: tuple[str, ...]) -> Ints | None:
    """Faults over every lane: where a rank has no coordinates there are none."""
    return None if bad is None else np.broadcast_to(bad, run.shape(ranks))


def _lazy_faults(fn: str, args: tuple[Value, ...], ranks: tuple[str, ...]) -> Ints | None:
    if fn not in ("and", "or", "where") or all(a.bad is None for a in args):
        return first_fault(args, ranks)
    condition = bools(data_over(args[0], ranks))
    asked = {"and": (condition,), "or": (~condition,), "where": (condition, ~condition)}[fn]
    bad = bad_over(args[0], ranks)
    for arg, where in zip(args[1:], asked, strict=True):
        bad = earlier(bad, masked(bad_over(arg, ranks), where))
    return bad


# ----------------------------------------------------------------------------------------- accesses
def access(run: Run, node: Node, op: Access) -> Value:
    """The entries of a table; a lane whose subscripts are out of range gets a fault."""
    at, bad = places(run, node, op.table, op.subs)
    table = run.tables[op.table]
    return Value(node.ranks, taken(run, node, table.data, at), bad)


def present(run: Run, node: Node, op: Present, stored: Bools | None) -> Value:
    """Whether entries are stored; ``stored`` is the presence of the table, None if all are."""
    at, bad = places(run, node, op.table, op.subs)
    if stored is None:
        return Value(node.ranks, np.ones(run.shape(node.ranks), np.bool_), bad)
    return Value(node.ranks, taken(run, node, stored, at), bad)


def places(
    run: Run, node: Node, table: NodeId, subs: tuple[NodeId, ...]
) -> tuple[tuple[Ints, ...], Ints | None]:
    """Return subscripts over the ranks of ``node``, kept in range, and where they were not."""
    dims = run.dims(table)
    values = tuple(run.values[s] for s in subs)
    arrays = tuple(ints(data_over(v, node.ranks)) for v in values)
    shape = run.shape(node.ranks)
    run.charge(shape, node.span)
    bad = first_fault(values, node.ranks)
    outside: Bools = np.zeros(shape, np.bool_)
    for at, extent in zip(arrays, dims, strict=True):
        outside |= (at < 0) | (at >= extent)
    bad = run.fault(outside, bad, node.ranks, node.id, OUT_OF_RANGE)
    kept = (np.clip(at, 0, max(0, n - 1)) for at, n in zip(arrays, dims, strict=True))
    return tuple(kept), _full(run, bad, node.ranks)


def taken(run: Run, node: Node, data: Array, at: tuple[Ints, ...]) -> Array:
    """Return ``data`` at ``at`` over the box of ``node``; an empty table gives zeros."""
    shape = run.shape(node.ranks)
    if data.size == 0:
        return widen(zeros((), node.dtype), shape)
    return widen(cast("Array", np.asarray(data[at])), shape)


def fault_message(run: Run, number: int) -> Diagnostic:
    """Say which access of which lane was out of range, or what else went wrong there."""
    fault, at = run.find(number)
    node = run.nodes[fault.node]
    where = ", ".join(f"{rank} = {place}" for rank, place in at.items())
    tail = f", at {where}" if where else ""
    if fault.message:
        return Diagnostic(fault.code, fault.message + tail, node.span, "bound the range")
    if isinstance(node.op, Access | Present):
        wrong = _first_wrong(run, node.op.table, node.op.subs, at)
        message = f"`{table_name(run, node.op.table)}` is read out of range: {wrong}{tail}"
        help = "bound the subscript by a condition, or check the index table"
        return Diagnostic(fault.code, message, node.span, help)
    message = f"an integer is divided by zero{tail}"
    return Diagnostic(fault.code, message, node.span, "put a condition before the division")


def _first_wrong(run: Run, table: NodeId, subs: tuple[NodeId, ...], at: dict[str, int]) -> str:
    for position, (sub, extent) in enumerate(zip(subs, run.dims(table), strict=True)):
        value = run.values[sub]
        place = int(value.data[tuple(at[r] - run.box(r).base for r in value.ranks)])
        if not 0 <= place < extent:
            return f"subscript {position + 1} is {place}, not in 0 .. {extent}"
    return "a subscript is wrong"


def table_name(run: Run, table: NodeId) -> str:
    """Return what people call a table: its name, or that of the table it is a version of."""
    node = run.nodes[table]
    match node.op:
        case Input(name) | Define(name):
            return name
        case Update(table) | Convert(table):
            return table_name(run, table)
        case _:
            return f"selection %{table}"
