"""The state of one interpretation: values, tables, the boxes of ranks, and faults.

A value is an array over the ranks its node varies over, one axis a rank: the *box* of a rank is
the smallest range of coordinates that holds its range for all coordinates of other ranks. What
lies in a box but not in a range is computed like everything else and then left out.

Nothing is evaluated lazily, yet everything behaves as if it were: a lane (one place of a box)
that cannot be computed, because an access is out of range there, gets a *fault* instead. Faults
travel with values, are dropped with the lanes a guard or a condition leaves out, and become an
error only where a table is made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hastec.diag import Diagnostic, HasteError, Span
from hastec.ir.graph import Graph, Node, NodeId, Rank
from hastec.ir.interp.align import Value, both, data_over, earlier, first_fault, union
from hastec.ir.interp.number import Bools, Ints, bools, ints
from hastec.ir.interp.table import Held

OUT_OF_RANGE, TWICE, TOO_BIG, BY_ZERO, BAD_TABLE = (
    "HST4901",
    "HST4902",
    "HST4903",
    "HST4904",
    "HST4905",
)
"""Codes: access out of range, two writes to one place, too big to interpret, division of integers
by zero, a table or size that does not fit its declaration."""

DEFAULT_LIMIT = 200_000_000
"""Elements that all values of a run may have together."""


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """The coordinates of a rank, ``base .. base + size``, and which of them are in its range.

    ``inside`` is None if all are, whatever the coordinates of the ranks the range depends on.
    ``faults`` has the faults of the bounds, over those ranks; where there is one nothing is inside.
    """

    base: int
    size: int
    inside: Value | None = None
    faults: Value | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """A block of faults, one for each lane of a box over ``ranks``, numbered from ``first``."""

    first: int
    node: NodeId
    ranks: tuple[str, ...]
    shape: tuple[int, ...]
    code: str
    message: str


class Run:
    """Everything one call of the interpreter computes."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int], exact: bool, limit: int) -> None:
        self.graph = graph
        self.sizes = sizes
        self.exact = exact
        self.limit = limit
        self.nodes: dict[NodeId, Node] = graph.by_id
        self.ranks: dict[str, Rank] = {r.name: r for r in graph.ranks}
        self.params = {p.name: p for p in graph.params}
        self.monoids = {m.name: m for m in graph.monoids}
        self.given: dict[str, Held] = {}
        self.values: dict[NodeId, Value] = {}
        self.tables: dict[NodeId, Held] = {}
        self._boxes: dict[str, Box] = {}
        self._faults: list[Fault] = []
        self._numbered = 1
        self._charged = 0

    def dims(self, node: NodeId) -> tuple[int, ...]:
        """Return the shape of a table node in numbers."""
        return tuple(s.evaluate(self.sizes) for s in self.nodes[node].shape or ())

    def charge(self, shape: tuple[int, ...], span: Span | None) -> None:
        """Count an array of ``shape``; raises HST4903 beyond the limit."""
        count = 1
        for extent in shape:
            count *= extent
        self._charged += count
        if self._charged > self.limit:
            text = " x ".join(str(s) for s in shape) or "1"
            message = f"an array of {text} elements is too much to interpret (limit {self.limit})"
            help = "interpret a smaller instance of the program"
            raise HasteError(Diagnostic(TOO_BIG, message, span, help))

    # --------------------------------------------------------------------------------------- boxes
    def box(self, rank: str) -> Box:
        """Return the box of ``rank``; its bounds have been evaluated before."""
        if rank not in self._boxes:
            self._boxes[rank] = self._make_box(self.ranks[rank])
        return self._boxes[rank]

    def shape(self, ranks: tuple[str, ...]) -> tuple[int, ...]:
        """Return the extents of the boxes of ``ranks``."""
        return tuple(self.box(r).size for r in ranks)

    def coordinates(self, rank: str) -> Ints:
        """Return all coordinates of the box of ``rank``."""
        box = self.box(rank)
        return np.arange(box.base, box.base + box.size, dtype=np.int64)

    def inside(self, ranks: tuple[str, ...]) -> Value | None:
        """Return where all of ``ranks`` are in range, over whatever that depends on.

        None means everywhere. Lanes whose bounds have faults are left out.
        """
        found: Value | None = None
        for rank in ranks:
            found = both(found, self.box(rank).inside)
        return found

    def _make_box(self, rank: Rank) -> Box:
        lo, hi = self.values[rank.lo], self.values[rank.hi]
        outer = union(lo.ranks, hi.ranks)
        shape = self.shape(outer)
        low = np.broadcast_to(ints(data_over(lo, outer)), shape)
        high = np.broadcast_to(ints(data_over(hi, outer)), shape)
        bad = self._overshoot(rank, outer, low, high, first_fault((lo, hi), outer))
        here = low < high if bad is None else (low < high) & (bad == 0)
        live = both(Value(outer, here), self.inside(outer)) or Value(outer, here)
        # Ranges of outer ranks may depend on yet more ranks: those axes come last.
        kept = live.data.any(axis=tuple(range(len(outer), live.data.ndim)))
        base, top = (int(low[kept].min()), int(high[kept].max())) if kept.any() else (0, 0)
        if not outer and bad is None:
            return Box(base, top - base)
        self.charge((*shape, top - base), rank.span)
        at = np.arange(base, top, dtype=np.int64)
        inside = here[..., None] & (low[..., None] <= at) & (at < high[..., None])
        faults = None if bad is None else Value(outer, here, np.broadcast_to(bad, shape))
        return Box(base, top - base, Value((*outer, rank.name), inside), faults)

    def _overshoot(
        self, rank: Rank, outer: tuple[str, ...], low: Ints, high: Ints, bad: Ints | None
    ) -> Ints | None:
        """A range beyond its extent is a fault: capacities are made from the extent."""
        if rank.extent is None:
            return bad
        extent = rank.extent.evaluate(self.sizes)
        beyond = bools((high > extent) & (low < high))
        message = f"the range of `{rank.name}` ends beyond {extent}"
        return self.fault(beyond, bad, outer, rank.hi, OUT_OF_RANGE, message)

    # -------------------------------------------------------------------------------------- faults
    def fault(
        self,
        where: Bools,
        bad: Ints | None,
        ranks: tuple[str, ...],
        node: NodeId,
        code: str,
        message: str = "",
    ) -> Ints | None:
        """Add a fault of ``node`` in the lanes ``where`` (over ``ranks``) to those in ``bad``."""
        if not where.any():
            return bad
        first, self._numbered = self._numbered, self._numbered + where.size
        self._faults.append(Fault(first, node, ranks, where.shape, code, message))
        lanes = np.arange(first, self._numbered, dtype=np.int64).reshape(where.shape)
        return earlier(bad, np.where(where, lanes, 0))

    def find(self, number: int) -> tuple[Fault, dict[str, int]]:
        """Return the fault with this number and the coordinates of its lane."""
        fault = next(f for f in reversed(self._faults) if f.first <= number)
        lane = np.unravel_index(number - fault.first, fault.shape)
        base = (self.box(r).base for r in fault.ranks)
        at = {r: int(i) + b for r, i, b in zip(fault.ranks, lane, base, strict=True)}
        return fault, at
