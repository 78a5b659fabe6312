"""Errors in tables: which table, which rule, and the first place that breaks it."""

from __future__ import annotations

from hastec.diag import Diagnostic, HasteError, Note
from hastec.diag.span import Span


class TableError(HasteError):
    """A table that cannot be taken or stored as it is declared."""


def fault(
    code: str,
    table: str,
    rule: str,
    advice: str = "",
    span: Span | None = None,
    notes: tuple[Note, ...] = (),
) -> TableError:
    """Return the error that ``table`` breaks ``rule`` (a sentence that goes on after its name)."""
    return TableError(Diagnostic(code, f"{table}: {rule}", span, advice, notes))


def place(coords: tuple[int, ...]) -> str:
    """Return coordinates as they are written: ``[3, 7]``."""
    return "[" + ", ".join(str(c) for c in coords) + "]"


def shown_bytes(count: int) -> str:
    """Return a number of bytes with a unit people read."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
