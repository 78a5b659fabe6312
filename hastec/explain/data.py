"""An explanation as data: what ``--json`` prints and other tools read."""

from __future__ import annotations

from collections.abc import Iterable

from hastec.diag import Diagnostic
from hastec.explain.report import RegionReport, Rejected, Report, TableReport


def report_data(report: Report) -> dict[str, object]:
    """Return an explanation as :meth:`Report.data` does."""
    return {
        "kernel": report.kernel,
        "program": report.source,
        "target": report.target,
        "device": report.device,
        "backend": report.backend,
        "sizes": dict(report.sizes),
        "assumed": dict(report.assumed),
        "tables": [_table(t) for t in report.tables],
        "kernels": [_region(r) for r in report.regions],
        "notes": [_note(n) for n in report.notes],
    }


def _table(table: TableReport) -> dict[str, object]:
    return {
        "name": table.name,
        "declaration": table.declaration,
        "format": table.format,
        "layout": table.layout,
        "how": table.how,
        "why": table.why,
        "bytes": table.bytes,
        "counted": table.exact,
        "dense_bytes": table.dense_bytes,
        "entries": table.entries,
        "density": table.density,
        "rejected": _rejected(table.rejected),
    }


def _region(region: RegionReport) -> dict[str, object]:
    dense, sparse = region.dense, region.sparse
    return {
        "name": region.name,
        "lines": [{"line": n, "text": text} for n, text in region.lines],
        "schedule": {"words": list(region.words), "text": region.schedule},
        "predicted": {
            "seconds": region.cost.seconds,
            "bound": region.cost.bound,
            "parts": dict(region.cost.parts),
        },
        "measured_seconds": region.measured,
        "bytes": region.bytes,
        "least_bytes": region.least,
        "least_bytes_at": None if region.law is None else str(region.law),
        "dense": None
        if dense is None
        else {
            "bytes": dense.bytes,
            "seconds": dense.seconds,
            "table": dense.table,
            "faster_from_density": dense.wins_at,
        },
        "sparse": None
        if sparse is None
        else {
            "table": sparse.table,
            "format": sparse.format,
            "seconds": sparse.seconds,
            "faster_below_density": sparse.wins_below,
        },
        "rejected": _rejected(region.rejected),
        "rounded": list(region.rounded),
        "machine": dict(region.machine),
    }


def _rejected(rejected: Iterable[Rejected]) -> list[dict[str, str]]:
    return [{"what": one.what, "why": one.why} for one in rejected]


def _note(note: Diagnostic) -> dict[str, object]:
    line = note.span.line if note.span is not None else None
    return {"code": note.code, "message": note.message, "line": line, "help": note.help}
