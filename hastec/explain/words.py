"""Schedules, amounts and resources in words."""

from __future__ import annotations

import textwrap

from hastec.ir.graph import Access, Graph, Present
from hastec.ir.kernel import Digit
from hastec.ir.schedule import Axis, Lead, Schedule
from hastec.text import listed

RESOURCES = {
    "bytes": "bytes from memory",
    "flops": "matrix products",
    "slots": "instructions issued",
    "lines": "cache lines touched",
    "latency": "waiting for loads",
}


def in_words(schedule: Schedule, graph: Graph) -> tuple[str, ...]:
    """Return what a schedule does: a phrase an axis, then what holds for all of it."""
    found = [f"{_axis_name(a, graph, schedule)}: {_spread(a, schedule)}" for a in schedule.axes]
    found += [_lead(lead, graph) for lead in schedule.leads]
    if schedule.dots:
        found.append(f"matrix products for {_places(schedule.dots, graph)}")
    if schedule.threads > 1:
        found.append(f"{schedule.threads} threads a program")
    if schedule.stages > 1:
        found.append(f"up to {schedule.stages} iterations of loads in flight")
    if schedule.unroll > 1:
        found.append(f"{schedule.unroll} iterations of innermost loops written out")
    if schedule.early:
        found.append(f"registers merged in every iteration for {_places(schedule.early, graph)}")
    for digit in schedule.turns:
        axis = next(a for a in schedule.axes if any(d == digit for d, _ in a.digits))
        found.append(f"sums of one {_axis_name(axis, graph, schedule)} after the other")
    if schedule.ones:
        found.append(f"counts on {listed(schedule.ones)} being 1")
    if schedule.multiples:
        shown = listed(f"{name} by {by}" for name, by in schedule.multiples)
        found.append(f"counts on divisible sizes: {shown}")
    return tuple(found)


def _axis_name(axis: Axis, graph: Graph, schedule: Schedule) -> str:
    table, dot, level = axis.name.rpartition(".")
    if dot and any(_table_of(lead, graph) == table for lead in schedule.leads):
        return f"positions of {table} (level {level})"
    return axis.name


def _spread(axis: Axis, schedule: Schedule) -> str:
    parts = [_digit(schedule.digit(name)) for name, _ in reversed(axis.digits)]
    parts += ["no remainder"] if axis.exact and len(parts) > 1 else []
    return ", ".join(parts) or "a single one"


def _digit(digit: Digit) -> str:
    match digit.role:
        case "grid":
            return "over programs"
        case "loop":
            return "looped"
        case "thread":
            return f"{digit.extent} over threads"
        case "reg":
            return f"{digit.extent} in registers"
        case "block":
            return f"{digit.extent} in a tile"


def _lead(lead: Lead, graph: Graph) -> str:
    over = f" for {listed(lead.ranks)}" if lead.ranks else ""
    return f"only entries of {_table_of(lead, graph)} are visited{over}"


def _table_of(lead: Lead, graph: Graph) -> str:
    op = graph.node(lead.access).op
    table = graph.node(op.table).op if isinstance(op, Access | Present) else None
    return getattr(table, "name", "") if table is not None else ""


def _places(nodes: tuple[int, ...], graph: Graph) -> str:
    spans = (graph.node(n).span for n in nodes)
    lines = sorted({span.line for span in spans if span is not None})
    return f"line {listed(str(n) for n in lines)}" if lines else f"{len(nodes)} sums"


# ------------------------------------------------------------------------------------------- text
def shortened(text: str, width: int) -> str:
    """Return a text on one line of at most ``width`` columns, cut between words."""
    whole = " ".join(text.split())
    if len(whole) <= width:
        return whole
    cut = whole[: width - 1]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut else cut[:-1]} …"


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Return a text in at most ``most`` lines; what does not fit is left out."""
    lines = textwrap.wrap(text, width, break_on_hyphens=False)
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], shortened(" ".join(lines[most - 1 :]), width)]


# --------------------------------------------------------------------------------------- amounts
def share(part: float) -> str:
    """Return a share: ``9.98 %``."""
    return f"{100 * part:.3g} %"
