"""How the digits of one axis lie: which loops, which are spread, which part a program has."""

from __future__ import annotations

from hastec.ir.kernel import Digit, Value
from hastec.ir.schedule import Axis
from hastec.lower.context import Context


def split(c: Context, axis: Axis) -> tuple[str | None, int]:
    """Return the loop digit of an axis and what it steps by.

    Without one: what a grid digit steps by, or else what all digits span.
    """
    loop, step = None, None
    for name, stride in axis.digits:
        at = c.schedule.digit(name)
        if at.role == "loop":
            loop, step = name, stride
        elif at.role == "grid" and at.extent is None and step is None:
            step = stride
    return loop, step if step is not None else span(c, axis)


def digits(c: Context, axis: Axis) -> tuple[Digit, ...]:
    """Return the digits of an axis; programs that share a sum in a fixed number are like lanes."""
    found = (c.schedule.digit(name) for name, _ in axis.digits)
    return tuple(d for d in found if d.role != "grid" or d.extent is None)


def span(c: Context, axis: Axis) -> int:
    """Return how many values the digits of an axis take, those without an extent left out."""
    total = 1
    for name, _ in axis.digits:
        total *= c.schedule.digit(name).extent or 1
    return total


def own(c: Context, axis: Axis) -> tuple[Value, int] | None:
    """Return where the part of this program starts among those that share an axis, and how long a
    part is; None if none share it.
    """
    for name, stride in axis.digits:
        at = c.schedule.digit(name)
        if at.role == "grid" and at.extent is not None:
            return c.k.value(c.k.form(c.k.coord(name)) * stride), stride
    return None
