"""Wishes of a ``schedule`` block: what comes closest is taken, whatever it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from hastec.cost import Facts
from hastec.ir.kernel import Digit
from hastec.ir.schedule import Axis, Schedule
from hastec.passes.ranking import rank
from hastec.passes.wishes import distance
from hastec.target import CPU, SM90, Target
from tests.unit.lower_help import COPY, DENSE, VECTOR, work

RANKS = {"m": "m", "W.0": "k", "W.1": "k"}


def made(
    tile: int = 64, inner: int = 8, threads: int = 128, stages: int = 1, unroll: int = 1
) -> Schedule:
    digits = (
        Digit("p", "grid", None),
        Digit("t", "reg", tile),
        Digit("l", "loop", None),
        Digit("i", "reg", inner),
    )
    axes = (Axis("m", (("p", tile), ("t", 1))), Axis("W.0", (("l", 1),)), Axis("W.1", (("i", 1),)))
    return Schedule(digits, axes, stages=stages, threads=threads, unroll=unroll)


def away(
    schedule: Schedule, wishes: Mapping[str, int], numbers: Mapping[str, int | None] | None = None
) -> float:
    return distance(schedule, wishes, SM90, RANKS, numbers or {})


def test_what_is_met_is_no_distance() -> None:
    assert away(made(64), {"tile.m": 64}) == 0
    assert away(made(threads=128), {"warps": 4}) == 0
    assert away(made(stages=3), {"stages": 3}) == 0
    assert away(made(unroll=4), {"unroll": 4}) == 0
    assert away(made(), {}) == 0


def test_distance_counts_doublings_either_way() -> None:
    assert away(made(64), {"tile.m": 16}) == away(made(16), {"tile.m": 64}) == 2
    assert away(made(threads=32), {"warps": 8}) == 3
    assert away(made(64, stages=4), {"tile.m": 128, "stages": 1}) == 3


def test_a_tile_is_all_that_a_program_holds_of_an_index() -> None:
    """Over all levels walked for it; programs and iterations do not count."""
    assert away(made(inner=8), {"tile.k": 8}) == 0
    schedule = made(inner=8)
    longer = replace(
        schedule,
        digits=(*schedule.digits, Digit("j", "thread", 4)),
        axes=(*schedule.axes[:1], Axis("W.0", (("l", 4), ("j", 1))), *schedule.axes[2:]),
    )
    assert away(longer, {"tile.k": 32}) == 0


def test_a_tile_longer_than_its_index_is_as_good_as_the_whole_index() -> None:
    assert away(made(64), {"tile.m": 256}, {"m": 40}) == 0
    assert away(made(16), {"tile.m": 64}, {"m": 40}) == 2
    assert away(made(64), {"tile.m": 256}, {"m": None}) == 2


def test_an_index_of_another_region_does_not_matter() -> None:
    assert away(made(), {"tile.z": 64}) == 0


def tile(schedule: Schedule, name: str) -> int:
    axis = schedule.axis(name)
    total = 1
    for digit, _ in axis.digits if axis is not None else ():
        at = schedule.digit(digit)
        total *= (at.extent or 1) if at.role not in ("grid", "loop") else 1
    return total


def wished(text: str, target: Target, sizes: Mapping[str, int], **wishes: int) -> list[Schedule]:
    """Return the schedules that are left, the cheapest first."""
    at = work(text)
    graph = replace(at.graph, hints=tuple((n.replace("_", "."), w) for n, w in wishes.items()))
    ranking = rank(replace(at, graph=graph), target, Facts(sizes), sizes)
    return [r.schedule for r in ranking.ranked]


SIZES = {"M": 1024, "N": 256, "K": 512}


@pytest.mark.parametrize("rows", [16, 32, 64, 128])
@pytest.mark.parametrize("columns", [16, 32, 64])
def test_a_tile_that_can_be_had_is_had(rows: int, columns: int) -> None:
    left = wished(DENSE, SM90, SIZES, tile_m=rows, tile_n=columns)
    assert left and {(tile(s, "m"), tile(s, "n")) for s in left} == {(rows, columns)}


@pytest.mark.parametrize("target", [CPU, SM90], ids=lambda t: t.name)
def test_nothing_left_out_is_closer_than_what_is_left(target: Target) -> None:
    for text in (COPY, VECTOR, DENSE):
        sizes = {n: v for n, v in SIZES.items() if f"[{n}" in text or f" {n}]" in text}
        free = wished(text, target, sizes)
        for wishes in ({"unroll": 4}, {"stages": 2}, {"warps": 8}, {"tile_m": 48}, {"tile_n": 1}):
            left = wished(text, target, sizes, **wishes)
            distances = {_far(s, wishes, target) for s in left}
            assert len(distances) == 1
            assert all(_far(s, wishes, target) >= max(distances) for s in free)


def _far(schedule: Schedule, wishes: Mapping[str, int], target: Target) -> float:
    named = {n.replace("_", "."): w for n, w in wishes.items()}
    ranks = {a.name: "k" if a.name.startswith("W.") else a.name for a in schedule.axes}
    return distance(schedule, named, target, ranks, {**{n.lower(): v for n, v in SIZES.items()}})
