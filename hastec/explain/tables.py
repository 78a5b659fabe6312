"""Tables: which format each has, how it came to it, what it takes and what was rejected."""

from __future__ import annotations

from math import prod

from hastec.explain.report import Rejected, TableReport
from hastec.explain.subject import Subject
from hastec.ir.format import Format
from hastec.ir.graph import Decision, Graph, Node, Param
from hastec.ir.show import show_param
from hastec.passes.bound import table_name
from hastec.passes.catalogue import offers
from hastec.passes.choice import unplaced
from hastec.text import amount


def table_reports(subject: Subject) -> tuple[TableReport, ...]:
    """Return a report for every table in memory: inputs and outputs as declared, then others."""
    graph = subject.graph
    params = [p.name for p in graph.params]
    found = {table_name(graph.node(n)): (graph.node(n), f) for n, f in graph.formats}
    order = sorted(found, key=lambda n: params.index(n) if n in params else len(params))
    return tuple(_table(subject, name, *found[name]) for name in order)


def _table(subject: Subject, name: str, node: Node, fmt: Format) -> TableReport:
    param = next((p for p in subject.graph.params if p.name == name), None)
    stats = subject.known.stats.get(name)
    dense = float(prod(s.evaluate(subject.sizes) for s in node.shape or ()) * node.dtype.bytes)
    held = [n for array, n in subject.held.items() if array.startswith(f"{name}.")]
    told = all(n in subject.known.sizes for s in node.shape or () for n in s.names())
    size = float(sum(held)) if held else _bytes(subject, param, fmt, dense)
    exact = bool(held) or (fmt.dense and told)
    how, why = _origin(subject, param, fmt)
    return TableReport(
        name,
        show_param(param) if param is not None else f"{name}: {node.dtype}, between kernels",
        fmt.name,
        str(unplaced(fmt)),
        how,
        why,
        size,
        exact,
        dense,
        stats.entries if stats is not None else None,
        stats.density if stats is not None else None,
        _rejected(subject.graph, name),
    )


def _bytes(subject: Subject, param: Param | None, fmt: Format, dense: float) -> float | None:
    """Return the bytes a table that is not bound is expected to take."""
    if fmt.dense:
        return dense
    if param is None or param.format is not None or param.time != "static":
        return None
    stats = subject.known.stats.get(param.name)
    wanted = str(unplaced(fmt))
    offered = offers(param, stats, subject.setup.device.target)
    return next((o.bytes for o in offered if str(o.format) == wanted), None)


def _origin(subject: Subject, param: Param | None, fmt: Format) -> tuple[str, str]:
    """Return how a table came to its format, and why that one."""
    if param is None:
        return "dense", "it lies between two kernels"
    if param.like:
        return "like", f"it has the pattern of {param.like}"
    if param.format is not None:
        return "declared", "the program declares it"
    if param.role == "out":
        return "dense", "it is an output"
    if param.name in subject.known.given:
        return "given", "it was given so"
    settled = _decision(subject.graph, f"format of {param.name}")
    if settled is not None:
        return "chosen", settled.reason
    if fmt.dense:
        return "dense", "it is declared dense"
    if param.time != "static":
        return "assumed", "it is declared sparse and was not given yet"
    return "chosen", "nothing else was offered"


def _rejected(graph: Graph, name: str) -> tuple[Rejected, ...]:
    """Return the other formats: those that were priced, then those that were not."""
    found: dict[str, str] = {}
    for subject in (f"format of {name}", f"formats of {name}"):
        decision = _decision(graph, subject)
        for what, why in decision.rejected if decision is not None else ():
            found.setdefault(what, why)
    return tuple(Rejected(what, why) for what, why in found.items())


def _decision(graph: Graph, subject: str) -> Decision | None:
    return next((d for d in graph.decisions if d.subject == subject), None)


def bytes_in_words(table: TableReport) -> str:
    """Return what a table takes, and what it would take dense."""
    if table.bytes is None:
        return "known when given"
    about = "" if table.exact else "about "
    saved = f" (dense {amount(table.dense_bytes)})" if table.format != "dense" else ""
    return f"{about}{amount(table.bytes)}{saved}"
