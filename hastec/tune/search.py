"""The search: candidates of every region are built, checked, timed and recorded; the best stays.

Regions are tuned in order, each on the tables that the ones before it computed, with the formats
that were settled by then. A candidate's results are checked before it is timed. What is known from
records is not measured again; what was wrong once is never used. A record that says "not finished"
is written before a candidate runs: if it takes the process down, the next search passes over it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from hastec.diag import Diagnostic
from hastec.ir.format import Format
from hastec.ir.graph import NodeId, Region
from hastec.passes.bound import table_name
from hastec.passes.choice import Choice, RegionChoice
from hastec.tune.book import Book
from hastec.tune.entries import Entries
from hastec.tune.problem import Problem, region_key
from hastec.tune.race import Progress, Race, Settings
from hastec.tune.records import Record, Status
from hastec.tune.tables import Tables

__all__ = ["Progress", "Settings", "Tuned", "recall", "tune"]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What is known of a problem: a choice for every region up to the first that has none, the
    keys they are recorded under, how each candidate ended, and warnings.

    ``measured`` counts the candidates this search tried.
    """

    choice: Choice = ()
    keys: tuple[tuple[str, str], ...] = ()
    records: tuple[Record, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    measured: int = 0


def tune(problem: Problem, book: Book, settings: Settings) -> Tuned:
    """Measure candidates for every region of a problem and return the fastest right ones.

    At most :data:`hastec.tune.candidates.LIMITS` candidates a region are tried: cheap by
    prediction, and different. Each is checked on trial tables (same sizes and patterns, small
    whole numbers) before it is timed on the real ones. Everything is recorded in ``book``.

    Raises InternalError if all candidates of a region are wrong, or the device stops working.
    """
    search = _Search(problem, book, settings)
    for region in problem.graph.regions:
        if not search.region(region):
            break
    return search.tuned()


def recall(problem: Problem, book: Book) -> Tuned:
    """Return what records say about a problem; nothing is measured."""
    search = _Search(problem, book, None)
    for region in problem.graph.regions:
        if not search.region(region):
            break
    return search.tuned()


def formats_of(problem: Problem, choice: RegionChoice) -> dict[NodeId, Format]:
    """Return the formats a choice settles, by table nodes."""
    graph = problem.graph
    open_ = {table_name(graph.node(n)): n for n, _ in graph.candidates}
    return {open_[name]: fmt for name, fmt in choice.formats if name in open_}


class _Search:
    """Regions in order. Without settings nothing is measured."""

    def __init__(self, problem: Problem, book: Book, settings: Settings | None) -> None:
        self.problem = problem
        self.book = book
        self.settings = settings
        self.end = time.monotonic() + (0.0 if settings is None else settings.budget)
        self.settled: dict[NodeId, Format] = dict(problem.graph.formats)
        self.choice: list[tuple[str, RegionChoice]] = []
        self.entries: list[tuple[str, Entries]] = []
        self.tables = Tables(problem, 0 if settings is None else settings.seed)
        self.before = len(book.records)
        self.notes: list[Diagnostic] = []

    def region(self, region: Region) -> bool:
        """Decide one region and settle its formats; whether there was a choice."""
        problem = self.problem
        key = region_key(problem.key, problem.graph, region, self.settled)
        entries = Entries(problem, self.book, key)
        self.entries.append((region.name, entries))
        if self.settings is not None and self._open(entries, self.settings):
            self._race(region, entries, self.settings)
        chosen = entries.choice(region.name)
        if chosen is None:
            return False
        self.choice.append((region.name, chosen))
        self.tables.pending.append((region, dict(self.settled), chosen))
        self.settled.update(formats_of(problem, chosen))
        return True

    def _open(self, entries: Entries, settings: Settings) -> bool:
        return settings.again or not entries.searched(settings.effort)

    def _race(self, region: Region, entries: Entries, settings: Settings) -> None:
        left = len(self.problem.graph.regions) - len(self.choice)
        now = time.monotonic()
        race = Race(self.problem, region, self.settled, entries, settings)
        race.run(self.tables, now + max(0.0, self.end - now) / left)
        self.notes += race.notes

    def tuned(self) -> Tuned:
        """Return what was found."""
        return Tuned(
            tuple(self.choice),
            tuple((name, entries.key) for name, entries in self.entries),
            tuple(r for _, entries in self.entries for r in entries.results()),
            (*self.notes, *self.book.warnings),
            len(self._measured()),
        )

    def _measured(self) -> frozenset[tuple[str, str]]:
        """Return the candidates that were tried, by key and printed choice."""
        new = self.book.records[self.before :]
        return frozenset((r.key, r.schedule) for r in new if r.status is not Status.REFUSED)
