"""Schedules of a region lowered, priced and put in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hastec.cost import Count, Facts, Price, count, price
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.schedule import Schedule
from hastec.lower import Refused, Work, lower
from hastec.lower.space import schedules
from hastec.target import Target


@dataclass(frozen=True, slots=True)
class Ranked:
    """A schedule with its kernel, what it costs and the time predicted for it."""

    schedule: Schedule
    kernel: Kernel
    count: Count
    price: Price


@dataclass(frozen=True, slots=True)
class Ranking:
    """All schedules of a region that lower, the cheapest first, and why the others do not."""

    ranked: tuple[Ranked, ...]
    refused: tuple[tuple[str, int], ...]


def rank(
    work: Work,
    target: Target,
    facts: Facts,
    sizes: Mapping[str, int],
    limit: int = 160,
    wide: bool = False,
    refuse: Callable[[Kernel, Target], str] | None = None,
) -> Ranking:
    """Price every schedule of a region; those for other sizes, or that ``refuse``, are left out."""
    found: list[Ranked] = []
    refused: dict[str, int] = {}
    for schedule in schedules(work, target, sizes, limit):
        why = ""
        try:
            kernel = lower(work, schedule, wide)
            why = _unfit(kernel, sizes) or (refuse(kernel, target) if refuse else "")
        except Refused as reason:
            why = str(reason)
        if why:
            refused[why] = refused.get(why, 0) + 1
            continue
        verify_kernel(kernel)
        counted = count(kernel, target, facts)
        found.append(Ranked(schedule, kernel, counted, price(counted, target, schedule.stages)))
    found.sort(key=lambda r: r.price.seconds)
    return Ranking(tuple(found), tuple(refused.items()))


def _unfit(kernel: Kernel, sizes: Mapping[str, int]) -> str:
    """Return which requirement known sizes break, or ""."""
    for need in kernel.requires:
        names = need.size.names()
        if all(n in sizes for n in names) and need.size.evaluate(sizes) > need.at_most:
            return f"{need.size} is more than {need.at_most}"
    return ""
