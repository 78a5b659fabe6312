"""Which coordinates of ranks take part: ranges and guards, and the faults met on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hastec.ir.graph import NodeId
from hastec.ir.interp.align import Value, both, data_over, masked, union, widen
from hastec.ir.interp.number import Array, Bools, Ints, bools, ints
from hastec.ir.interp.state import Run

LATEST = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """Where coordinates take part (None: everywhere) and the faults of deciding it."""

    where: Value | None
    faults: tuple[Value, ...]


def domain(run: Run, ranks: tuple[str, ...], guards: tuple[NodeId, ...]) -> Domain:
    """Enter ``ranks`` one by one and test each guard as soon as its ranks are entered.

    Guards keep their order, and nothing behind a false one, or outside a range, is looked at.
    """
    where: Value | None = None
    faults: list[Value] = []
    waiting = list(guards)
    for entered in range(len(ranks) + 1):
        if entered:
            box = run.box(ranks[entered - 1])
            if box.faults is not None:
                faults += behind(where, box.faults)
            nothing = None if box.size else Value((), np.asarray(False))
            where = both(both(where, box.inside), nothing)
        late = set(ranks[entered:])
        while waiting and not late.intersection(run.values[waiting[0]].ranks):
            guard = run.values[waiting.pop(0)]
            faults += behind(where, guard)
            sound = np.asarray(True) if guard.bad is None else guard.bad == 0
            where = both(where, Value(guard.ranks, bools(guard.data) & sound))
    return Domain(where, tuple(faults))


def behind(where: Value | None, value: Value) -> list[Value]:
    """Return the faults of ``value`` in the lanes ``where`` holds, if there are any."""
    if value.bad is None:
        return []
    if where is None:
        return [Value(value.ranks, value.bad, value.bad)]
    ranks = union(where.ranks, value.ranks)
    lanes = ints(data_over(Value(value.ranks, value.bad), ranks))
    bad = masked(lanes, bools(data_over(where, ranks)))
    return [Value(ranks, bad, bad)] if bad is not None and bad.any() else []


def all_faults(found: Domain, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return the faults of a domain and, inside it, of ``values``."""
    return found.faults + tuple(f for v in values for f in behind(found.where, v))


def fold_faults(run: Run, faults: tuple[Value, ...], ranks: tuple[str, ...]) -> Ints | None:
    """Return the first fault in each lane over ``ranks``, whatever the coordinates of others."""
    if not faults:
        return None
    merged = np.full(run.shape(ranks), LATEST)
    for fault in faults:
        wide = union(ranks, fault.ranks)
        lanes = ints(data_over(fault, wide))
        lanes = np.where(lanes == 0, LATEST, lanes)
        folded = lanes.min(axis=tuple(range(len(ranks), len(wide))), initial=LATEST)
        merged = np.minimum(merged, folded)
    return np.where(merged == LATEST, 0, merged) if (merged != LATEST).any() else None


def over_box(run: Run, value: Value, ranks: tuple[str, ...]) -> Array:
    """Return the data of ``value`` broadcast to the whole box of ``ranks``."""
    return widen(data_over(value, ranks), run.shape(ranks))


def live_over(run: Run, where: Value | None, ranks: tuple[str, ...]) -> Bools:
    """Return a condition broadcast to the whole box of ``ranks``."""
    if where is None:
        return np.broadcast_to(np.asarray(True), run.shape(ranks))
    return bools(over_box(run, where, ranks))
