"""The search on this processor: what is chosen, recorded, passed over, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from hastec.contracts import Array
from hastec.diag import InternalError
from hastec.ir.kernel import Kernel
from hastec.tune.book import Book
from hastec.tune.building import Here, Outcome
from hastec.tune.entries import UNFINISHED
from hastec.tune.problem import Problem
from hastec.tune.race import Settings
from hastec.tune.records import Record, Status
from hastec.tune.search import Tuned, recall, tune
from tests.unit.tune_help import Builds, Clock, Meddling, linear, problem_of, program, pruned

BUDGET = 100.0
Search: TypeAlias = Callable[..., Tuned]


@pytest.fixture(scope="module")
def builds() -> Builds:
    return Builds()


@pytest.fixture
def search(builds: Builds) -> Search:
    def run(problem: Problem, book: Book, *times: float, again: bool = False) -> Tuned:
        settings = Settings(
            budget=BUDGET, timer=Clock(times or (1.0,)), builder=builds, again=again
        )
        return tune(problem, book, settings)

    return run


def ended(tuned: Tuned, status: Status) -> list[Record]:
    return [r for r in tuned.records if r.status is status]


def test_the_fastest_is_chosen_and_recalled(search: Search) -> None:
    problem, book = linear(), Book(None)
    found = search(problem, book, 9e-3, 8e-3, 1e-3, 7e-3)
    ((region, choice),) = found.choice
    right = ended(found, Status.OK)
    assert region == "linear_Y" and 3 <= len(right) <= 20
    assert right[0].schedule == str(choice) and right[0].ms == 1.0
    assert {r.status for r in found.records} == {Status.OK}
    again = recall(problem, book)
    assert again.choice == found.choice and again.measured == 0


def test_nothing_is_known_of_other_sizes(search: Search) -> None:
    book = Book(None)
    search(linear(), book)
    assert recall(linear(rows=41), book).choice == ()


def test_what_is_recorded_is_not_measured_again(search: Search, builds: Builds) -> None:
    problem, book = linear(), Book(None)
    search(problem, book)
    clock = Clock((1.0,))
    again = tune(problem, book, Settings(budget=BUDGET, timer=clock, builder=builds))
    assert (again.measured, clock.calls) == (0, 0) and again.choice
    forced = Settings(budget=BUDGET, timer=clock, builder=builds, again=True)
    assert tune(problem, book, forced).measured > 0 and clock.calls > 0


def test_a_search_that_was_cut_short_goes_on(search: Search) -> None:
    problem, book = linear(), Book(None)
    search(problem, book)
    wanted = {r.schedule for r in book.records}
    kept = [r for r in book.records if not r.schedule.startswith("searched")][:5]
    book = Book(None)
    book.add(kept)
    found = search(problem, book)
    assert found.measured > 0 and {r.schedule for r in book.records} == wanted


def spoil(array: str, digits: str) -> Meddling:
    """Return a backend that adds one to the last element after kernels with these digits."""

    def after(kernel: Kernel, arrays: Mapping[str, Array]) -> None:
        if digits in str(kernel.digits):
            last: Any = arrays[array]
            last.view(-1)[-1] += 1

    return Meddling(after)


def test_a_wrong_candidate_is_never_used(search: Search, builds: Builds) -> None:
    problem, book = linear(spoil("Y.val", "n_reg")), Book(None)
    found = search(problem, book, *[1e-3 * n for n in range(1, 30)])
    wrong, right = ended(found, Status.WRONG), ended(found, Status.OK)
    assert wrong and right
    assert all("n_reg" in r.schedule for r in wrong)
    assert not any("n_reg" in r.schedule for r in right)
    assert "instead of" in wrong[0].reason
    (note,) = found.notes
    assert (note.code, note.severity) == ("HST6203", "warning") and "linear_Y" in note.message
    # Not even where a later version of the backend would be right, nor if it is forced.
    fixed = linear()
    forced = Settings(budget=BUDGET, timer=Clock((1e-9,)), builder=builds, again=True)
    later = tune(fixed, book, forced)
    assert "n_reg" not in str(later.choice[0][1])


def test_wrong_results_everywhere_are_an_error(search: Search) -> None:
    problem = linear(spoil("Y.val", ""))
    with pytest.raises(InternalError, match="all schedules of linear_Y"):
        search(problem, Book(None))


def test_what_a_kernel_does_not_write_shows(search: Search) -> None:
    def after(kernel: Kernel, arrays: Mapping[str, Array]) -> None:
        """Change nothing."""

    lazy = Meddling(after)
    real = lazy.load
    lazy.load = lambda built, kernel, target: (  # type: ignore[method-assign]  # a test's wrapper
        (lambda arrays, sizes, grid: None)
        if "m_reg" in str(kernel.digits)
        else real(built, kernel, target)
    )
    found = search(linear(lazy), Book(None))
    assert all("nan" in r.reason for r in ended(found, Status.WRONG))
    assert ended(found, Status.WRONG) and ended(found, Status.OK)


def test_what_fails_is_recorded_with_its_reason(search: Search) -> None:
    def after(kernel: Kernel, arrays: Mapping[str, Array]) -> None:
        if "n_reg" in str(kernel.digits):
            raise RuntimeError("out of registers")

    found = search(linear(Meddling(after)), Book(None))
    failed = ended(found, Status.FAILED)
    assert failed and all(r.reason == "RuntimeError: out of registers" for r in failed)
    assert ended(found, Status.OK)


class Died(BaseException):
    """What a test raises in place of the end of the process."""


def test_a_candidate_that_ends_the_process_is_passed_over(search: Search, tmp_path: Path) -> None:
    def after(kernel: Kernel, arrays: Mapping[str, Array]) -> None:
        if {"n_reg", "m_reg"} <= {d.name for d in kernel.digits}:
            raise Died

    path = tmp_path / "records.jsonl"
    problem = linear(Meddling(after))
    starts = 0
    while True:
        starts += 1
        assert starts < 30
        try:
            found = search(problem, Book(path))
        except Died:
            continue
        break
    unfinished = [r for r in found.records if r.reason == UNFINISHED]
    assert len(unfinished) == starts - 1 > 0
    assert all("m_reg" in r.schedule for r in unfinished) and found.choice


def test_an_interrupt_says_nothing_about_a_candidate(search: Search) -> None:
    def stop(kernel: Kernel, arrays: Mapping[str, Array]) -> None:
        raise KeyboardInterrupt

    book = Book(None)
    with pytest.raises(KeyboardInterrupt):
        search(linear(Meddling(stop)), book)
    found = search(linear(), book)
    assert {r.status for r in found.records} == {Status.OK}


class Slow:
    """A builder that takes a while for each kernel."""

    def __init__(self, problem: Problem, seconds: float) -> None:
        self.real = Here(problem.backend, problem.device.target, problem.lines)
        self.seconds = seconds

    def __call__(self, kernels: Sequence[Kernel], deadline: float) -> Iterator[tuple[int, Outcome]]:
        for item in self.real(kernels, deadline):
            time.sleep(self.seconds)
            yield item


def test_the_budget_is_kept() -> None:
    problem, book = linear(), Book(None)
    settings = Settings(budget=3.0, timer=Clock((1.0,)), builder=Slow(problem, 0.5))
    start = time.monotonic()
    found = tune(problem, book, settings)
    assert time.monotonic() - start < 10
    assert 0 < len(found.records) < 10
    assert not any(r.schedule.startswith("searched") for r in book.records)


def test_hopeless_candidates_are_not_measured_to_the_end(builds: Builds) -> None:
    problem = linear()
    asked: list[float | None] = []

    class Asked(Clock):
        def __call__(self, calls, hopeless=None):  # type: ignore[no-untyped-def]  # as its base
            asked.append(hopeless)
            return super().__call__(calls, hopeless)

    times = [3e-3, 2e-3, 5e-3, 5e-3]
    tune(problem, Book(None), Settings(budget=BUDGET, timer=Asked(times), builder=builds))
    assert asked[:4] == [None, 6e-3, 4e-3, 4e-3]


def test_progress_is_told(builds: Builds) -> None:
    problem, told = linear(), list[tuple[int, int, str]]()
    settings = Settings(
        budget=BUDGET,
        timer=Clock((1.0,)),
        builder=builds,
        progress=lambda done, total, what: told.append((done, total, what)),
    )
    tune(problem, Book(None), settings)
    total = told[0][1]
    assert told == [(n, total, "linear_Y") for n in range(1, total + 1)]


TWO = """
kernel two(W: static sparse f32[M, K], X: f32[K, N]) -> Y: f32[M, N], z: f32[M] {
    Y[m, n] = sum[k] W[m, k] * X[k, n]
    z[m] = max[n] abs(Y[m, n] * sum[k] W[m, k])
}
"""


def test_later_regions_read_what_earlier_ones_stored(search: Search) -> None:
    problem = problem_of(program(TWO), {"W": pruned(30, 20), "N": 6})
    assert len(problem.graph.regions) == 2
    found = search(problem, Book(None))
    assert [name for name, _ in found.choice] == [r.name for r in problem.graph.regions]
    assert {r.status for r in found.records} == {Status.OK}
    # One table has one format, which the first region that reads it settles.
    assert [len(choice.formats) for _, choice in found.choice] == [1, 0]
    assert recall(problem, Book(None)).choice == ()


def test_a_record_that_cannot_be_read_is_passed_over(search: Search) -> None:
    problem, book = linear(), Book(None)
    found = search(problem, book)
    fast = next(r for r in book.records if r.status is Status.OK)
    book.add([replace(fast, schedule="threads many", ms=0.0)])
    assert recall(problem, book).choice == found.choice
