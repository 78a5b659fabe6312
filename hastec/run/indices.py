"""Index tables: integer inputs used as subscripts, checked before a kernel indexes with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from hastec.arrays import concat, flat, full_like
from hastec.ir.graph import Define, Graph
from hastec.ir.interp import run_graph
from hastec.ir.subscripts import READ, IndexCheck
from hastec.levels.faults import fault
from hastec.run.oracle import as_oracle
from hastec.run.tables import TableValue
from hastec.run.validate import check_indices


@dataclass(slots=True)
class IndexChecks:
    """Runs checks: with ``mode`` "plan" a table seen before, unchanged, is not read again;
    "always" reads it in every call, "off" never.
    """

    checks: tuple[IndexCheck, ...]
    mode: str = "plan"
    seen: dict[int, tuple[tuple[TableValue, ...], int]] = field(default_factory=dict)

    @property
    def tables(self) -> frozenset[str]:
        """The tables that are checked."""
        return frozenset(t for check in self.checks for t in check.tables if self.mode != "off")

    def run(self, values: Mapping[str, TableValue], sizes: Mapping[str, int]) -> None:
        """Check the index tables of a call. Raises TableError HST4019; waits for the device.

        A table that is the same object as in the last call is known to be unchanged.
        """
        if self.mode == "off":
            return
        for n, check in enumerate(self.checks):
            deciding = tuple(values[t] for t in check.tables)
            extent = check.extent.evaluate(sizes)
            last = self.seen.get(n)
            if self.mode == "plan" and last is not None and last == (deciding, extent):
                continue
            if check.reads is None:
                _check(values[check.table], extent)
            else:
                _check_read(check.table, check.reads, deciding, sizes, extent)
            self.seen[n] = deciding, extent


def _check(value: TableValue, extent: int) -> None:
    """Check what a table holds: if it is sparse, its entries, and its fill where one is absent."""
    name = value.param.name
    if value.dense is not None:
        check_indices(value.dense, 0, extent, name)
        return
    entries = value.entries()
    found, total = entries.values, 1
    for size in value.shape:
        total *= size
    if entries.count < total:
        found = concat((flat(found), full_like(1, int(value.param.fill), found)))
    check_indices(flat(found), 0, extent, f"{name}.values")


def _check_read(
    name: str,
    reads: Graph,
    deciding: Iterable[TableValue],
    sizes: Mapping[str, int],
    extent: int,
) -> None:
    """Check the elements that are read; HST4019 tells the indices at which the first is wrong."""
    given = {v.param.name: as_oracle(v.param, v) for v in deciding}
    found = run_graph(reads, given, sizes)[READ]
    held = np.asarray(found.values, np.int64)
    wrong = (held < 0) | (held >= extent)
    if found.present is not None:
        wrong &= found.present
    if not wrong.any():
        return
    at = tuple(int(n) for n in np.argwhere(wrong)[0])
    op = next(n.op for n in reads.nodes if isinstance(n.op, Define) and n.op.name == READ)
    where = ", ".join(f"{rank} = {n}" for rank, n in zip(op.ranks, at, strict=True))
    rule = f"holds {int(held[at])} where {where}, used as an index of 0 .. {extent}"
    advice = "guard the access with a condition, or correct the index"
    raise fault("HST4019", name, rule, advice)
