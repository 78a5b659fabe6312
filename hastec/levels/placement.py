"""Storage orders: which digits make which address, and which orders can be addressed at all."""

from __future__ import annotations

from itertools import pairwise

from hastec.ir.format import Digit
from hastec.levels.protocol import Layout
from hastec.levels.structure import wrong


def check_order(layout: Layout) -> None:
    """Check a storage order; HasteError HST4505 says which digit cannot stand where it does."""
    for number, level in enumerate(layout.levels):
        mine = [d for d in layout.order if d.level == number]
        digits = sorted(mine, key=lambda digit: -digit.div)
        if level.facts.single:
            if digits:
                raise _refused(layout, f"level {level.spec} has one position, so it has no digit")
        elif not _complete(layout, number, digits):
            raise _refused(layout, f"its digits do not spell out level {level.spec}")
    for at, digit in enumerate(layout.order):
        if not 0 <= digit.level < len(layout.levels):
            raise _refused(layout, f"there is no level {digit.level}")
        _check_fibre(layout, at, digit)


def _complete(layout: Layout, number: int, digits: list[Digit]) -> bool:
    """Whether digits are the places of one number, the highest first."""
    if not digits or digits[-1].div != 1:
        return False
    top, extent = digits[0], layout.extents[number]
    whole = extent is not None and extent.constant == top.div * top.extent
    below = pairwise(digits)
    return (top.extent == 0 or whole) and all(
        low.extent > 0 and low.div * low.extent == high.div for high, low in below
    )


def _check_fibre(layout: Layout, at: int, digit: Digit) -> None:
    """Check a digit whose address is read from memory: it replaces what stands to its left."""
    level = layout.levels[digit.level]
    read = level.facts.ranked or (layout.extents[digit.level] is None and digit.extent == 0)
    if not read:
        return
    left = {d.level for d in layout.order[:at]}
    if any(n >= digit.level for n in left):
        raise _refused(layout, f"inner levels stand in front of level {level.spec}")
    beside = {d.level for d in layout.order} - left - set(range(digit.level, len(layout.levels)))
    if beside and not level.facts.uniform:
        other = layout.levels[min(beside)].spec
        raise _refused(
            layout, f"fibres of {level.spec} differ in length, so {other} cannot lie inside them"
        )
    if layout.levels[digit.level].facts.unit % digit.div:
        raise _refused(layout, f"fibres of {level.spec} do not come in units of {digit.div}")


def _refused(layout: Layout, why: str) -> Exception:
    order = ", ".join(str(d) for d in layout.order)
    return wrong(
        "HST4505",
        f"{layout.table} cannot be stored in the order [{order}]: {why}",
        "store what a level reads from memory after the levels above it, or leave the order out",
    )


def position_digits(layout: Layout, level: int) -> tuple[Digit, ...]:
    """Return the digits of a position of ``level``: its own and those of levels above."""
    return tuple(d for d in layout.order if d.level <= level)


def group_digits(layout: Layout, level: int) -> tuple[Digit, ...]:
    """Return the digits that number the groups of fibres of ``level``."""
    digits = position_digits(layout, level)
    own = [n for n, d in enumerate(digits) if d.level == level and d.extent == 0]
    return digits[: own[0]] if own else digits


def fibre_digits(layout: Layout, level: int) -> tuple[Digit, ...]:
    """Return the digits that number the fibres of ``level``."""
    return tuple(d for d in layout.order if d.level < level)


def topmost(layout: Layout, digit: Digit) -> bool:
    """Whether nothing of the same level stands above a digit."""
    return not any(d.level == digit.level and d.div > digit.div for d in layout.order)
