"""Whether results are exact: the same bits however sums are ordered and products contracted.

They are if all values are whole numbers that the type they are computed in holds, which follows
from the largest magnitude of the inputs. Then kernels are compared bit for bit; else within what
rounding may do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import assert_never

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
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Update,
)
from hastec.ir.types import DType
from hastec.passes.bound import table_name
from hastec.tune.part import Part

INEXACT = math.inf
"""The magnitude of a value that need not be a whole number."""

_KEEPS = ("neg", "abs", "cast", "relu", "floor", "ceil", "round", "trunc", "min", "max", "where")
_TESTS = (
    *("lt", "le", "gt", "ge", "eq", "ne", "not", "and", "or"),
    *("isnan", "isinf", "isfinite", "sign"),
)
_BITS = {16: {"f16": 11, "bf16": 8}, 32: {"f32": 24}, 64: {"f64": 53}}


def exact(part: Part, largest: Mapping[str, float], sizes: Mapping[str, int]) -> bool:
    """Whether a region's results are exact.

    ``largest`` is the greatest magnitude in each table that holds whole numbers; tables that are
    not named hold others.
    """
    found: dict[NodeId, float] = {}
    for node in part.nodes:
        bound = _bound(part, node, found, largest, sizes)
        # What a table holds was rounded already, and is rounded once, from an exact value.
        held = isinstance(node.op, Access) or node.is_table or bound <= _holds(node.dtype)
        found[node.id] = bound if held else INEXACT
    return all(found[s.id] < INEXACT for s in part.stores)


def _holds(dtype: DType) -> float:
    """Return up to which magnitude a type holds every whole number; integers wrap exactly."""
    if not dtype.is_float:
        return INEXACT
    return float(2 ** _BITS.get(dtype.bits, {}).get(dtype.name, 0))


def _bound(
    part: Part,
    node: Node,
    found: Mapping[NodeId, float],
    largest: Mapping[str, float],
    sizes: Mapping[str, int],
) -> float:
    match node.op:
        case Const(value):
            return abs(float(value)) if float(value).is_integer() else INEXACT
        case SizeOf(size):
            return float(size.evaluate(sizes))
        case Index(rank):
            extent = part.ranks[rank].extent
            return float(2**31 if extent is None else extent.evaluate(sizes))
        case Map(fn, args):
            bound = _mapped(fn, [found[a] for a in args])
            whole = not node.dtype.is_float and all(found[a] < INEXACT for a in args)
            return min(bound, 2.0**63) if whole else bound
        case Access(table, _):
            return found[table]
        case Present():
            return 1.0
        case Reduce(monoid, ranks, guards, args):
            operands = max(found[n] for n in (*guards, *args))
            return _reduced(part, monoid, ranks, operands, sizes)
        case Define(_, _, guards, body) if node.id in part.region.stores:
            return max(found[n] for n in (*guards, body))
        case Input() | Define():
            return largest.get(table_name(node), INEXACT)
        case Softmax() | Select() | Update() | Convert():
            return INEXACT
        case _ as never:
            assert_never(never)


def _mapped(fn: str, args: list[float]) -> float:
    if INEXACT in args:
        return INEXACT
    if fn in ("add", "sub"):
        return sum(args)
    if fn in ("mul", "square"):
        return math.prod(args if fn == "mul" else args * 2)
    if fn in _KEEPS:
        return max(args)
    return 1.0 if fn in _TESTS else INEXACT


def _reduced(
    part: Part, monoid: str, ranks: tuple[str, ...], largest: float, sizes: Mapping[str, int]
) -> float:
    if monoid in ("max", "min", "any", "all"):
        return largest
    if monoid != "sum":
        return INEXACT
    for rank in ranks:
        extent = part.ranks[rank].extent
        largest *= INEXACT if extent is None else max(1, extent.evaluate(sizes))
    return largest
