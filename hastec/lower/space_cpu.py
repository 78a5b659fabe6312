"""Schedules for processors without threads in a program: programs, loops and one vector digit."""

from __future__ import annotations

from collections.abc import Iterator

from hastec.ir.schedule import Lead, Schedule
from hastec.lower.axes import AxisFacts
from hastec.lower.spread import Spread, build
from hastec.lower.work import Work
from hastec.target import Target


def vector_schedules(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], leads: tuple[Lead, ...]
) -> Iterator[Schedule]:
    """Yield schedules: the vector digit on each axis that may hold one, alone and with rows
    repeated in registers beside it.
    """
    for vector in (*_vectors(facts), None):
        for lanes in _widths(vector, target):
            for rows in (1, 4):
                base = {f.name: _plain(f) for f in facts}
                if vector is not None:
                    base[vector.name] = _vector(vector, lanes)
                row = _row(facts, vector)
                if rows > 1:
                    if row is None:
                        continue
                    base[row.name] = (("grid", None), ("reg", rows))
                names = tuple(f.name for f in facts if f is not vector)
                order = names if vector is None else (*names, vector.name)
                yield build(base, leads, order, early=())


def _vectors(facts: tuple[AxisFacts, ...]) -> tuple[AxisFacts, ...]:
    """Return the axes a vector may run along, those with unit stride first."""
    fits = [f for f in facts if not f.sequential and not (f.fixed and (f.number or 0) < 4)]
    return tuple(sorted(fits, key=lambda f: not f.contiguous))


def _widths(vector: AxisFacts | None, target: Target) -> tuple[int, ...]:
    if vector is None:
        return (1,)
    if vector.fixed and vector.number is not None:
        return (vector.number,) if vector.number <= 4 * target.lanes else (target.lanes,)
    return (target.lanes, 2 * target.lanes)


def _plain(f: AxisFacts) -> Spread:
    if f.reduced or f.extent is None or f.led:
        return (("loop", None),)
    return (("grid", None),)


def _vector(f: AxisFacts, lanes: int) -> Spread:
    if f.fixed and f.number == lanes:
        return (("reg", lanes),)
    return (*_plain(f), ("reg", lanes))


def _row(facts: tuple[AxisFacts, ...], vector: AxisFacts | None) -> AxisFacts | None:
    """Return the innermost output axis beside the vector: rows that share what is read for both."""
    rows = [f for f in facts if not f.reduced and not f.led and f is not vector and f.extent]
    return rows[-1] if rows else None
