"""Schedules whose threads each hold their own values: lanes along outputs or along a reduction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from hastec.ir.schedule import Lead, Schedule
from hastec.lower.axes import AxisFacts
from hastec.lower.spread import Spread, build
from hastec.lower.work import Work
from hastec.target import Target

MOST_REGISTERS = 64
"""More copies of a value a thread than this never pay."""


def lane_schedules(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], leads: tuple[Lead, ...]
) -> Iterator[Schedule]:
    """Yield schedules with lanes on one output axis, then with lanes along a reduction."""
    for lane in _output_lanes(facts):
        for threads, narrow in product((target.lanes, 128), _narrow(facts, lane)):
            yield from _with_steps(facts, leads, {lane.name: _lane(lane, threads)}, narrow, lane)
    for lane in _reduced_lanes(facts):
        row = next((f for f in facts if not f.reduced and not f.led), None)
        for rows, narrow in product((1, 4), _narrow(facts, None)):
            fixed: dict[str, Spread] = {}
            if row is not None and rows > 1 and row.name not in narrow:
                fixed[row.name] = (("grid", None), ("thread", rows))
            elif rows > 1:
                continue
            for spread in _along(lane, target.lanes):
                yield from _with_steps(facts, leads, {**fixed, lane.name: spread}, narrow, lane)


def _output_lanes(facts: tuple[AxisFacts, ...]) -> list[AxisFacts]:
    """Return output axes that may hold lanes: contiguous ones first."""
    fits = [f for f in facts if not f.reduced and not f.led and f.extent is not None]
    return sorted(fits, key=lambda f: not f.contiguous)


def _lane(f: AxisFacts, threads: int) -> Spread:
    return (("grid", None), ("thread", threads))


def _reduced_lanes(facts: tuple[AxisFacts, ...]) -> list[AxisFacts]:
    fits = [f for f in facts if f.reduced and not f.sequential and not f.fixed]
    return fits[-2:]


def _along(f: AxisFacts, lanes: int) -> tuple[Spread, ...]:
    """Spreads of a reduced axis over lanes: one, or several values a lane in either order."""
    return (
        (("loop", None), ("thread", lanes)),
        (("loop", None), ("reg", 4), ("thread", lanes)),
        (("loop", None), ("thread", lanes), ("reg", 4)),
    )


def _narrow(facts: tuple[AxisFacts, ...], lane: AxisFacts | None) -> tuple[dict[str, int], ...]:
    """Return ways to hold short output axes in registers: none, or the innermost short one."""
    found: list[dict[str, int]] = [{}]
    for f in reversed(facts):
        short = f.number is not None and 1 < f.number <= 16
        if not f.reduced and not f.led and f is not lane and short:
            found.append({f.name: 1 << ((f.number or 1) - 1).bit_length()})
            break
    return tuple(found)


def _with_steps(
    facts: tuple[AxisFacts, ...],
    leads: tuple[Lead, ...],
    given: dict[str, Spread],
    narrow: dict[str, int],
    lane: AxisFacts,
) -> Iterator[Schedule]:
    """Complete a schedule: other outputs over programs, reductions in steps of several sizes."""
    rest = [f for f in facts if f.name not in given]
    choices = [_steps(f, narrow) for f in rest]
    for choice in product(*choices):
        spreads = {**given, **{f.name: s for f, s in zip(rest, choice, strict=True)}}
        if _registers(spreads) > MOST_REGISTERS:
            continue
        inner = [f.name for f in facts if f.name != lane.name]
        ordered = {f.name: spreads[f.name] for f in facts}
        for stages in (1, 3):
            yield build(ordered, leads, (*inner, lane.name), stages=stages)


def _steps(f: AxisFacts, narrow: dict[str, int]) -> tuple[Spread, ...]:
    if f.name in narrow:
        return ((("reg", narrow[f.name]),),)
    if f.fixed and f.number is not None and f.number <= 16:
        return ((("reg", f.number),),)
    if not f.reduced and not f.led and f.extent is not None:
        return ((("grid", None),),)
    if f.led and f.reduced and f.contiguous:
        width = max(f.unit, 4)
        return ((("loop", None),), (("loop", None), ("reg", width)))
    if f.reduced and not f.led:
        return ((("loop", None),), (("loop", None), ("reg", 4)))
    return ((("loop", None),),)


def _registers(spreads: dict[str, Spread]) -> int:
    total = 1
    for spread in spreads.values():
        for role, extent in spread:
            total *= (extent or 1) if role == "reg" else 1
    return total
