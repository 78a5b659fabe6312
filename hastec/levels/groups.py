"""Groups of neighbours on the last index that share a scale, and where the scale lies."""

from __future__ import annotations

from hastec.arrays import Array
from hastec.ir.index import Form
from hastec.levels.protocol import Cursor, Layout
from hastec.levels.trail import Trail


def refuse_groups(layout: Layout, group: int) -> str:
    """Return why the scales of a layout have no address, or "".

    ``group`` neighbours lie side by side in the last level; 0: all of a row share a scale.
    """
    if layout.fill != 0:
        return "its fill is not 0"
    if not group:
        rows = [layout.levels[n] for n in row_levels(layout)]
        loose = [lv.spec for lv in rows if not lv.facts.full or lv.facts.ranked]
        return f"a row has no number of its own: {loose[0]} leaves rows out" if loose else ""
    last = layout.levels[-1]
    if last.spec.coord.dim != layout.dims[-1]:
        return f"{last.spec} does not store neighbours on the last index"
    if not last.facts.full or last.facts.ranked:
        return f"{last.spec} does not store neighbours side by side"
    inner = layout.order[-1]
    if inner.level != len(layout.levels) - 1 or inner.div != 1:
        return f"the storage order does not end with {last.spec}"
    return ""


def row_levels(layout: Layout) -> tuple[int, ...]:
    """Return the levels that store all dimensions but the last."""
    return tuple(n for n, lv in enumerate(layout.levels) if lv.spec.coord.dim != layout.dims[-1])


def group_form(at: Cursor, group: int) -> Form:
    """Return the number of the group a position of a kernel is in."""
    if not group:
        return at.over(row_levels(at.layout))
    return at.k.divide(at.position(len(at.layout.levels) - 1), group)[0]


def group_numbers(at: Trail, group: int) -> Array:
    """Return the numbers of the groups positions are in."""
    if not group:
        return at.over(row_levels(at.layout))
    return at.position(len(at.layout.levels) - 1) // group


def group_count(at: Trail, group: int) -> int:
    """Return how many groups there are."""
    if not group:
        return at.all_over(row_levels(at.layout))
    return at.positions(len(at.layout.levels) - 1) // group
