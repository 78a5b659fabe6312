"""Kernels: their schedules in words, what they cost, and what the dense kernel would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

from hastec.artefact import Code
from hastec.cost import Count, Facts, Price, count, price
from hastec.diag import HasteError, InternalError
from hastec.explain.report import Cost, Dense, RegionReport, Rejected
from hastec.explain.subject import Subject
from hastec.explain.words import in_words
from hastec.ir.format import Format
from hastec.ir.graph import Graph, NodeId, Region
from hastec.ir.index import ValueId
from hastec.ir.kernel import Apply, Dot, Kernel, Table, Value
from hastec.ir.schedule import Schedule
from hastec.ir.schedule_text import show_schedule
from hastec.lower import Refused
from hastec.passes.bound import layouts_of, table_name, tables_of, work_of
from hastec.passes.catalogue import dense_format
from hastec.passes.ranking import rank

PARTS = ("bytes", "flops", "slots", "lines", "latency")
STEPS = 24
"""Halvings when the density is sought at which the dense kernel wins."""


def region_reports(subject: Subject) -> tuple[RegionReport, ...]:
    """Return a report for every kernel, in order."""
    if subject.artefact is None:
        return ()
    regions = {r.name: r for r in subject.graph.regions}
    return tuple(_region(subject, regions[c.region], c) for c in subject.artefact.codes)


def _region(subject: Subject, region: Region, code: Code) -> RegionReport:
    schedule = region.schedule
    if not isinstance(schedule, Schedule):
        raise InternalError(f"region {region.name} has no schedule")
    facts = subject.facts(dict(subject.graph.formats))
    counted, priced = _priced(subject, code.kernel, facts, schedule.stages)
    return RegionReport(
        region.name,
        tuple(_lines(subject, region)),
        in_words(schedule, subject.graph),
        show_schedule(schedule),
        Cost(priced.seconds, priced.bound, tuple((n, getattr(priced, n)) for n in PARTS)),
        counted.bytes,
        _least(subject, code.kernel),
        _dense(subject, region, code.kernel, priced.seconds, schedule.stages),
        subject.measured.get(region.name),
        _rejected(subject.graph, region),
        tuple(_rounded(code.kernel)),
        tuple(sorted(code.facts.items())),
    )


def _priced(subject: Subject, kernel: Kernel, facts: Facts, stages: int) -> tuple[Count, Price]:
    target = subject.setup.device.target
    counted = count(kernel, target, facts)
    return counted, price(counted, target, stages)


def _lines(subject: Subject, region: Region) -> Iterator[tuple[int, str]]:
    """Yield the statements a kernel stores, as they stand in the program."""
    for store in region.stores:
        span = subject.graph.node(store).span
        if span is not None:
            yield span.line, subject.setup.source.line(span.line).strip()


def _rejected(graph: Graph, region: Region) -> tuple[Rejected, ...]:
    wanted = f"schedule of {region.name}"
    found = next((d for d in graph.decisions if d.subject == wanted), None)
    return tuple(Rejected(what, why) for what, why in found.rejected) if found is not None else ()


# ----------------------------------------------------------------------------------------- bytes
def _least(subject: Subject, kernel: Kernel) -> float | None:
    """Return the bytes that must move: every array of a kernel once."""
    dense = _dense_tables(subject)
    sizes = [_array(subject, table, dense) for table in kernel.tables]
    known = [n for n in sizes if n is not None]
    return float(sum(known)) if len(known) == len(sizes) else None


def _array(subject: Subject, table: Table, dense: Mapping[str, float]) -> float | None:
    if table.name in subject.held:
        return float(subject.held[table.name])
    if table.name in dense:
        return dense[table.name]
    known = subject.sizes
    if table.numel is None or any(n not in known for n in table.numel.names()):
        return _like(subject, table.name)
    return float(table.numel.evaluate(known) * table.dtype.bytes)


def _dense_tables(subject: Subject) -> dict[str, float]:
    """Return the bytes of the arrays of dense tables, by name."""
    graph, sizes = subject.graph, subject.sizes
    found = {}
    for node, fmt in ((graph.node(n), f) for n, f in graph.formats):
        if fmt.dense:
            count = prod(s.evaluate(sizes) for s in node.shape or ())
            found[f"{table_name(node)}.val"] = float(count * node.dtype.bytes)
    return found


def _like(subject: Subject, array: str) -> float | None:
    """Return the bytes of the values of an output that has the pattern of a bound table."""
    for param in subject.graph.params:
        model = f"{param.like}.val"
        if param.like and array == f"{param.name}.val" and model in subject.held:
            width = subject.graph.param(param.like).dtype.bytes
            return subject.held[model] / width * param.dtype.bytes
    return None


# ----------------------------------------------------------------------------------------- dense
def _dense(
    subject: Subject, region: Region, kernel: Kernel, seconds: float, stages: int
) -> Dense | None:
    """Return what the kernel would cost with dense tables; None if they all are, or cannot be."""
    graph = subject.graph
    mine = tables_of(graph, region)
    formats = {n: f for n, f in graph.formats if n in mine}
    packed = [n for n, f in formats.items() if not f.dense]
    if not packed:
        return None
    formats.update({n: dense_format(len(graph.node(n).shape or ())) for n in packed})
    found = _best_seconds(subject, region, formats)
    if found is None:
        return None
    names = [table_name(graph.node(n)) for n in packed]
    moving = [n for n in names if n in subject.known.stats]
    table = moving[0] if len(moving) == 1 else ""
    wins = _wins_at(subject, kernel, stages, table, seconds, found) if table else None
    return Dense(_dense_bytes(subject, mine), found, table, wins)


def _best_seconds(
    subject: Subject, region: Region, formats: Mapping[NodeId, Format]
) -> float | None:
    """Return the seconds of the cheapest schedule of a region under formats."""
    setup, graph = subject.setup, subject.graph
    bare = replace(region, schedule=None)
    try:
        work = work_of(graph, bare, layouts_of(graph, formats, setup.registry))
        ranking = rank(
            work,
            setup.device.target,
            subject.facts(formats),
            subject.known.sizes,
            48,
            refuse=setup.backend.refuse,
        )
    except (Refused, HasteError):
        return None
    return ranking.ranked[0].price.seconds if ranking.ranked else None


def _dense_bytes(subject: Subject, tables: frozenset[NodeId]) -> float:
    total = 0.0
    for node in (subject.graph.node(n) for n in sorted(tables)):
        total += prod(s.evaluate(subject.sizes) for s in node.shape or ()) * node.dtype.bytes
    return total


def _wins_at(
    subject: Subject, kernel: Kernel, stages: int, table: str, seconds: float, dense: float
) -> float | None:
    """Return the density from which the dense kernel is faster; None if it never is."""
    density = subject.known.stats[table].density
    if seconds >= dense:
        return 0.0
    facts = subject.facts(dict(subject.graph.formats))
    low, high = 1.0, 1 / max(density, 1e-12)

    def slower(times: float) -> bool:
        return _priced(subject, kernel, _fuller(facts, table, times), stages)[1].seconds > dense

    if not slower(high):
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if slower(middle) else (middle, high)
    return density * high


def _fuller(facts: Facts, table: str, times: float) -> Facts:
    """Return facts in which fibres of a table are longer."""
    lengths = {
        name: mean * times if name.startswith(f"{table}.") else mean
        for name, mean in facts.lengths.items()
    }
    return replace(facts, lengths=lengths)


# -------------------------------------------------------------------------------------- rounding
def _rounded(kernel: Kernel) -> Iterator[str]:
    """Yield where a computed factor of a matrix product is rounded to its partner's type."""
    values = kernel.values()
    for value in values.values():
        if isinstance(value.op, Dot):
            for side in (value.op.left, value.op.right):
                if _narrowed(values, side):
                    line = f" on line {value.span.line}" if value.span is not None else ""
                    narrow = values[side].dtype
                    yield f"a computed factor{line} is rounded to {narrow} before its product"


def _narrowed(values: Mapping[ValueId, Value], side: ValueId) -> bool:
    """Whether a factor of 16 bits is converted from a wider one, perhaps where a mask holds."""
    op = values[side].op
    if not isinstance(op, Apply) or values[side].dtype.bits != 16:
        return False
    if op.fn == "where":
        return any(_narrowed(values, arg) for arg in op.args[1:])
    source = values[op.args[0]].dtype
    return op.fn == "cast" and source.is_float and source.bits > 16
