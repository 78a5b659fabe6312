"""Schedules of a region lowered, priced and put in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

from hastec.cost import Count, Facts, Price, count, price
from hastec.ir.kernel import Kernel, paced
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.schedule import Axis, Schedule
from hastec.lower import Refused, Work, lower
from hastec.lower.axes import axes
from hastec.lower.leads import leads
from hastec.lower.space import schedules
from hastec.passes.wishes import distance
from hastec.target import Target

MOST_MULTIPLE = 128
"""No access and no tile gains from a larger divisor of a size."""


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
    """Price every schedule of a region; those for other sizes, or that ``refuse``, are left out.

    Kernels count on what ``sizes`` tell: which are 1, which powers of two divide them.
    """
    special = Special.of(work, sizes)
    work = work.with_ones(special.ones)
    found: list[Ranked] = []
    refused: dict[str, int] = {}
    alike: dict[Schedule, list[Schedule]] = {}
    for plain in schedules(work, target, sizes, limit):
        schedule = special.schedule(plain)
        alike.setdefault(replace(schedule, stages=1, unroll=1), []).append(schedule)
    for base, group in alike.items():
        why = ""
        try:
            kernel = lower(work, base, wide)
            why = _unfit(kernel, sizes) or (refuse(kernel, target) if refuse else "")
        except Refused as reason:
            why = str(reason)
        if why:
            refused[why] = refused.get(why, 0) + len(group)
            continue
        verify_kernel(kernel)
        counted = count(kernel, target, facts)
        for schedule in group:
            mine = paced(kernel, schedule.stages, schedule.unroll)
            found.append(Ranked(schedule, mine, counted, price(counted, target, schedule.depth)))
    found = _closest(found, work, target, special)
    found.sort(key=lambda r: r.price.seconds)
    return Ranking(tuple(found), tuple(refused.items()))


def _closest(found: list[Ranked], work: Work, target: Target, special: Special) -> list[Ranked]:
    """Return the schedules that come closest to what the program asks for: all, if nothing."""
    wishes = dict(work.graph.hints)
    if not wishes or not found:
        return found
    given = (wishes, target, special.ranks, special.numbers)
    away = [distance(r.schedule, *given) for r in found]
    return [r for r, far in zip(found, away, strict=True) if far == min(away)]


@dataclass(frozen=True, slots=True)
class Special:
    """What kernels count on at known sizes: sizes that are 1, powers of two that divide others,
    how many values each axis takes, and which index it belongs to.
    """

    ones: tuple[str, ...]
    multiples: tuple[tuple[str, int], ...]
    numbers: Mapping[str, int | None]
    ranks: Mapping[str, str]

    @staticmethod
    def of(work: Work, sizes: Mapping[str, int]) -> Special:
        """Return what can be counted on when a region runs at ``sizes``."""
        mine = {n for found in work.layouts.values() for s in found[0].shape for n in s.names()}
        known = {n: sizes[n] for n in sorted(mine) if sizes.get(n, 0) > 0}
        ones = tuple(n for n, size in known.items() if size == 1)
        powers = {n: min(size & -size, MOST_MULTIPLE) for n, size in known.items() if size > 1}
        work = work.with_ones(ones)
        facts = axes(work, leads(work), sizes)
        return Special(
            ones,
            tuple((n, by) for n, by in powers.items() if by > 1),
            {f.name: f.number for f in facts},
            {f.name: f.rank for f in facts},
        )

    def schedule(self, plain: Schedule) -> Schedule:
        """Return a schedule that counts on this."""
        exact = tuple(
            replace(a, exact=_whole(plain, a, self.numbers.get(a.name))) for a in plain.axes
        )
        return replace(plain, axes=exact, ones=self.ones, multiples=self.multiples)


def _whole(schedule: Schedule, axis: Axis, number: int | None) -> bool:
    """Whether an axis of ``number`` values has no part that its digits take without need."""
    if not number:
        return False
    digits = [schedule.digit(name) for name, _ in axis.digits]
    tile = prod(d.extent or 1 for d in digits)
    rolled = any(d.extent is None for d in digits)
    return number % tile == 0 if rolled else number == tile


def _unfit(kernel: Kernel, sizes: Mapping[str, int]) -> str:
    """Return which requirement known sizes break, or ""."""
    for need in kernel.requires:
        names = need.size.names()
        if all(n in sizes for n in names) and not need.holds(sizes):
            return f"{need.size} is not in {need.at_least} .. {need.at_most + 1}"
    return ""
