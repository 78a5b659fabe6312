"""Tables made from values: inputs, definitions, updates, selections."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from hastec.diag import Diagnostic, HasteError
from hastec.ir.graph import Define, Node, Param, Select, Update
from hastec.ir.interp.align import Value, both, choose, widen
from hastec.ir.interp.domain import all_faults, behind, domain, fold_faults, live_over, over_box
from hastec.ir.interp.number import Array, Bools, Ints, bools, carried, convert, ints, zeros
from hastec.ir.interp.points import fault_message, table_name
from hastec.ir.interp.state import OUT_OF_RANGE, TWICE, Run
from hastec.ir.interp.table import Held, Table


def stores_part(param: Param) -> bool:
    """Return whether a table may leave entries out."""
    given = param.format is not None and not param.format.dense
    return param.sparse or given or bool(param.like)


def held(param: Param, table: Table) -> Held:
    """Carry a given table; without presence, what differs from the fill of a sparse one is
    present.
    """
    data = carried(np.asarray(table.values), param.dtype)
    if not stores_part(param):
        return Held(data)
    fill = zeros((), param.dtype, param.fill)
    stored = data != fill if table.present is None else np.asarray(table.present, np.bool_)
    return Held(choose(stored, data, fill), stored, param.fill)


# ---------------------------------------------------------------------------------------- placement
def place(
    run: Run, node: Node, ranks: tuple[str, ...], data: Array, live: Bools, fill: Array
) -> Array:
    """Return a table of ``fill`` with ``data`` (over the box of ``ranks``) where ``live`` holds."""
    dims = run.dims(node.id)
    run.charge(dims, node.span)
    made = widen(fill, dims).copy()
    into: list[slice] = []
    out_of: list[slice] = []
    for rank, extent in zip(ranks, dims, strict=True):
        box = run.box(rank)
        first, last = max(0, box.base), min(extent, box.base + box.size)
        into.append(slice(first, max(first, last)))
        out_of.append(slice(first - box.base, max(first, last) - box.base))
    fits: Bools = np.zeros(live.shape, np.bool_)
    fits[tuple(out_of)] = True
    if bool((live & ~fits).any()):
        _outside(run, node, ranks, live & ~fits)
    window = made[tuple(into)]
    part = tuple(out_of)
    made[tuple(into)] = np.where(live[part], data[part], window)
    return made


def _outside(run: Run, node: Node, ranks: tuple[str, ...], where: Bools) -> NoReturn:
    lane = np.argwhere(where)[0]
    at = ", ".join(f"{r} = {int(i) + run.box(r).base}" for r, i in zip(ranks, lane, strict=True))
    dims = " x ".join(str(d) for d in run.dims(node.id))
    message = f"`{table_name(run, node.id)}` of {dims} is written out of range, at {at}"
    raise HasteError(Diagnostic(OUT_OF_RANGE, message, node.span, "bound the index"))


def raise_faults(run: Run, faults: tuple[Value, ...]) -> None:
    """Raise the first fault, if there is one: these lanes are needed."""
    bad = fold_faults(run, faults, ())
    if bad is not None:
        raise HasteError(fault_message(run, int(bad)))


# -------------------------------------------------------------------------------------- definitions
def defined(run: Run, node: Node, op: Define, pattern: Bools | None) -> Held:
    """A definition; ``pattern`` is the presence it takes from another table, if it does."""
    body = run.values[op.body]
    found = domain(run, op.ranks, op.guards)
    raise_faults(run, all_faults(found, (body,)))
    live = live_over(run, found.where, op.ranks)
    param = run.params.get(op.name)
    fill = param.fill if param is not None and stores_part(param) else 0.0
    # Outputs round even where everything else stays exact.
    data = convert(over_box(run, body, op.ranks), node.dtype, run.exact and param is None)
    nothing = zeros((), node.dtype, fill)
    made = place(run, node, op.ranks, data, live, nothing)
    return Held(made if pattern is None else choose(pattern, made, nothing), None, fill)


def updated(run: Run, node: Node, op: Update, stored: Bools | None) -> Held:
    """A table with new values written; entries written with the fill are not stored."""
    base = run.tables[op.table]
    subs = tuple(run.values[s] for s in op.subs)
    body = run.values[op.body]
    found = domain(run, op.ranks, op.guards)
    raise_faults(run, all_faults(found, (*subs, body)))
    live = live_over(run, found.where, op.ranks)
    at = tuple(ints(over_box(run, s, op.ranks))[live] for s in subs)
    data = convert(over_box(run, body, op.ranks), node.dtype)[live]
    _check_places(run, node, at, data.size)
    made, there = base.data.copy(), None if stored is None else stored.copy()
    if not data.size:
        return Held(made, there, base.fill)
    made[at] = data if at else data[0]
    if there is not None:
        differs = data != zeros((), node.dtype, base.fill)
        there[at] = differs if at else differs[0]
    return Held(made, there, base.fill)


def _check_places(run: Run, node: Node, at: tuple[Ints, ...], count: int) -> None:
    """Every place is in range and written once."""
    dims, name = run.dims(node.id), table_name(run, node.id)
    for position, (places, extent) in enumerate(zip(at, dims, strict=True)):
        wrong = places[(places < 0) | (places >= extent)]
        if wrong.size:
            message = f"`{name}` is written out of range: subscript {position + 1} is {wrong[0]}, "
            message += f"not in 0 .. {extent}"
            raise HasteError(Diagnostic(OUT_OF_RANGE, message, node.span, "bound the index"))
    flat = np.ravel_multi_index(at, dims) if dims else np.zeros(count, np.int64)
    written, times = np.unique(flat, return_counts=True)
    if (times > 1).any():
        where = np.unravel_index(int(written[times > 1][0]), dims) if dims else ()
        text = ", ".join(str(int(i)) for i in where)
        message = f"`{name}[{text}]` is written twice by one update"
        help = "let every coordinate write a place of its own"
        raise HasteError(Diagnostic(TWICE, message, node.span, help))


# --------------------------------------------------------------------------------------- selections
def selected(run: Run, node: Node, op: Select) -> Held:
    """Which candidates along one rank are members."""
    ranks = (*(r for r in op.ranks if r != op.over), op.over)
    found = domain(run, op.ranks, op.guards)
    run.charge(run.shape(ranks), node.span)
    always = tuple(run.values[a] for a in op.always)
    forced = np.zeros(run.shape(ranks), np.bool_)
    for test in always:
        forced |= bools(over_box(run, test, ranks))
    # The key of a candidate that is forced is not asked for.
    key, asked = run.values[op.key], both(found.where, Value(ranks, ~forced))
    faults = (*all_faults(found, always), *behind(asked, key))
    live, keys = live_over(run, found.where, ranks), over_box(run, key, ranks)
    if op.amount is None:
        member = live & bools(keys)
    else:
        amount = run.values[op.amount]
        faults += tuple(behind(found.where, amount))
        bound = over_box(run, amount, ranks[:-1])[..., None]
        member = _members(op.kind == "topk", keys, live, forced, bound)
    raise_faults(run, faults)
    axes = tuple(ranks.index(r) for r in op.ranks)
    turned = (member.transpose(axes), live.transpose(axes))
    made = bools(place(run, node, op.ranks, *turned, np.asarray(False)))
    return Held(made, made)


def _members(topk: bool, keys: Array, live: Bools, forced: Bools, bound: Array) -> Bools:
    """Members along the last axis: in order of keys, as many as ``bound`` says, or until the sum
    of keys reaches it.
    """
    strange = np.isnan(keys) & ~forced
    # Sorted by the last criterion first; the sort is stable, so ties go to the lowest index.
    if keys.dtype == np.float64:
        greatest = np.where(forced, np.inf, np.where(strange, 0.0, keys))
        order = np.lexsort((-greatest, strange, ~live), axis=-1)
    else:
        order = np.lexsort((np.where(forced, 0, ~ints(keys)), ~forced, ~live), axis=-1)
    if topk:
        first = np.broadcast_to(np.arange(live.shape[-1]), live.shape) < bound
    else:
        mass = np.where(forced, np.inf, keys.astype(np.float64))
        sums = np.cumsum(np.take_along_axis(np.where(live, mass, 0.0), order, axis=-1), axis=-1)
        before = np.concatenate((np.zeros_like(sums[..., :1]), sums[..., :-1]), axis=-1)
        first = ~np.logical_or.accumulate(before >= bound, axis=-1)
    member = np.zeros(live.shape, np.bool_)
    np.put_along_axis(member, order, first, axis=-1)
    return member & live
