"""Schedules whose sums are shared by several programs: where there are few programs otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from hastec.ir.graph import Access, Present
from hastec.ir.kernel import Digit
from hastec.ir.schedule import Axis, Schedule
from hastec.lower.axes import AxisFacts
from hastec.lower.work import Work
from hastec.target import Target

MOST = 16
"""Programs that share one sum: the last of them reads as many parts."""
ENOUGH = 512
"""Threads of a multiprocessor that keep memory busy, about."""


def shared(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], schedule: Schedule
) -> Iterator[Schedule]:
    """Yield variants of a schedule in which several programs share the outermost sum.

    They take turns along it, step by step. There are none where programs are enough, or their
    number is not known.
    """
    programs = _programs(facts, schedule)
    found = next((f for f in facts if f.reduced), None)
    axis = None if found is None else schedule.axis(found.name)
    if programs is None or found is None or axis is None or not _sharable(work, schedule, found):
        return
    loop = next((d for d, _ in axis.digits if schedule.digit(d).role == "loop"), None)
    if loop is None or found.number is None:
        return
    steps = found.number // dict(axis.digits)[loop]
    enough = target.units * ENOUGH // (programs * schedule.threads)
    most = min(MOST, steps, 2 * enough)
    for n in (MOST, 8, 4, 2):
        if most < 2 * n <= 2 * most or most < 4 * n <= 2 * most:
            yield _by(schedule, axis, loop, n)


def _sharable(work: Work, schedule: Schedule, f: AxisFacts) -> bool:
    for lead in schedule.leads:
        op = work.nodes[lead.access].op
        assert isinstance(op, Access | Present)
        if f.rank in lead.ranks and len(work.layouts[op.table]) > 1:
            return False
    return not f.sequential and f.rank not in work.out_ranks


def _programs(facts: tuple[AxisFacts, ...], schedule: Schedule) -> int | None:
    """Return how many programs a schedule has; None if that depends on sizes not known."""
    counts: list[int] = []
    numbers = {f.name: f.number for f in facts}
    for axis in schedule.axes:
        for digit, stride in axis.digits:
            if schedule.digit(digit).role == "grid":
                number = numbers.get(axis.name)
                if number is None:
                    return None
                counts.append(max(1, -(-number // stride)))
    return prod(counts)


def _by(schedule: Schedule, axis: Axis, loop: str, count: int) -> Schedule:
    """Return a schedule under which ``count`` programs take every so many'th step of a loop."""
    name = f"{loop.removesuffix('_step')}_part"
    digits: list[tuple[str, int]] = []
    for digit, stride in axis.digits:
        digits += [(digit, stride * count), (name, stride)] if digit == loop else [(digit, stride)]
    grid = [d for d in schedule.digits if d.role == "grid"]
    rest = [d for d in schedule.digits if d.role != "grid"]
    return replace(
        schedule,
        digits=(*grid, Digit(name, "grid", count), *rest),
        axes=tuple(
            replace(a, digits=tuple(digits)) if a.name == axis.name else a for a in schedule.axes
        ),
    )
