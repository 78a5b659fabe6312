"""Candidates: cheap, different, and known by their text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hastec.diag import HasteError
from hastec.options import Effort
from hastec.passes.choice import RegionChoice, read_choice, show_choice
from hastec.tune.candidates import LIMITS, Candidate, candidate_for, candidates, kind_of, spread
from hastec.tune.problem import Problem
from tests.unit.tune_help import linear


def found(problem: Problem, effort: Effort = Effort.QUICK, most: int = 20) -> list[Candidate]:
    (region,) = problem.graph.regions
    limits = replace(LIMITS[effort], candidates=most)
    settled = dict(problem.graph.formats)
    return list(candidates(problem.graph, region, settled, problem.tile, limits))


def test_the_first_is_what_the_model_chooses() -> None:
    problem = linear()
    first = found(problem)[0]
    chosen = problem.tile.run(problem.graph)
    assert chosen.regions[0].schedule == first.choice.schedule
    everything = found(problem, Effort.FULL, most=10_000)
    assert len(everything) > 20 and first.seconds == min(c.seconds for c in everything)


def test_candidates_differ() -> None:
    mine = found(linear(rows=200, columns=200))
    texts = [c.text for c in mine]
    assert len(mine) == 20 == len(set(texts))
    assert len({c.choice.formats for c in mine}) > 1
    assert len({kind_of(c.choice.schedule) for c in mine}) > 5


def test_fewer_candidates_are_the_first_of_more() -> None:
    problem = linear()
    assert [c.text for c in found(problem, most=6)] == [c.text for c in found(problem)][:6]


def test_a_dear_schedule_of_another_kind_comes_before_the_tenth_of_one_kind() -> None:
    everything = found(linear(rows=200, columns=200), Effort.FULL, most=10_000)
    first = everything[0]
    same = [replace_threads(first, n) for n in range(2, 12)]
    other = next(
        c for c in everything if kind_of(c.choice.schedule) != kind_of(first.choice.schedule)
    )
    dear = Candidate(other.formats, other.choice, priced(other, 3 * first.seconds))
    taken = spread([first, *same, dear], 8)
    assert dear in taken and taken[0] in (first, *same)


def replace_threads(candidate: Candidate, threads: int) -> Candidate:
    schedule = replace(candidate.choice.schedule, threads=threads)
    choice = replace(candidate.choice, schedule=schedule)
    return Candidate(candidate.formats, choice, candidate.ranked)


def priced(candidate: Candidate, seconds: float):  # type: ignore[no-untyped-def]  # as given
    return replace(candidate.ranked, price=replace(candidate.ranked.price, seconds=seconds))


def test_a_choice_reads_back_from_its_text() -> None:
    for candidate in found(linear()):
        text = show_choice(candidate.choice)
        assert read_choice(text) == candidate.choice
        assert text.startswith("format W: ") and text.count("\n") == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "format W\nthreads 1",
        "format W: csr(i, j) = (dense(i), compressed(j)) and more\nthreads 1",
        "format W: csr(i, j) = (dense(i), compressed(j))",
        "threads 1\nthreads 2",
    ],
)
def test_what_is_no_choice_is_refused_with_a_place(text: str) -> None:
    with pytest.raises(HasteError) as caught:
        read_choice(text, "a record")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code.startswith("HST7") and diagnostic.span is not None


def test_a_choice_becomes_its_candidate_again() -> None:
    problem = linear()
    (region,) = problem.graph.regions
    for candidate in found(problem)[::4]:
        given = (problem.graph, region, dict(problem.graph.formats), problem.tile)
        again = candidate_for(*given, candidate.choice)
        assert again is not None
        assert again.ranked.kernel == candidate.ranked.kernel
        assert again.formats == candidate.formats


def test_the_pass_line_takes_a_choice() -> None:
    problem = linear()
    (region,) = problem.graph.regions
    for candidate in found(problem)[1::5]:
        tile = replace(problem.tile, choice=((region.name, candidate.choice),))
        done = tile.run(problem.graph)
        assert done.regions[0].schedule == candidate.choice.schedule
        assert dict(done.formats) == dict(candidate.formats)


def test_a_choice_that_cannot_be_lowered_is_an_error() -> None:
    problem = linear()
    (region,) = problem.graph.regions
    candidate = found(problem)[0]
    schedule = replace(candidate.choice.schedule, digits=(), axes=())
    bad = ((region.name, RegionChoice(candidate.choice.formats, schedule)),)
    with pytest.raises(HasteError) as caught:
        replace(problem.tile, choice=bad).run(problem.graph)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "HST5002" and "tune again" in diagnostic.help
