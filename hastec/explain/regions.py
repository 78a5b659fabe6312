"""Kernels: their schedules in words, what they cost, and what the dense kernel would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce

from hastec.artefact import Code
from hastec.cost import Count, Facts, Price, count, price
from hastec.diag import InternalError
from hastec.explain.flips import against_dense, against_sparse
from hastec.explain.report import Cost, RegionReport, Rejected
from hastec.explain.subject import Subject
from hastec.explain.words import in_words
from hastec.ir.graph import Graph, Region
from hastec.ir.index import ValueId
from hastec.ir.kernel import Apply, Dot, Kernel, Table, Value
from hastec.ir.schedule import Schedule
from hastec.ir.schedule_text import show_schedule
from hastec.passes.bound import table_name
from hastec.sym.size import Size

PARTS = ("bytes", "flops", "slots", "lines", "latency")


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
    counted, priced = _priced(subject, code.kernel, facts, schedule.depth)
    return RegionReport(
        region.name,
        tuple(_lines(subject, region)),
        in_words(schedule, subject.graph),
        show_schedule(schedule),
        Cost(priced.seconds, priced.bound, tuple((n, getattr(priced, n)) for n in PARTS)),
        counted.bytes,
        _least(subject, code.kernel),
        against_dense(subject, region),
        against_sparse(subject, region, priced.seconds),
        subject.measured.get(region.name),
        _rejected(subject.graph, region),
        tuple(_rounded(code.kernel)),
        tuple(sorted(code.facts.items())),
        _law(subject, code.kernel),
    )


def _priced(subject: Subject, kernel: Kernel, facts: Facts, depth: int) -> tuple[Count, Price]:
    target = subject.setup.device.target
    counted = count(kernel, target, facts)
    return counted, price(counted, target, depth)


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
    sizes = [_array(subject, table, dense) for table in _of_program(kernel)]
    known = [n for n in sizes if n is not None]
    return float(sum(known)) if len(known) == len(sizes) else None


def _of_program(kernel: Kernel) -> tuple[Table, ...]:
    """Return the arrays of a kernel but those a launch brings itself."""
    return tuple(t for t in kernel.tables if t.access in ("read", "write"))


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
    return {n: float(s.evaluate(subject.sizes)) for n, s in _dense_sizes(subject).items()}


def _dense_sizes(subject: Subject) -> dict[str, Size]:
    graph = subject.graph
    return {
        f"{table_name(graph.node(n))}.val": reduce(
            Size.__mul__, graph.node(n).shape or (), Size.of(graph.node(n).dtype.bytes)
        )
        for n, fmt in graph.formats
        if fmt.dense
    }


def _law(subject: Subject, kernel: Kernel) -> Size | None:
    """Return the bytes that must move in sizes no bound table tells; None if there are none."""
    dense, total = _dense_sizes(subject), Size()
    for table in _of_program(kernel):
        numel = None if table.numel is None else table.numel * table.dtype.bytes
        known = subject.held.get(table.name) or _like(subject, table.name)
        found = Size.of(int(known)) if known else dense.get(table.name, numel)
        if found is None:
            return None
        total = total + found
    told = {n: Size.of(subject.known.sizes[n]) for n in subject.known.fixed}
    total = total.substitute(told)
    return total if total.constant is None else None


def _like(subject: Subject, array: str) -> float | None:
    """Return the bytes of the values of an output that has the pattern of a bound table."""
    for param in subject.graph.params:
        model = f"{param.like}.val"
        if param.like and array == f"{param.name}.val" and model in subject.held:
            width = subject.graph.param(param.like).dtype.bytes
            return subject.held[model] / width * param.dtype.bytes
    return None


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
