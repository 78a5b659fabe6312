"""The space of schedules: legal by construction, each once, the same every time."""

from __future__ import annotations

import pytest

from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.schedule import Schedule
from hastec.ir.schedule_text import read_schedule, show_schedule
from hastec.lower import Refused, Work, lower
from hastec.lower.leads import axes_of, leads
from hastec.lower.space import schedules
from hastec.target import CPU, GFX942, SM90, Target
from tests.unit.lower_help import ATTENTION, DENSE, PRODUCT, PROGRAMS, VECTOR, work
from tests.unit.table_formats import bsr, fmt

TARGETS = (CPU, SM90, GFX942)
SIZES = {"M": 96, "N": 24, "K": 160, "H": 4, "L": 64, "D": 32}
on_all = pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
of_all = pytest.mark.parametrize("name", PROGRAMS)


def space(at: Work, target: Target, limit: int = 200) -> tuple[Schedule, ...]:
    return schedules(at, target, SIZES, limit)


@on_all
@of_all
class TestEvery:
    def test_is_there_once_and_every_time(self, name: str, target: Target) -> None:
        found = space(work(PROGRAMS[name]), target)
        assert found and len(set(found)) == len(found)
        assert found == space(work(PROGRAMS[name]), target)
        assert found[:5] == space(work(PROGRAMS[name]), target, 5)

    def test_has_the_roles_of_its_target(self, name: str, target: Target) -> None:
        for schedule in space(work(PROGRAMS[name]), target):
            roles = {d.role for d in schedule.digits}
            assert schedule.threads in target.threads
            if target == CPU:
                assert not roles & {"thread", "block"}
            lanes = [d.extent or 1 for d in schedule.digits if d.role == "thread"]
            total = 1
            for extent in lanes:
                total *= extent
            assert total <= schedule.threads

    def test_spreads_every_axis_with_digits_in_mixed_radix(self, name: str, target: Target) -> None:
        at = work(PROGRAMS[name])
        for schedule in space(at, target):
            used = [d for axis in schedule.axes for d, _ in axis.digits]
            assert sorted(used) == sorted(d.name for d in schedule.digits)
            for axis in schedule.axes:
                strides = [s for _, s in axis.digits]
                assert strides == sorted(strides, reverse=True)
                below = 1
                for digit, stride in reversed(axis.digits):
                    assert stride == below, show_schedule(schedule)
                    below *= schedule.digit(digit).extent or 1

    def test_spreads_every_rank(self, name: str, target: Target) -> None:
        at = work(PROGRAMS[name])
        for schedule in space(at, target, 20):
            axes = {axis.name for axis in schedule.axes}
            assert schedule.leads == leads(at)
            for rank in {r for _, define in at.stores for r in define.ranks}:
                assert axes & set(axes_of(at, schedule.leads, rank))

    def test_lowers_or_says_why_not(self, name: str, target: Target) -> None:
        at, lowered = work(PROGRAMS[name]), 0
        for schedule in space(at, target, 40):
            try:
                verify_kernel(lower(at, schedule))
                lowered += 1
            except Refused as why:
                assert str(why)
        assert lowered

    def test_reads_back(self, name: str, target: Target) -> None:
        for schedule in space(work(PROGRAMS[name]), target, 60):
            assert read_schedule(show_schedule(schedule)) == schedule


def test_products_are_offered_to_tensor_cores() -> None:
    assert any(s.dots for s in space(work(DENSE), SM90))
    blocks = fmt("blocks", bsr(16, 16))
    assert any(s.dots for s in space(work(PRODUCT, W=blocks), SM90))
    assert not any(s.dots for s in space(work(PRODUCT), SM90))  # rows of entries are no tiles
    assert any(len(s.dots) == 2 for s in space(work(ATTENTION), SM90))
    assert not any(s.dots for s in space(work(VECTOR), SM90))
    assert not any(s.dots for s in space(work(DENSE), CPU))


def test_a_sum_is_shared_by_threads_in_some_schedule() -> None:
    found = space(work(VECTOR), SM90)
    inside = [d for s in found for a in s.axes if a.name == "W.1" for d, _ in a.digits]
    roles = {s.digit(d).role for s in found for d in inside if any(x.name == d for x in s.digits)}
    assert {"loop", "thread"} <= roles
