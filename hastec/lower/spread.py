"""Builds schedules from what each axis is spread over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from hastec.ir.graph import NodeId
from hastec.ir.kernel import Digit, Role
from hastec.ir.schedule import Axis, Lead, Schedule

Place: TypeAlias = tuple[Role, int | None]
"""A role and the number of values a digit takes there (None: as many as it takes)."""

Spread: TypeAlias = tuple[Place, ...]
"""The digits of one axis, outermost first."""

_SUFFIX: dict[Role, str] = {
    "grid": "prog",
    "loop": "step",
    "thread": "lane",
    "reg": "reg",
    "block": "tile",
}


def build(
    spreads: Mapping[str, Spread],
    leads: tuple[Lead, ...],
    order: tuple[str, ...],
    dots: tuple[NodeId, ...] = (),
    early: tuple[NodeId, ...] = (),
    stages: int = 1,
    threads: int | None = None,
    unroll: int = 1,
) -> Schedule:
    """Return the schedule in which axis ``a`` is spread over ``spreads[a]``.

    Neighbours along the axis take neighbouring values of its last digit. ``order`` lists axes
    from the slowest thread digit to the fastest (those not listed come first), and is the order
    of register and block digits too. ``threads`` is the size of a program whose digits are tiles.
    """
    names = [a for a in spreads if a not in order] + [a for a in order if a in spreads]
    strides = _thread_strides(spreads, names)
    digits: list[Digit] = []
    axes: list[Axis] = []
    for name in names:
        parts: list[tuple[str, int]] = []
        mine: list[Digit] = []
        stride = 1
        for n, (role, extent) in reversed(list(enumerate(spreads[name]))):
            digit = _name(name, role, n, spreads[name])
            mine.append(Digit(digit, role, extent, strides.get((name, n), 1)))
            parts.append((digit, stride))
            stride *= extent or 1
        axes.append(Axis(name, tuple(reversed(parts))))
        digits += reversed(mine)
    total = 1
    for digit_ in digits:
        total *= (digit_.extent or 1) if digit_.role == "thread" else 1
    ordered = tuple(d for role in _SUFFIX for d in digits if d.role == role)
    return Schedule(ordered, tuple(axes), leads, dots, early, stages, threads or total, unroll)


def in_turns(schedule: Schedule, name: str) -> Schedule:
    """Return the schedule whose reductions take an axis's coordinates in registers in turns."""
    axis = schedule.axis(name)
    mine = {digit for digit, _ in axis.digits} if axis is not None else set[str]()
    turns = (d.name for d in schedule.digits if d.role == "reg" and d.name in mine)
    return replace(schedule, turns=tuple(turns))


def _thread_strides(spreads: Mapping[str, Spread], names: list[str]) -> dict[tuple[str, int], int]:
    stride, found = 1, {}
    for name in reversed(names):
        for n, (role, extent) in reversed(list(enumerate(spreads[name]))):
            if role == "thread":
                found[name, n] = stride
                stride *= extent or 1
    return found


def _name(axis: str, role: Role, position: int, spread: Spread) -> str:
    stem = re.sub(r"\W", "_", axis)
    same = [n for n, (r, _) in enumerate(spread) if r == role]
    mark = "" if len(same) == 1 else str(same.index(position))
    return f"{stem}_{_SUFFIX[role]}{mark}"
