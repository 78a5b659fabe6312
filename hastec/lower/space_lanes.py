"""Schedules whose threads each hold their own values: lanes along outputs or along a reduction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from hastec.ir.schedule import Lead, Schedule
from hastec.lower.axes import AxisFacts
from hastec.lower.spread import Spread, build
from hastec.lower.work import Work
from hastec.target import Target

_LOOP: Spread = (("loop", None),)
_ROWS: tuple[Spread, ...] = (
    (),
    (("thread", 4),),
    (("reg", 2),),
    (("reg", 4),),
    (("thread", 4), ("reg", 2)),
)
"""Ways to hold several rows of a program whose lanes run along a sum."""
MOST_REGISTERS = 64
"""More copies of a value a thread than this never pay."""


def lane_schedules(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], leads: tuple[Lead, ...]
) -> Iterator[Schedule]:
    """Yield schedules with lanes on one output axis."""
    run = widest_run(work)
    for lane in _output_lanes(facts):
        for wide, narrow in product(_beside(facts, lane, target), _narrow(facts, lane, run)):
            yield from _with_steps(facts, leads, {**wide, **narrow}, run, lane)


def sum_schedules(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], leads: tuple[Lead, ...]
) -> Iterator[Schedule]:
    """Yield schedules with lanes along a reduction."""
    run = widest_run(work)
    for lane in _reduced_lanes(facts):
        row = next((f for f in facts if not f.reduced and not f.led), None)
        for rows, narrow in product(_ROWS, _narrow(facts, None, run)):
            given = dict(narrow)
            if row is not None and rows and row.name not in narrow:
                given[row.name] = (("grid", None), *rows)
            elif rows:
                continue
            for spread in _along(lane, target.lanes, run):
                yield from _with_steps(facts, leads, {**given, lane.name: spread}, run, lane)


def _beside(
    facts: tuple[AxisFacts, ...], lane: AxisFacts, target: Target
) -> Iterator[dict[str, Spread]]:
    """Yield how threads are spread over an output axis, and over pieces of a reduced one."""
    pieces = [f for f in facts if _in_pieces(f)]
    wanted = (lane.wish,) if 0 < lane.wish <= target.threads[-1] else ()
    for count in dict.fromkeys((lane.slice or target.lanes, target.lanes, 128, *wanted)):
        own: Spread = (("grid", None), ("thread", count))
        if count % target.lanes == 0:
            yield {lane.name: own}
        for f in pieces if count == (lane.slice or target.lanes) else ():
            for beside in (4, 8, 16, 32):
                threads = count * beside
                if beside <= (f.number or 0) and threads % target.lanes == 0 and threads <= 512:
                    spread: Spread = (("thread", beside),)
                    yield {lane.name: own, f.name: spread if f.number == beside else _LOOP + spread}


def _in_pieces(f: AxisFacts) -> bool:
    """Whether an axis counts the pieces that a table cuts another one into."""
    return f.led and f.reduced and f.extent is not None and f.extent.constant is None


def _output_lanes(facts: tuple[AxisFacts, ...]) -> list[AxisFacts]:
    """Return output axes that may hold lanes: contiguous ones first."""
    fits = [f for f in facts if not f.reduced and not f.led and f.extent is not None]
    return sorted((f for f in fits if not f.single), key=lambda f: not f.contiguous)


def widest_run(work: Work) -> int:
    """Return how many neighbours one 16-byte access of a thread holds in every table."""
    widest = max(lay.dtype.bytes for layouts in work.layouts.values() for lay in layouts)
    return max(1, 16 // max(2, widest))


def registers(count: int, run: int) -> Spread:
    """Return digits for ``count`` (a power of two) registers, none wider than one access."""
    if count <= run:
        return (("reg", count),)
    return (("reg", count // run), ("reg", run))


def _reduced_lanes(facts: tuple[AxisFacts, ...]) -> list[AxisFacts]:
    fits = [f for f in facts if f.reduced and not f.sequential and not f.fixed]
    return fits[-2:]


def _along(f: AxisFacts, lanes: int, run: int) -> tuple[Spread, ...]:
    """Spreads of a reduced axis over lanes: one, or several values a lane in either order."""
    plain: tuple[Spread, ...] = (
        (("loop", None), ("thread", lanes)),
        (("loop", None), ("reg", 4), ("thread", lanes)),
    )
    if f.pack == 1:
        return (*plain, (("loop", None), ("thread", lanes), ("reg", min(run, 16 // f.word))))
    return ((("loop", None), ("thread", lanes), ("reg", f.pack)),)


def _narrow(
    facts: tuple[AxisFacts, ...], lane: AxisFacts | None, run: int
) -> tuple[dict[str, Spread], ...]:
    """Return ways to hold short output axes in registers: none, or the innermost short one."""
    found: list[dict[str, Spread]] = [{}]
    for f in reversed(facts):
        short = f.number is not None and 1 < f.number <= 16
        if not f.reduced and not f.led and f is not lane and short:
            count = 1 << ((f.number or 1) - 1).bit_length()
            found.append({f.name: registers(count, run)})
            break
    return tuple(found)


def _with_steps(
    facts: tuple[AxisFacts, ...],
    leads: tuple[Lead, ...],
    given: dict[str, Spread],
    run: int,
    lane: AxisFacts,
) -> Iterator[Schedule]:
    """Complete a schedule: other outputs over programs, reductions in steps of several sizes."""
    rest = [f for f in facts if f.name not in given]
    choices = [_steps(f, run) for f in rest]
    for choice in product(*choices):
        spreads = {**given, **{f.name: s for f, s in zip(rest, choice, strict=True)}}
        if _registers(spreads) > MOST_REGISTERS:
            continue
        inner = [f.name for f in facts if f.name != lane.name]
        ordered = {f.name: spreads[f.name] for f in facts}
        for stages, unroll in ((1, 1), (2, 2), (3, 1), (1, 4)):
            yield build(ordered, leads, (*inner, lane.name), stages=stages, unroll=unroll)


def _steps(f: AxisFacts, run: int) -> tuple[Spread, ...]:
    if f.single:
        return ((),)
    if f.fixed and f.number is not None and f.number <= 16 and f.number & (f.number - 1) == 0:
        return (registers(f.number, run),)
    if not f.reduced and not f.led and f.extent is not None:
        return ((("grid", None),),)
    if f.led and f.reduced and f.contiguous:
        width = min(max(f.unit, 4), run, 16 // f.word)
        return (_LOOP, (*_LOOP, ("reg", width)))
    if f.reduced and not f.led:
        return (_LOOP, (*_LOOP, ("reg", min(4, run))))
    return (_LOOP,)


def _registers(spreads: dict[str, Spread]) -> int:
    total = 1
    for spread in spreads.values():
        for role, extent in spread:
            total *= (extent or 1) if role == "reg" else 1
    return total


def single_schedule(
    target: Target, facts: tuple[AxisFacts, ...], leads: tuple[Lead, ...]
) -> Schedule:
    """Return the schedule in which all threads of a program do the same: for single values."""
    spreads: dict[str, Spread] = {f.name: (("loop", None),) for f in facts}
    return build(spreads, leads, (), threads=target.lanes)
