"""Index tables: integer inputs used as subscripts, checked before a kernel indexes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hastec.arrays import concat, flat, full_like
from hastec.ir.subscripts import IndexCheck
from hastec.run.tables import TableValue
from hastec.run.validate import check_indices


@dataclass(slots=True)
class IndexChecks:
    """Runs checks: with ``mode`` "plan" a table seen before, unchanged, is not read again;
    "always" reads it in every call, "off" never.
    """

    checks: tuple[IndexCheck, ...]
    mode: str = "plan"
    seen: dict[int, tuple[TableValue, int]] = field(default_factory=dict)

    @property
    def tables(self) -> frozenset[str]:
        """The tables that are checked."""
        return frozenset(check.table for check in self.checks if self.mode != "off")

    def run(self, values: Mapping[str, TableValue], sizes: Mapping[str, int]) -> None:
        """Check the index tables of a call. Raises TableError HST4019; waits for the device.

        A table that is the same object as in the last call is known to be unchanged.
        """
        if self.mode == "off":
            return
        for n, check in enumerate(self.checks):
            value = values[check.table]
            extent = check.extent.evaluate(sizes)
            last = self.seen.get(n)
            if self.mode == "plan" and last is not None and last == (value, extent):
                continue
            _check(value, extent)
            self.seen[n] = value, extent


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
