"""The schedules worth pricing for a region on a target: legal by construction where possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hastec.ir.schedule import Lead, Schedule
from hastec.lower.axes import AxisFacts, axes
from hastec.lower.leads import leads
from hastec.lower.space_cpu import vector_schedules
from hastec.lower.space_lanes import lane_schedules, single_schedule
from hastec.lower.space_split import shared
from hastec.lower.space_tiles import tile_schedules
from hastec.lower.work import Work
from hastec.target import Target


def schedules(
    work: Work, target: Target, sizes: Mapping[str, int], limit: int = 200
) -> tuple[Schedule, ...]:
    """Return at most ``limit`` schedules, each once, in a fixed order.

    ``sizes`` are those known when a schedule is chosen; an axis whose size is not among them is
    spread so that any size fits.
    """
    found: dict[Schedule, None] = {}
    lead = leads(work)
    facts = axes(work, lead, sizes)
    for schedule in _all(work, target, facts, lead):
        found[schedule] = None
        if target.threads != (1,):
            found.update(dict.fromkeys(shared(work, target, facts, schedule)))
        if len(found) >= limit:
            break
    return tuple(found)[:limit]


def _all(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], lead: tuple[Lead, ...]
) -> Iterator[Schedule]:
    if target.threads == (1,):
        yield from vector_schedules(work, target, facts, lead)
        return
    yield from tile_schedules(work, target, facts, lead)
    yield from lane_schedules(work, target, facts, lead)
    spread = (f for f in facts if f.extent is not None and not f.reduced and not f.led)
    if all(f.single for f in spread):
        yield single_schedule(target, facts, lead)
