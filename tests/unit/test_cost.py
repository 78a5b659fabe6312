"""What kernels are said to cost: numbers that can be worked out by hand, and how they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from hastec.cost import Count, Facts, count, price
from hastec.ir.kernel import For, Kernel, statements
from hastec.ir.schedule import Schedule
from hastec.lower import Refused, Work, lower
from hastec.lower.space import schedules
from hastec.target import CPU, SM80, SM90, Target
from tests.unit.lower_help import COPY, DENSE, PROGRAMS, SUM, VECTOR, work

SIZES = {"M": 512, "N": 256, "K": 1024, "H": 4, "L": 256, "D": 64}


def kernels(
    at: Work, target: Target, limit: int = 60, sizes: Mapping[str, int] = SIZES
) -> list[tuple[Schedule, Kernel]]:
    found = []
    for schedule in schedules(at, target, sizes, limit):
        try:
            found.append((schedule, lower(at, schedule)))
        except Refused:
            continue
    return found


def counted(kernel: Kernel, sizes: Mapping[str, int] = SIZES, **numels: int) -> Count:
    return count(kernel, SM90, Facts(sizes, numels={f"{n}.val": v for n, v in numels.items()}))


def test_a_copy_reads_and_writes_each_element_once() -> None:
    for schedule, kernel in kernels(work(COPY), SM90):
        found = counted(kernel, x=256, y=256)
        assert found.bytes == 2 * 4 * 256, schedule
        assert found.flops == 0


def test_a_whole_array_is_read_at_most_once() -> None:
    """What several programs read is one another's cache: only the first reading moves bytes."""
    for _, kernel in kernels(work(DENSE), SM90):
        found = counted(kernel, W=512 * 1024, X=1024 * 256, Y=512 * 256)
        assert found.bytes <= 4 * (512 * 1024 + 1024 * 256 + 512 * 256) * 1.01
        assert found.bytes >= 4 * 512 * 256


def test_flops_are_those_of_matrix_products() -> None:
    tiles = 0
    for schedule, kernel in kernels(work(DENSE), SM90, 200):
        found = counted(kernel)
        if schedule.dots:
            assert found.flops == pytest.approx(2 * 512 * 1024 * 256, rel=0.3)
            tiles += 1
        else:
            assert found.flops == 0
    assert tiles


def test_loops_that_are_rare_cost_nothing_and_are_not_paced() -> None:
    seen = 0
    for schedule, kernel in kernels(work(PROGRAMS["attention"]), SM90, sizes={**SIZES, "L": 4096}):
        rare = [s for s in statements(kernel.body) if isinstance(s, For) and s.rare]
        assert all(s.stages == s.unroll == 1 for s in rare)
        if rare:
            body = tuple(s for s in kernel.body if s not in rare)
            left = counted(replace(kernel, body=body))
            assert left.slots == counted(kernel).slots and left.bytes == counted(kernel).bytes
            seen += schedule.stages > 1
    assert seen


def test_more_entries_cost_more() -> None:
    for target in (SM90, CPU):
        for _, kernel in kernels(work(VECTOR), target, 30):
            few, many = (
                count(kernel, target, Facts(SIZES, {"W.1.pos": length})) for length in (16.0, 256.0)
            )
            assert many.slots > few.slots
            assert many.bytes > few.bytes
            assert many.trips >= few.trips


def test_programs_are_those_of_the_grid() -> None:
    for _, kernel in kernels(work(COPY), SM90):
        grid = 1
        for _, size in kernel.grid:
            grid *= size.evaluate(SIZES)
        found = counted(kernel)
        assert found.programs == grid
        assert found.threads == kernel.threads


@pytest.mark.parametrize("target", [CPU, SM90], ids=lambda t: t.name)
@pytest.mark.parametrize("name", PROGRAMS)
def test_counts_and_prices_are_sane(name: str, target: Target) -> None:
    for schedule, kernel in kernels(work(PROGRAMS[name]), target, 30):
        found = count(kernel, target, Facts(SIZES))
        assert found.programs >= 1 and found.slots > 0 and found.bytes > 0 and found.trips >= 0
        assert found == count(kernel, target, Facts(SIZES))
        cost = price(found, target, schedule.depth)
        parts = (cost.bytes, cost.flops, cost.slots, cost.lines, cost.latency)
        assert cost.seconds >= max(parts) and min(parts) >= 0
        assert getattr(cost, cost.bound) == max(parts)


def test_larger_problems_take_longer() -> None:
    for target in (CPU, SM90):
        for text, size in ((SUM, "N"), (COPY, "N"), (DENSE, "K")):
            for _, kernel in kernels(work(text), target, 20):
                small, large = (
                    price(count(kernel, target, Facts({**SIZES, size: n})), target).seconds
                    for n in (1 << 10, 1 << 24)
                )
                assert large > small


BASE = Count(1320.0, 128, 1e9, 0.0, 1e9, 0.0, 64.0)


def test_the_slowest_resource_decides() -> None:
    assert price(BASE, SM90).bound == "bytes"
    assert price(replace(BASE, slots=1e12), SM90).bound == "slots"
    assert price(replace(BASE, flops=1e15), SM90).bound == "flops"
    assert price(replace(BASE, lines=1e10), SM90).bound == "lines"
    assert price(replace(BASE, trips=1e6), SM90).bound == "latency"


def test_bytes_take_what_bandwidth_says() -> None:
    assert price(BASE, SM90).bytes == pytest.approx(1e9 / SM90.bandwidth)
    assert price(BASE, SM80).bytes > price(BASE, SM90).bytes


def test_iterations_in_flight_hide_latency() -> None:
    waits = [price(BASE, SM90, depth).latency for depth in (1, 2, 4, 8)]
    assert waits == sorted(waits, reverse=True)
    assert waits[0] == pytest.approx(8 * waits[3])


def test_a_last_wave_that_is_nearly_empty_costs_a_whole_one() -> None:
    full, more = (replace(BASE, programs=float(n)) for n in (SM90.units, SM90.units + 1))
    assert price(more, SM90).bytes == pytest.approx(2 * price(full, SM90).bytes, rel=0.02)


def test_a_cpu_uses_as_many_cores_as_there_are_programs() -> None:
    one, many = (replace(BASE, programs=float(n), bytes=1.0) for n in (1, 4 * CPU.units))
    assert price(one, CPU).slots == pytest.approx(CPU.units * price(many, CPU).slots)
