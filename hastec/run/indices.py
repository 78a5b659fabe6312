"""Index tables: integer inputs used as subscripts, checked before a kernel indexes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hastec.ir.subscripts import IndexCheck
from hastec.run.tables import TableValue
from hastec.run.validate import check_indices


@dataclass(slots=True)
class IndexChecks:
    """Runs checks: with ``mode`` "plan" a table seen before, unchanged, is not read again;
    "always" reads it in every call, "off" never."""

    checks: tuple[IndexCheck, ...]
    mode: str = "plan"
    seen: dict[tuple[str, int], tuple[int, int, int]] = field(default_factory=dict)

    def run(self, values: Mapping[str, TableValue], sizes: Mapping[str, int]) -> None:
        """Check the index tables of a call. Raises TableError HST4019; waits for the device."""
        if self.mode == "off":
            return
        for n, check in enumerate(self.checks):
            value = values.get(check.table)
            array = None if value is None else value.dense
            if array is None:
                continue
            extent = check.extent.evaluate(sizes)
            mark = array.data_ptr(), int(getattr(array, "_version", 0)), extent
            if self.mode == "plan" and self.seen.get((check.table, n)) == mark:
                continue
            check_indices(array, 0, extent, check.table)
            self.seen[check.table, n] = mark
