"""Results against what the program means: equal where arithmetic is exact, else within rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastec.ir.graph import Graph, Map, Param, Reduce, Softmax
from hastec.ir.interp import Table
from hastec.ir.types import DType
from hastec.run.oracle import to_numpy
from hastec.run.results import spelled_out

EXACT_MAPS = frozenset(
    (
        *("add", "sub", "mul", "neg", "lt", "le", "gt", "ge", "eq", "ne", "not", "xor", "xnor"),
        *("and", "or", "where", "cast", "min", "max", "abs", "sign", "relu", "square", "floor"),
        *("ceil", "round", "trunc", "isnan", "isinf", "isfinite", "bitand", "bitor", "bitxor"),
        *("shl", "shr", "popc"),
    )
)
"""Functions that give small integers for small integers, whatever they compute in."""
EXACT_MONOIDS = frozenset(("sum", "max", "min", "any", "all", "argmax", "argmin"))

DIGITS: Mapping[str, int] = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a value may be off: ``own`` of its size plus ``whole`` of the table's largest."""

    own: float
    whole: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How a table compares with what it should be.

    ``wrong`` of ``total`` elements are off by more than rounding explains, the first of them at
    ``at``: ``found`` instead of ``wanted``. ``worst`` is the largest error of all elements.
    """

    name: str
    total: int
    wrong: int
    worst: float
    at: tuple[int, ...] = ()
    found: float = 0.0
    wanted: float = 0.0

    def __str__(self) -> str:
        if not self.wrong:
            return f"{self.name}: {self.total} values agree, largest error {self.worst:.3g}"
        place = f"{self.name}[{', '.join(map(str, self.at))}]" if self.at else self.name
        count = f"{self.wrong} of {self.total} values differ"
        return f"{place} is {self.found:.9g} instead of {self.wanted:.9g}; {count}"


def is_exact(graph: Graph) -> bool:
    """Whether a program computes without rounding as long as its numbers are small integers."""
    for node in graph.nodes:
        match node.op:
            case Softmax():
                return False
            case Map(fn, _) if fn not in EXACT_MAPS and node.dtype.is_float:
                return False
            case Reduce(monoid, _, _, _) if monoid not in EXACT_MONOIDS:
                return False
    return not any(p.dtype.stores_only or _coded(p) for p in graph.params)


def _coded(param: Param) -> bool:
    return param.format is not None and any(p.values.name != "raw" for p in param.format.parts)


def tolerance(graph: Graph, dtype: DType, exact: bool) -> Tolerance:
    """Return how far results of a type may be off; nothing, if values are integers and all is
    exact.

    Besides the one rounding of an output, sums may be formed in another order, and a computed
    factor of a product may be rounded to its partner's 16-bit type.
    """
    if exact or not dtype.is_float:
        return Tolerance(0.0, 0.0)
    unit = 2.0 ** -DIGITS.get(dtype.name, 3)
    narrow = [DIGITS[p.dtype.name] for p in graph.params if p.dtype.name in ("f16", "bf16")]
    wide = 44 if dtype.name == "f64" and not narrow else 18
    return Tolerance(2 * unit, 2.0 ** -min([wide, *narrow]))


def compare(name: str, found: Any, wanted: Table, allowed: Tolerance) -> Difference:
    """Compare a result with a table of the graph interpreter.

    ``found`` is a tensor, a sparse output, or another table of the interpreter.
    """
    got = _numbers(found)
    want = _numbers(wanted)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where((got == want) | (np.isnan(got) & np.isnan(want)), 0.0, abs(got - want))
        error = np.where(np.isnan(error), np.inf, error)
        slack = allowed.own * abs(want) + allowed.whole * _largest(want)
        wrong = error > np.where(np.isfinite(slack), slack, 0.0)
    worst = float(error.max()) if error.size else 0.0
    if not wrong.any():
        return Difference(name, got.size, 0, worst)
    at = tuple(int(n) for n in np.argwhere(wrong)[0])
    return Difference(name, got.size, int(wrong.sum()), worst, at, float(got[at]), float(want[at]))


def _numbers(found: Any) -> NDArray[np.float64]:
    """Return a result spelled out."""
    if isinstance(found, Table):
        whole = np.asarray(found.values, np.float64)
        return whole if found.present is None else np.where(found.present, whole, found.fill)
    return np.asarray(to_numpy(spelled_out(found)), np.float64)


def _largest(want: NDArray[np.float64]) -> float:
    finite = abs(want[np.isfinite(want)])
    return float(finite.max()) if finite.size else 0.0
