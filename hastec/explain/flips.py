"""Where a choice between dense and sparse tables flips: the density at which the other wins.

Schedules of the other format are lowered and priced as binding did; between two densities only
the lengths of fibres change, so the best of a few kernels is priced again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod

from hastec.cost import Facts, count, price
from hastec.diag import HasteError
from hastec.explain.report import Dense, Sparse
from hastec.explain.subject import Subject
from hastec.ir.format import Format
from hastec.ir.graph import NodeId, Region
from hastec.lower import Refused
from hastec.passes.bound import layouts_of, table_name, tables_of, work_of
from hastec.passes.catalogue import dense_format, offers
from hastec.passes.ranking import Ranked, rank

STEPS = 12
"""Halvings when a density is sought."""
CONTENDERS = 4
"""Schedules that are looked at from each end of that search."""
SCHEDULES = 48
"""Schedules that are lowered and priced."""
SPARSEST = 1e-3
"""The least density that is looked at, as a share of the table's own."""


def against_dense(subject: Subject, region: Region) -> Dense | None:
    """Return what a kernel would cost with dense tables; None if they all are, or cannot be."""
    graph = subject.graph
    formats = _formats(subject, region)
    packed = [n for n, f in formats.items() if not f.dense]
    if not packed:
        return None
    spread = {n: dense_format(len(graph.node(n).shape or ())) for n in packed}
    found = _ranked(subject, region, {**formats, **spread})
    if not found:
        return None
    free = [n for n in packed if not _has_blocks(formats[n])]
    moving = [name for n in free if (name := table_name(graph.node(n))) in subject.known.stats]
    table = moving[0] if len(moving) == 1 else ""
    seconds = found[0].price.seconds
    wins = _wins_at(subject, region, formats, table, seconds) if table else None
    return Dense(_dense_bytes(subject, region), seconds, table, wins)


def against_sparse(subject: Subject, region: Region, seconds: float) -> Sparse | None:
    """Return the best sparse format of a table that was made dense, and where it would win.

    None unless exactly one table of the region was free to be sparse.
    """
    formats = _formats(subject, region)
    names = {table_name(subject.graph.node(n)): n for n, f in formats.items() if f.dense}
    free = [name for name in names if name in subject.known.stats]
    if len(free) != 1:
        return None
    table, density = free[0], subject.known.stats[free[0]].density
    found: list[Sparse] = []
    for fmt in _priced_formats(subject, table):
        given = {**formats, names[table]: fmt}
        own = _ranked(subject, region, given)
        if own:
            wins = _crossing(subject, given, own, table, seconds, SPARSEST, 1.0)
            below = None if wins is None else density * wins
            found.append(Sparse(table, fmt.name, own[0].price.seconds, below))
    # The first to win as the table gets emptier; the fastest at hand if none does.
    return max(found, key=lambda f: (f.wins_below or 0.0, -f.seconds), default=None)


def _priced_formats(subject: Subject, table: str) -> tuple[Format, ...]:
    """Return sparse formats of a table that were priced and not taken, and the plainest one.

    Those of blocks are left out: how full blocks are at another density is not known.
    """
    wanted = f"format of {table}"
    decision = next((d for d in subject.graph.decisions if d.subject == wanted), None)
    rejected = {what for what, _ in decision.rejected} if decision is not None else set()
    param, stats = subject.graph.param(table), subject.known.stats[table]
    offered = offers(param, stats, subject.setup.device.target)
    sparse = [o.format for o in offered if not o.format.dense and not _has_blocks(o.format)]
    return tuple(f for f in sparse if str(f) in rejected or f.name == "csr")


def _has_blocks(fmt: Format) -> bool:
    """Whether fibres of a format hold blocks rather than entries."""
    levels = (level for part in fmt.parts for level in part.levels)
    return any(level.kind in ("compressed", "ragged") and level.coord.op == "/" for level in levels)


def _formats(subject: Subject, region: Region) -> dict[NodeId, Format]:
    mine = tables_of(subject.graph, region)
    return {n: f for n, f in subject.graph.formats if n in mine}


def _dense_bytes(subject: Subject, region: Region) -> float:
    total = 0.0
    for node in (subject.graph.node(n) for n in sorted(tables_of(subject.graph, region))):
        total += prod(s.evaluate(subject.sizes) for s in node.shape or ()) * node.dtype.bytes
    return total


def _ranked(
    subject: Subject, region: Region, formats: Mapping[NodeId, Format]
) -> tuple[Ranked, ...]:
    """Return the schedules of a region under formats, the cheapest first."""
    setup, graph = subject.setup, subject.graph
    bare = replace(region, schedule=None)
    try:
        work = work_of(graph, bare, layouts_of(graph, formats, setup.registry))
        ranking = rank(
            work,
            setup.device.target,
            subject.facts(formats),
            subject.known.sizes,
            SCHEDULES,
            refuse=setup.backend.refuse,
        )
    except (Refused, HasteError):
        return ()
    return ranking.ranked


# -------------------------------------------------------------------------------------- crossing
def _wins_at(
    subject: Subject,
    region: Region,
    formats: Mapping[NodeId, Format],
    table: str,
    dense: float,
) -> float | None:
    """Return the density of a table from which dense kernels beat all of its format.

    None if they never do, 0 if they already do.
    """
    own = _ranked(subject, region, formats)
    density = subject.known.stats[table].density
    found = _crossing(subject, formats, own, table, dense, 1.0, 1 / max(density, 1e-12))
    if found is not None:
        return density * found
    return 0.0 if own and own[0].price.seconds >= dense else None


def _crossing(
    subject: Subject,
    formats: Mapping[NodeId, Format],
    own: Sequence[Ranked],
    table: str,
    dense: float,
    low: float,
    high: float,
) -> float | None:
    """Return how many times fuller a table must be for its kernels to take ``dense`` seconds.

    None if they never do between ``low`` and ``high`` times.
    """
    facts = subject.facts(formats)
    target = subject.setup.device.target

    def seconds(one: Ranked, times: float) -> float:
        counted = count(one.kernel, target, _fuller(facts, table, times))
        return price(counted, target, one.schedule.depth).seconds

    # What is best for few entries and what is best for many: in between it is one of these.
    ends = [sorted(own, key=lambda one: seconds(one, end))[:CONTENDERS] for end in (low, high)]
    best = [one for end in ends for one in end]
    if not best or not _best(best, seconds, low) < dense < _best(best, seconds, high):
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _best(best, seconds, middle) > dense:
            high = middle
        else:
            low = middle
    return high


def _best(
    contenders: Sequence[Ranked], seconds: Callable[[Ranked, float], float], times: float
) -> float:
    return min(seconds(one, times) for one in contenders)


def _fuller(facts: Facts, table: str, times: float) -> Facts:
    """Return facts in which fibres of a table are longer, or shorter."""
    lengths = {
        name: mean * times if name.startswith(f"{table}.") else mean
        for name, mean in facts.lengths.items()
    }
    trips = {
        name: partial(_longer, mean, times) if name.startswith(f"{table}.") else mean
        for name, mean in facts.trips.items()
    }
    return replace(facts, lengths=lengths, trips=trips)


def _longer(trips: Callable[[int, int], float], times: float, height: int, width: int) -> float:
    """Return the mean iterations over fibres that are so many times longer.

    About half of the last iteration is empty, however long they are.
    """
    empty = 0.5 if width > 1 else 0.0
    return max(0.0, (trips(height, width) - empty) * times + empty)
