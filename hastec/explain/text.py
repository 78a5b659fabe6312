"""An explanation as text that fits on a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from hastec.explain.report import Dense, RegionReport, Rejected, Report, Sparse, TableReport
from hastec.explain.tables import bytes_in_words
from hastec.explain.words import RESOURCES, share, shortened, wrapped
from hastec.sym.formula import pretty
from hastec.sym.size import Size
from hastec.text import amount, counted, duration, listed

Formula: TypeAlias = Callable[[Size], str]

COLUMNS = 100
LINES = 50
INDENT = "  "
WIDTH = 10
"""Columns of the names in front."""
GENEROUS, SPARING = (8, 4, 3), (6, 2, 1)
"""How many tables, kernels and rejections of each are shown: at first, and if that is too long."""


def show(report: Report, formula: Formula = pretty) -> str:
    """Return an explanation of at most 50 lines of 100 columns; data hold all of it.

    ``formula`` writes numbers that depend on sizes; to write them well takes a library.
    """
    for tables, regions, rejected in (GENEROUS, SPARING):
        lines = list(_lines(report, formula, tables, regions, rejected))
        if len(lines) <= LINES:
            break
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "  … (--json tells all of it)"]
    return "\n".join(lines) + "\n"


def _lines(
    report: Report, formula: Formula, tables: int, regions: int, rejected: int
) -> Iterator[str]:
    yield from _head(report)
    if report.tables:
        yield "tables"
    for table in report.tables[:tables]:
        yield from _table(table, rejected)
    yield from _more(len(report.tables) - tables, "table")
    if report.regions:
        yield "kernels"
    for region in report.regions[:regions]:
        yield from _region(region, formula, rejected)
    yield from _more(len(report.regions) - regions, "kernel")
    for note in report.notes:
        where = f"line {note.span.line}: " if note.span is not None else ""
        yield from _entry("note", f"{where}{note.message}", 2)


def _head(report: Report) -> Iterator[str]:
    where = f"{report.target} ({report.device})" if report.device != "cpu" else report.target
    how = counted(len(report.regions), "kernel") if report.regions else "interpreted"
    sizes = ", ".join(f"{n} = {v}" for n, v in report.sizes)
    text = f"{report.kernel}: {how} for {where}" + (f"; {sizes}" if sizes else "")
    yield shortened(text, COLUMNS)
    if report.assumed and report.regions:
        names = listed(n for n, _ in report.assumed)
        value = report.assumed[0][1]
        text = f"assumed: {names} = {value}; bind sizes to be priced at them"
        yield shortened(text, COLUMNS)


def _table(table: TableReport, rejected: int) -> Iterator[str]:
    if table.format == "dense" and table.how != "chosen":
        yield from _entry(table.name, f"dense, {bytes_in_words(table)}: {table.why}")
        return
    yield from _entry(table.name, table.layout, 2)
    filled = f", {share(table.density)} entries" if table.density is not None else ""
    yield from _entry("", f"{bytes_in_words(table)}{filled}; {table.how}: {table.why}")
    yield from _rejections(table.rejected, rejected)


def _region(region: RegionReport, formula: Formula, rejected: int) -> Iterator[str]:
    lines = " | ".join(f"line {n}: {text}" for n, text in region.lines)
    yield from _entry(region.name, lines)
    yield from _entry("schedule", "; ".join(region.words), 4)
    parts = ", ".join(f"{n} {duration(s)}" for n, s in region.cost.parts if s > 0)
    told = f"{duration(region.cost.seconds)} predicted, bound by {RESOURCES[region.cost.bound]}"
    measured = f"{duration(region.measured)} measured; " if region.measured is not None else ""
    yield from _entry("time", f"{measured}{told} ({parts})", 2)
    yield from _entry("bytes", _bytes(region, formula), 2)
    if region.dense is not None:
        yield from _entry("dense", _dense(region.dense), 2)
    if region.sparse is not None:
        yield from _entry("sparse", _sparse(region.sparse))
    for rounding in region.rounded:
        yield from _entry("rounds", rounding)
    if region.machine:
        facts = ", ".join(f"{value} {name}" for name, value in region.machine)
        yield from _entry("code", facts, 2)
    yield from _rejections(region.rejected, rejected)


def _bytes(region: RegionReport, formula: Formula) -> str:
    moved = f"{amount(region.bytes)} predicted to move"
    if region.least is None:
        return f"{moved}; what must move is known when tables are given"
    ratio = region.bytes / region.least if region.least else 1.0
    law = "" if region.law is None else f": {formula(region.law)} bytes"
    return f"{moved}, {ratio:.3g}x of the {amount(region.least)} that must (each table once{law})"


def _dense(dense: Dense) -> str:
    text = f"with dense tables {duration(dense.seconds)} predicted, {amount(dense.bytes)}"
    match dense.wins_at:
        case None if dense.table:
            return f"{text}; never faster, however full {dense.table} is"
        case None:
            return text
        case 0.0:
            return f"{text}; faster already"
        case at:
            return f"{text}; faster from {share(at)} entries in {dense.table}"


def _sparse(sparse: Sparse) -> str:
    text = f"with {sparse.table} as {sparse.format} {duration(sparse.seconds)} predicted"
    if sparse.wins_below is None:
        return f"{text}; never faster, however empty {sparse.table} is"
    return f"{text}; faster below {share(sparse.wins_below)} entries in {sparse.table}"


def _rejections(rejected: Sequence[Rejected], most: int) -> Iterator[str]:
    for one in rejected[:most]:
        # The reason is what people look for: it is never cut before the thing is.
        why = shortened(one.why, COLUMNS * 2 // 3)
        room = COLUMNS - len(INDENT) - WIDTH - len(why) - 2
        what = shortened(one.what, max(room, 20))
        yield from _entry("not", f"{what}: {why}")
    if len(rejected) > most:
        yield from _entry("", f"… {len(rejected) - most} more rejected")


def _more(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield f"{INDENT}… {counted(count, f'more {what}')}"


def _entry(name: str, text: str, most: int = 1) -> Iterator[str]:
    """Yield ``text`` behind a name, in at most ``most`` lines."""
    first = f"{INDENT}{name:{WIDTH}}" if len(name) < WIDTH else f"{INDENT}{name} "
    rest = " " * (len(INDENT) + WIDTH)
    lines = wrapped(text, COLUMNS - max(len(first), len(rest)), most)
    yield from (f"{first if n == 0 else rest}{line}" for n, line in enumerate(lines))
