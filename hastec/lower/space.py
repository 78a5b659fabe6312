"""The schedules worth pricing for a region on a target: legal by construction where possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hastec.ir.schedule import Lead, Schedule
from hastec.lower.axes import AxisFacts, axes
from hastec.lower.leads import leads
from hastec.lower.space_cpu import vector_schedules
from hastec.lower.space_lanes import lane_schedules, single_schedule, sum_schedules
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
    lead = leads(work)
    facts = axes(work, lead, sizes)
    if target.threads == (1,):
        return tuple(dict.fromkeys(vector_schedules(work, target, facts, lead)))[:limit]
    found: dict[Schedule, None] = {}
    for schedule in _in_turns(_kinds(work, target, facts, lead)):
        found[schedule] = None
        found.update(dict.fromkeys(shared(work, target, facts, schedule)))
        if len(found) >= limit:
            break
    return tuple(found)[:limit]


def _kinds(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], lead: tuple[Lead, ...]
) -> list[Iterator[Schedule]]:
    given = work, target, facts, lead
    found = [tile_schedules(*given), lane_schedules(*given), sum_schedules(*given)]
    spread = (f for f in facts if f.extent is not None and not f.reduced and not f.led)
    if all(f.single for f in spread):
        found.append(iter((single_schedule(target, facts, lead),)))
    return found


def _in_turns(kinds: list[Iterator[Schedule]]) -> Iterator[Schedule]:
    """Yield what several iterators yield, in turns: none crowds the others out of a limit."""
    while kinds:
        for kind in tuple(kinds):
            found = next(kind, None)
            if found is None:
                kinds.remove(kind)
            else:
                yield found
