"""The race: candidates of one region are built side by side, then checked and timed one by one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from hastec.contracts import Built
from hastec.diag import Diagnostic, InternalError
from hastec.ir.format import Format
from hastec.ir.graph import NodeId, Region
from hastec.options import Effort
from hastec.run.runner import Ready
from hastec.run.timing import Timer, Times, timer_for
from hastec.tune.building import Builder, Outcome, builder_for
from hastec.tune.candidates import LIMITS, Candidate, able, relatives, spread
from hastec.tune.entries import INTERRUPTED, UNFINISHED, Entries
from hastec.tune.exact import exact
from hastec.tune.part import part_of
from hastec.tune.problem import Problem
from hastec.tune.records import Status
from hastec.tune.referee import Referee
from hastec.tune.tables import Tables, magnitudes
from hastec.tune.trial import Bench
from hastec.tune.verdict import Judge

HOPELESS = 2.0
"""A candidate this many times slower than the best is not measured to the end."""
CLOSE = 1.1
"""Candidates within this factor of the best are measured again, in turns, at the end."""
FINALISTS, ROUNDS = 3, 2
BUILDING = 0.6
"""The share of the time that builds may take where nothing can be measured beside them."""
WRONG, SHORT = "HST6203", "HST6205"


class Progress(Protocol):
    """Is told how far a search is."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Say that ``done`` of ``total`` candidates of the region ``what`` are decided."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """How to search: how far, for how many seconds at most, from which seed.

    ``again`` measures what is recorded already. ``timer`` and ``builder`` are those for the device
    and the backend unless given.
    """

    effort: Effort = Effort.QUICK
    budget: float = 10.0
    seed: int = 0
    again: bool = False
    timer: Timer | None = None
    builder: Builder | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Runner:
    """A candidate that was right, ready to run, and its times so far."""

    candidate: Candidate
    ready: Ready
    times: Times


class Heat:
    """What candidates are tried with: on what, up to when, and how many there are at most.

    ``known`` are those decided before. ``done`` counts those tried now; ``late``: time was over
    before all of them were.
    """

    def __init__(
        self, bench: Bench, judge: Judge, known: frozenset[str], deadline: float, total: int
    ) -> None:
        self.bench = bench
        self.judge = judge
        self.known = known
        self.deadline = deadline
        self.total = total
        self.done = 0
        self.late = False


class Race:
    """Tries the candidates of one region."""

    def __init__(
        self,
        problem: Problem,
        region: Region,
        settled: Mapping[NodeId, Format],
        entries: Entries,
        settings: Settings,
    ) -> None:
        self.problem = problem
        self.part = part_of(problem.graph, region)
        self.settled = settled
        self.entries = entries
        self.settings = settings
        self.timer = settings.timer or timer_for(problem.device.name)
        self.builder = settings.builder or builder_for(
            problem.backend, problem.device.target, problem.lines
        )
        self.right: list[Runner] = []
        self.leader: Candidate | None = None
        self.wrong: list[str] = []
        self.notes: list[Diagnostic] = []

    def run(self, tables: Tables, deadline: float) -> None:
        """Try what is not known yet, until ``deadline``."""
        problem, region, effort = self.problem, self.part.region, self.settings.effort
        data = tables.before()
        bench = Bench(problem, self.part, data)
        limits = LIMITS[effort]
        found = able(problem.graph, region, self.settled, problem.tile, limits, bench.wide())
        whole = exact(self.part, magnitudes(data.trial), problem.sizes)
        referee = Referee(self.part, data.trial, problem.sizes, problem.tile.registry)
        judge = Judge(self.part, referee, whole, self.settings.seed)
        known = self.entries.wrong() if self.settings.again else self.entries.tried()
        heat = Heat(bench, judge, known, deadline, min(len(found), limits.candidates))
        first = spread(found, limits.candidates - limits.relatives)
        self._heat(first, heat)
        best = self.entries.best()
        leader = next((c for c in found if best is not None and c.text == best.schedule), None)
        near = () if leader is None else relatives(found, leader)
        fresh = dict.fromkeys(c for c in near if c not in first)
        second = [*list(fresh)[: limits.relatives], *spread(found, limits.candidates)]
        left = [c for c in dict.fromkeys(second) if c not in first]
        self._heat(tuple(left[: heat.total - len(first)]), heat)
        self._finals(bench, deadline)
        self._report(heat.done)
        if not heat.done and found and self.entries.best() is None:
            self.notes.append(_too_short(region.name))
        if not heat.late:
            self.entries.finish(effort, heat.total)

    def _heat(self, entrants: tuple[Candidate, ...], heat: Heat) -> None:
        """Try candidates that are not known yet."""
        todo = [c for c in entrants if c.text not in heat.known]
        done = 0
        for number, outcome in _spilt_last(self._built(todo, heat.deadline)):
            self._try(todo[number], outcome, heat.bench, heat.judge)
            done += 1
            heat.done += 1
            self._tell(heat.done, heat.total)
            if time.monotonic() >= heat.deadline:
                break
        heat.late = heat.late or done < len(todo)

    def _built(self, todo: list[Candidate], deadline: float) -> Iterable[tuple[int, Outcome]]:
        kernels = [c.ranked.kernel for c in todo]
        if not kernels or self.problem.device.target.threads != (1,):
            return self.builder(kernels, deadline) if kernels else ()
        # Compilers that work beside a measurement on the same processor would spoil it.
        now = time.monotonic()
        return list(self.builder(kernels, now + BUILDING * (deadline - now)))

    def _tell(self, done: int, total: int) -> None:
        if self.settings.progress is not None:
            self.settings.progress(done, total, self.part.region.name)

    # ------------------------------------------------------------------------------- one candidate
    def _try(self, candidate: Candidate, outcome: Outcome, bench: Bench, judge: Judge) -> None:
        if isinstance(outcome, str):
            self.entries.add(candidate.text, Status.FAILED, outcome)
            return
        self.entries.add(candidate.text, Status.FAILED, UNFINISHED)
        try:
            self._run(candidate, outcome, bench, judge)
        except KeyboardInterrupt:
            self.entries.add(candidate.text, Status.FAILED, INTERRUPTED)
            raise
        except Exception as why:
            self.entries.add(candidate.text, Status.FAILED, f"{type(why).__name__}: {why}")
            self._still_there(bench, candidate)

    def _run(self, candidate: Candidate, built: Built, bench: Bench, judge: Judge) -> None:
        kernel, target = candidate.ranked.kernel, self.problem.device.target
        ready = Ready(kernel, self.problem.backend.load(built.files, kernel, target))
        results = bench.results(ready, candidate)
        verdict = judge.judge(results)
        if verdict.leader:
            self._demote(verdict.reason)
            judge.leader = results
        elif verdict.reason:
            self._wrong(candidate, verdict.reason)
            return
        if judge.leader is results:
            self.leader = candidate
        times = self.timer(bench.calls(ready, candidate), self._hopeless())
        self.entries.add(candidate.text, Status.OK, times=times)
        self.right.append(Runner(candidate, ready, times))

    def _hopeless(self) -> float | None:
        found = self.entries.best()
        return None if found is None or found.ms is None else HOPELESS * found.ms * 1e-3

    def _demote(self, reason: str) -> None:
        """Take back what led: it was wrong where another one is right."""
        assert self.leader is not None
        self._wrong(self.leader, reason)
        self.right = [r for r in self.right if r.candidate is not self.leader]

    def _wrong(self, candidate: Candidate, reason: str) -> None:
        self.entries.add(candidate.text, Status.WRONG, reason)
        self.wrong.append(reason)

    def _still_there(self, bench: Bench, candidate: Candidate) -> None:
        """Raise InternalError if the device works no more after a candidate failed."""
        try:
            bench.wait()
        except RuntimeError as why:
            message = f"the device stopped working while this schedule ran: {candidate.text}"
            raise InternalError(f"{message}\n{why}") from None

    # ------------------------------------------------------------------------------------- the end
    def _finals(self, bench: Bench, deadline: float) -> None:
        """Measure those close to the best again, in turns, so that no moment favours one."""
        ordered = sorted(self.right, key=lambda r: r.times.median)
        close = [r for r in ordered if r.times.median <= CLOSE * ordered[0].times.median]
        close = close[:FINALISTS]
        found = {r.candidate.text: [r.times] for r in close}
        for _ in range(ROUNDS if len(close) > 1 else 0):
            if time.monotonic() >= deadline:
                break
            for r in close:
                found[r.candidate.text].append(self.timer(bench.calls(r.ready, r.candidate), None))
        for text, times in found.items():
            if len(times) > 1:
                middle = statistics.median(t.median for t in times)
                last = replace(times[-1], median=middle, count=sum(t.count for t in times))
                self.entries.add(text, Status.OK, times=last)

    def _report(self, done: int) -> None:
        if not self.wrong:
            return
        name, reason = self.part.region.name, self.wrong[0]
        if self.entries.best() is None:
            raise InternalError(f"all schedules of {name} that ran give wrong results: {reason}")
        count = f"{len(self.wrong)} of {done} schedules of {name}"
        message = f"{count} gave wrong results and are never used: {reason}"
        where = self.entries.book.path or "memory"
        advice = f"report it with the records in {where}"
        self.notes.append(Diagnostic(WRONG, message, help=advice, severity="warning"))


def _spilt_last(built: Iterable[tuple[int, Outcome]]) -> Iterator[tuple[int, Outcome]]:
    """Yield builds as they come, but at the end those that keep registers in memory: such code is
    taken if it is the fastest all the same, and is the first to be left out if time is short.
    """
    spilt = []
    for number, outcome in built:
        if isinstance(outcome, Built) and outcome.spilt:
            spilt.append((number, outcome))
        else:
            yield number, outcome
    yield from spilt


def _too_short(region: str) -> Diagnostic:
    message = f"no schedule of {region} was built in the time for tuning: predictions decide"
    advice = "give it more: HASTE_TUNE_BUDGET_SECONDS, or `hastec tune --budget`"
    return Diagnostic(SHORT, message, help=advice, severity="warning")
