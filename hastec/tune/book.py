"""The book of records: read once, added to as candidates are tried."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hastec.diag import Diagnostic
from hastec.tune.records import Record, append, read


class Book:
    """Records in a file, or only in memory if there is no file; trouble becomes warnings."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        found = read(path) if path is not None else None
        self.records: list[Record] = list(found.records) if found is not None else []
        self.warnings: list[Diagnostic] = list(found.warnings) if found is not None else []

    def add(self, records: Iterable[Record]) -> None:
        """Keep records."""
        new = list(records)
        self.records += new
        warning = append(self.path, new) if self.path is not None else None
        if warning is not None and warning not in self.warnings:
            self.warnings.append(warning)
