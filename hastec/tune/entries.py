"""The records of one region of a problem: what is known, and how new ones are written."""

from __future__ import annotations

from hastec.diag import HasteError
from hastec.options import Effort
from hastec.passes.choice import RegionChoice, read_choice
from hastec.run.timing import Times
from hastec.tune.book import Book
from hastec.tune.choose import best
from hastec.tune.problem import Problem
from hastec.tune.records import Record, Status

UNFINISHED = "it had not finished when the process ended"
"""Written before a candidate runs: one that takes the process down is not tried again."""
INTERRUPTED = "interrupted"
"""Written when a user stops the search: that says nothing about the candidate."""
SEARCHED = "searched "
"""How the record begins that says a search came to its end."""
LONGEST_REASON = 400
_EFFORTS = (Effort.QUICK, Effort.FULL)


class Entries:
    """Records under one key, of this backend, device and version."""

    def __init__(self, problem: Problem, book: Book, key: str) -> None:
        self.problem = problem
        self.book = book
        self.key = key

    @property
    def records(self) -> tuple[Record, ...]:
        """What is recorded, in order."""
        p = self.problem
        place = p.backend.name, p.place, p.versions
        found = (r for r in self.book.records if r.key == self.key)
        return tuple(r for r in found if (r.backend, r.device, r.versions) == place)

    def results(self) -> tuple[Record, ...]:
        """Return how each candidate ended, the fastest first."""
        last: dict[str, Record] = {}
        for record in self.records:
            known = last.get(record.schedule)
            if known is None or known.status is not Status.WRONG:
                last[record.schedule] = record
        found = [r for r in last.values() if not r.schedule.startswith(SEARCHED)]
        return tuple(sorted(found, key=lambda r: (r.ms is None, r.ms or 0.0, r.schedule)))

    def best(self) -> Record | None:
        """Return the fastest right candidate, None if none is known."""
        p = self.problem
        return best(self.records, self.key, p.backend.name, p.place, p.versions)

    def choice(self, region: str) -> RegionChoice | None:
        """Return what the fastest right candidate chose; what cannot be read is passed over."""
        left = self.records
        p = self.problem
        while (found := best(left, self.key, p.backend.name, p.place, p.versions)) is not None:
            try:
                return read_choice(found.schedule, region)
            except HasteError:
                left = tuple(r for r in left if r.schedule != found.schedule)
        return None

    def tried(self) -> frozenset[str]:
        """Return the printed choices that need no further run."""
        last = {r.schedule: r for r in self.records}
        return frozenset(text for text, r in last.items() if r.reason != INTERRUPTED)

    def wrong(self) -> frozenset[str]:
        """Return the printed choices that gave wrong results, ever."""
        return frozenset(r.schedule for r in self.records if r.status is Status.WRONG)

    def searched(self, effort: Effort) -> bool:
        """Whether a search of this effort, or a greater one, came to its end."""
        done = {r.schedule for r in self.records}
        return any(_mark(e) in done for e in _EFFORTS[_rank(effort) :])

    def finish(self, effort: Effort, count: int) -> None:
        """Note that a search over ``count`` candidates came to its end."""
        self.add(_mark(effort), Status.REFUSED, f"{count} candidates; not one itself")

    def add(
        self, text: str, status: Status, reason: str = "", times: Times | None = None
    ) -> Record:
        """Record how a candidate ended, by its printed choice."""
        p = self.problem
        made = Record(
            self.key,
            p.program,
            p.named_sizes,
            text,
            p.backend.name,
            p.place,
            status,
            ms=None if times is None else times.median * 1e3,
            n=0 if times is None else times.count,
            iqr=None if times is None else times.spread * 1e3,
            reason=reason[:LONGEST_REASON],
            versions=p.versions,
        )
        self.book.add((made,))
        return made


def _mark(effort: Effort) -> str:
    return f"{SEARCHED}{effort.value}"


def _rank(effort: Effort) -> int:
    return _EFFORTS.index(effort) if effort in _EFFORTS else 0
