"""Values over named ranks, and how arrays over different ranks are brought together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np

from hastec.ir.interp.number import Array, Bools, Ints, bools, ints


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A value over ``ranks`` (one axis each). ``bad`` numbers the fault of each lane; 0 is none."""

    ranks: tuple[str, ...]
    data: Array
    bad: Ints | None = None


def spread(ranks: tuple[str, ...], data: Array, target: tuple[str, ...]) -> Array:
    """Return ``data`` with one axis for each rank of ``target``, of extent 1 where it has none."""
    order = sorted(range(len(ranks)), key=lambda axis: target.index(ranks[axis]))
    turned = data.transpose(order)
    kept = iter(turned.shape)
    return turned.reshape(tuple(next(kept) if rank in ranks else 1 for rank in target))


def data_over(value: Value, target: tuple[str, ...]) -> Array:
    """Return the data of ``value`` spread over ``target``."""
    return spread(value.ranks, value.data, target)


def bad_over(value: Value, target: tuple[str, ...]) -> Ints | None:
    """Return the faults of ``value`` spread over ``target``."""
    return None if value.bad is None else ints(spread(value.ranks, value.bad, target))


def widen(data: Array, shape: tuple[int, ...]) -> Array:
    """Return ``data`` broadcast to ``shape``, without a copy."""
    return cast("Array", np.broadcast_to(data, shape))  # keeps the element type


def choose(where: Bools, yes: Array, no: Array) -> Array:
    """Return ``yes`` where ``where`` holds, else ``no``, two arrays of one type."""
    return cast("Array", np.where(where, yes, no))


def earlier(first: Ints | None, second: Ints | None) -> Ints | None:
    """Return the faults of ``first``, and those of ``second`` where it has none."""
    if first is None or second is None:
        return second if first is None else first
    return np.where(first != 0, first, second)


def first_fault(values: Iterable[Value], target: tuple[str, ...]) -> Ints | None:
    """Return the first fault of ``values`` in each lane over ``target``."""
    found: Ints | None = None
    for value in values:
        found = earlier(found, bad_over(value, target))
    return found


def masked(bad: Ints | None, where: Bools) -> Ints | None:
    """Return ``bad`` where ``where`` holds, no fault elsewhere."""
    return None if bad is None else np.where(where, bad, 0)


def both(left: Value | None, right: Value | None) -> Value | None:
    """Return where two conditions hold; None means everywhere. Faults are not looked at."""
    if left is None or right is None:
        return right if left is None else left
    ranks = union(left.ranks, right.ranks)
    a, b = bools(data_over(left, ranks)), bools(data_over(right, ranks))
    return Value(ranks, np.logical_and(a, b))


def union(*groups: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ranks of all groups in order of first appearance."""
    return tuple(dict.fromkeys(rank for group in groups for rank in group))
