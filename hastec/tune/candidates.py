"""Which formats and schedules of a region are worth measuring: cheap by prediction, and different.

Prices are predictions, and the schedules they put first are often nearly the same one. So each
next candidate is charged for what it shares with those already taken: a schedule that differs in
kind is tried before the twentieth variant of the best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hastec.ir.format import Format
from hastec.ir.graph import Graph, NodeId, Region
from hastec.ir.schedule import Schedule
from hastec.options import Effort
from hastec.passes.bound import table_name, tables_of
from hastec.passes.choice import RegionChoice, only, unplaced
from hastec.passes.ranking import Ranked, rank
from hastec.passes.tile import Tile

SAME_FORMAT, SAME_KIND, SAME_EXTENTS = 1.05, 1.15, 1.4
"""What a candidate's price is multiplied by for each one taken that shares its formats, also the
kind of its schedule, also the extents of that schedule's digits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """At most so many candidates a region, combinations of formats, schedules priced for each.

    ``relatives`` of the candidates are kept for variants of the one that was the fastest.
    """

    candidates: int
    formats: int
    priced: int
    relatives: int = 0


LIMITS: Mapping[Effort, Limits] = {
    Effort.NONE: Limits(0, 0, 0),
    Effort.QUICK: Limits(20, 4, 128, relatives=4),
    Effort.FULL: Limits(400, 16, 400),
}


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Formats of all tables of a region, and a schedule with its kernel and price."""

    formats: Mapping[NodeId, Format]
    choice: RegionChoice
    ranked: Ranked

    @property
    def text(self) -> str:
        """The printed choice: what records know it by."""
        return str(self.choice)

    @property
    def seconds(self) -> float:
        """The predicted time."""
        return self.ranked.price.seconds


def candidates(
    graph: Graph,
    region: Region,
    settled: Mapping[NodeId, Format],
    tile: Tile,
    limits: Limits,
    wide: bool = False,
) -> tuple[Candidate, ...]:
    """Return the candidates of a region worth measuring, the cheapest by prediction first.

    See :func:`able` for the arguments.
    """
    return spread(able(graph, region, settled, tile, limits, wide), limits.candidates)


def able(
    graph: Graph,
    region: Region,
    settled: Mapping[NodeId, Format],
    tile: Tile,
    limits: Limits,
    wide: bool = False,
) -> tuple[Candidate, ...]:
    """Return all candidates of a region that can be lowered, of the formats that promise most.

    ``graph`` is fused and not yet tiled, ``settled`` the formats already decided, by its table
    nodes. ``wide``: kernels must address more than 2^31 elements.
    """
    options = tile.options(graph, region, settled)
    found = [tuple(_of_formats(graph, region, settled, f, tile, limits, wide)) for f in options]
    some = sorted((f for f in found if f), key=lambda f: f[0].seconds)
    # Whatever is predicted, nobody should be slower than without sparse formats.
    kept = [f for n, f in enumerate(some) if n < limits.formats or _dense(f[0])]
    return tuple(c for f in kept for c in f)


def _dense(candidate: Candidate) -> bool:
    """Whether every table of a candidate is stored whole."""
    return all(fmt.dense for fmt in candidate.formats.values())


def candidate_for(
    graph: Graph,
    region: Region,
    settled: Mapping[NodeId, Format],
    tile: Tile,
    choice: RegionChoice,
    wide: bool = False,
) -> Candidate | None:
    """Return the candidate that a choice names; None if it cannot be lowered."""
    pinned = replace(tile, choice=((region.name, choice),))
    formats = pinned.options(graph, region, settled)[0]
    given = (tile.target, tile.facts(graph, formats), tile.sizes, tile.refuse, wide)
    ranking = only(tile.work(graph, region, formats), choice.schedule, *given)
    return Candidate(formats, choice, ranking.ranked[0]) if ranking.ranked else None


def _of_formats(
    graph: Graph,
    region: Region,
    settled: Mapping[NodeId, Format],
    formats: Mapping[NodeId, Format],
    tile: Tile,
    limits: Limits,
    wide: bool,
) -> Iterator[Candidate]:
    mine = tables_of(graph, region)
    open_ = {n for n, _ in graph.candidates} & mine - set(settled)
    chosen = tuple((table_name(graph.node(n)), unplaced(formats[n])) for n in sorted(open_))
    work = tile.work(graph, region, formats)
    given = (tile.target, tile.facts(graph, formats), tile.sizes, limits.priced, wide)
    for ranked in rank(work, *given, refuse=tile.refuse).ranked:
        yield Candidate(formats, RegionChoice(chosen, ranked.schedule), ranked)


def spread(found: Sequence[Candidate], most: int) -> tuple[Candidate, ...]:
    """Return at most ``most`` candidates that are cheap and differ, the cheapest first.

    Of all formats the cheapest is among them.
    """
    left = sorted(found, key=lambda c: c.seconds)
    first = {str(c.choice.formats): c for c in reversed(left)}
    taken = sorted(first.values(), key=lambda c: c.seconds)[:most]
    left = [c for c in left if all(c is not t for t in taken)]
    seen = Counter(x for c in taken for x in _likeness(c))
    while left and len(taken) < most:
        best = min(left, key=lambda c: _charged(c, seen))
        left.remove(best)
        taken.append(best)
        seen.update(_likeness(best))
    return tuple(taken)


def relatives(found: Sequence[Candidate], of: Candidate) -> tuple[Candidate, ...]:
    """Return the other candidates of the formats and kind of one: those with its extents, which
    overlap their iterations in other ways, first, then the cheapest.
    """
    _, kind, extents = _likeness(of)
    alike = [c for c in found if _likeness(c)[1] == kind and c.text != of.text]
    alike.sort(key=lambda c: (_likeness(c)[2] != extents, c.seconds))
    return tuple(alike)


def _charged(candidate: Candidate, seen: Counter[Hashable]) -> float:
    price = candidate.seconds
    rates = (SAME_FORMAT, SAME_KIND, SAME_EXTENTS)
    for rate, alike in zip(rates, _likeness(candidate), strict=True):
        price *= rate ** seen[alike]
    return price


def _likeness(candidate: Candidate) -> tuple[Hashable, ...]:
    """Return what a candidate is alike in: formats; and kind of schedule; and extents."""
    formats, schedule = candidate.choice.formats, candidate.choice.schedule
    kind = kind_of(schedule)
    extents = tuple((d.name, d.extent) for d in schedule.digits)
    return (formats,), (formats, kind), (formats, kind, extents)


def kind_of(schedule: Schedule) -> Hashable:
    """Return what tells kinds of schedules apart: which roles spread which axes in which order,
    who leads, and which sums are matrix products. Extents, stages and threads do not.
    """
    roles = {d.name: d.role for d in schedule.digits}
    axes = tuple((a.name, tuple(roles[d] for d, _ in a.digits)) for a in schedule.axes)
    return axes, schedule.leads, schedule.dots, schedule.early, schedule.turns
