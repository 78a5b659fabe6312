"""Tile: a schedule for every region, priced on the kernel it lowers to; this settles formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import ClassVar, TypeAlias

from hastec.cost import Facts
from hastec.diag import Diagnostic, HasteError
from hastec.ir.format import Format
from hastec.ir.forms import Form
from hastec.ir.graph import Decision, Graph, NodeId, Region
from hastec.ir.kernel import Kernel
from hastec.ir.schedule import Schedule
from hastec.levels.registry import Registry, default_registry
from hastec.levels.stats import Stats
from hastec.lower import Work
from hastec.passes.bound import layouts_of, table_name, tables_of, work_of
from hastec.passes.choice import NOTHING, Choice, only
from hastec.passes.facts import facts_for
from hastec.passes.ranking import Ranked, Ranking, rank
from hastec.target import Target
from hastec.text import duration

NO_SCHEDULE = "HST5002"
MOST_COMBINATIONS = 16
MOST_BUILT = 4
"""Candidates of a region that are built before the first of them is taken as it is."""

Against: TypeAlias = Callable[[Kernel, Target], str]
"""Says what speaks against the machine code of a kernel ("" if nothing does)."""

Formats: TypeAlias = dict[NodeId, Format]


@dataclass(frozen=True, slots=True)
class Tile:
    """Choose the cheapest schedule, and with it the format of tables that have several.

    before: ``region Y (%9)``; after: ``region Y (%9)`` with a schedule, every table one format
    """

    target: Target
    stats: Mapping[str, Stats] = field(default_factory=dict)
    """What is known of sparse tables."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    registry: Registry = field(default_factory=default_registry)
    limit: int = 96
    refuse: Callable[[Kernel, Target], str] | None = None
    """Says why a backend cannot hold a kernel ("" if it can)."""
    choice: Choice = NOTHING
    """Regions that were decided beforehand: they are not priced against others."""
    against: Against | None = None
    """Asked of the cheapest schedules, one after the other; what it objects to is passed over."""

    name: ClassVar[str] = "tile"
    needs: ClassVar[frozenset[Form]] = frozenset({Form.FUSED})
    gives: ClassVar[frozenset[Form]] = frozenset({Form.FORMATS, Form.SCHEDULED})

    def run(self, graph: Graph) -> Graph:
        """Return the graph with a schedule a region; HST5002 if a region has none."""
        settled = dict(graph.formats)
        regions: list[Region] = []
        decisions = list(graph.decisions)
        for region in graph.regions:
            options = self.options(graph, region, settled)
            tried = [(formats, self._rank(graph, region, formats)) for formats in options]
            able = [(f, r) for f, r in tried if r.ranked]
            if not able:
                raise self._none(graph, region, tried[0][1])
            taken = self._taken(able)
            settled.update(taken.formats)
            decided = region.name in dict(self.choice)
            decisions += _format_decisions(graph, tried, taken.formats, decided)
            decisions.append(_schedule_decision(region, taken))
            regions.append(replace(region, schedule=taken.best.schedule))
        return replace(
            graph,
            formats=tuple(sorted(settled.items())),
            regions=tuple(regions),
            candidates=(),
            decisions=tuple(decisions),
        )

    def _taken(self, able: list[tuple[Formats, Ranking]]) -> Taken:
        """Return the cheapest candidate whose code nothing speaks against; else the cheapest.

        How many iterations are in flight changes little about code, so of schedules that differ
        in nothing else one is built.
        """
        every = [(n, one) for n, (_, r) in enumerate(able) for one in r.ranked]
        every.sort(key=lambda c: c[1].price.seconds)
        built: set[tuple[int, Schedule]] = set()
        passed: list[tuple[Ranked, str]] = []
        for n, one in every:
            key = n, replace(one.schedule, stages=1)
            why = "it differs from one that was passed over in its stages only"
            if key not in built:
                why = self.against(one.kernel, self.target) if self.against else ""
            if not why:
                return Taken(*able[n], one, tuple(passed))
            built.add(key)
            passed.append((one, why))
            if len(built) == MOST_BUILT:
                break
        n, one = every[0]
        return Taken(*able[n], one, tuple(passed))

    def options(
        self, graph: Graph, region: Region, settled: Mapping[NodeId, Format]
    ) -> list[dict[NodeId, Format]]:
        """Return the formats to price a region under: every combination of what is still open."""
        open_: dict[NodeId, list[Format]] = {}
        mine = tables_of(graph, region)
        chosen = dict(self.choice).get(region.name)
        for node, fmt in graph.candidates:
            if node in mine and node not in settled:
                decided = chosen.format_of(table_name(graph.node(node))) if chosen else None
                if decided is None:
                    open_.setdefault(node, []).append(fmt)
                else:
                    open_[node] = [decided]
        found = []
        for choice in product(*open_.values()):
            formats = dict(settled)
            formats.update(zip(open_, choice, strict=True))
            found.append(_with_likes(graph, formats))
        return found[:MOST_COMBINATIONS]

    def _rank(self, graph: Graph, region: Region, formats: Mapping[NodeId, Format]) -> Ranking:
        work = self.work(graph, region, formats)
        chosen = dict(self.choice).get(region.name)
        facts = self.facts(graph, formats)
        if chosen is not None:
            return only(work, chosen.schedule, self.target, facts, self.sizes, self.refuse)
        return rank(work, self.target, facts, self.sizes, self.limit, refuse=self.refuse)

    def facts(self, graph: Graph, formats: Mapping[NodeId, Format]) -> Facts:
        """Return what pricing knows of a call's tables if they have these formats."""
        named = {table_name(graph.node(n)): f for n, f in formats.items()}
        return facts_for(graph, self.stats, self.sizes, named)

    def work(self, graph: Graph, region: Region, formats: Mapping[NodeId, Format]) -> Work:
        """Return a region under formats, ready for lowering."""
        mine = {n: f for n, f in formats.items() if n in tables_of(graph, region)}
        return work_of(graph, region, layouts_of(graph, mine, self.registry))

    def _none(self, graph: Graph, region: Region, ranking: Ranking) -> HasteError:
        why = "; ".join(reason for reason, _ in ranking.refused) or "there is nothing to spread"
        span = graph.node(region.stores[0]).span
        message = f"{region.name} cannot be compiled for {self.target.name}: {why}"
        advice = "declare a format whose levels can do this, or let the compiler choose one"
        if region.name in dict(self.choice):
            message = f"the choice made for {region.name} cannot be compiled: {why}"
            advice = "it was made by another version: tune again"
        return HasteError(Diagnostic(NO_SCHEDULE, message, span, advice))


@dataclass(frozen=True, slots=True)
class Taken:
    """What a region gets: ``best`` of a ranking under formats, and cheaper ones passed over."""

    formats: Formats
    ranking: Ranking
    best: Ranked
    passed: tuple[tuple[Ranked, str], ...]


def _with_likes(graph: Graph, formats: dict[NodeId, Format]) -> dict[NodeId, Format]:
    """Give outputs the format of the table they are like."""
    likes = {p.name: p.like for p in graph.params if p.like}
    names = {table_name(graph.node(n)): n for n in formats}
    for output, model in likes.items():
        for node in graph.nodes:
            if node.is_table and getattr(node.op, "name", "") == output and model in names:
                formats[node.id] = formats[names[model]]
    return formats


def _format_decisions(
    graph: Graph,
    tried: list[tuple[dict[NodeId, Format], Ranking]],
    chosen: dict[NodeId, Format],
    decided: bool,
) -> Iterator[Decision]:
    open_ = {n for n, _ in graph.candidates}
    for node in sorted(open_ & set(chosen)):
        best: dict[str, float] = {}
        for formats, ranking in tried:
            if ranking.ranked:
                seconds = ranking.ranked[0].price.seconds
                name = str(formats[node])
                best[name] = min(seconds, best.get(name, seconds))
        mine = str(chosen[node])
        if mine not in best:
            continue
        others = tuple(
            (name, f"{duration(seconds)} predicted, {seconds / best[mine]:.2f}x")
            for name, seconds in sorted(best.items(), key=lambda kv: kv[1])
            if name != mine
        )
        which = "the schedule it was tuned with" if decided else "its best schedule"
        reason = f"{duration(best[mine])} predicted for {which}"
        yield Decision(f"format of {table_name(graph.node(node))}", mine, reason, others)


def _schedule_decision(region: Region, taken: Taken) -> Decision:
    best, ranking = taken.best, taken.ranking
    cost = f"{duration(best.price.seconds)} predicted, bound by {best.price.bound}"
    known = [best, *(r for r, _ in taken.passed)]
    if best in known[1:]:
        cost += f", but {taken.passed[0][1]}"
    passed = tuple(
        (_axes(r.schedule), f"{duration(r.price.seconds)} predicted, but {why}")
        for r, why in taken.passed
        if r is not best
    )
    shown = tuple(
        (_axes(r.schedule), f"{duration(r.price.seconds)} predicted, bound by {r.price.bound}")
        for r in [r for r in ranking.ranked if not any(r is k for k in known)][:5]
    )
    refused = tuple((f"{n} schedules", why) for why, n in ranking.refused)
    rejected = (*passed, *shown, *refused)
    return Decision(f"schedule of {region.name}", _axes(best.schedule), cost, rejected)


def _axes(schedule: object) -> str:
    axes = getattr(schedule, "axes", ())
    stages = getattr(schedule, "stages", 1)
    text = ", ".join(str(a) for a in axes)
    return f"{text}, {stages} stages" if stages > 1 else text
