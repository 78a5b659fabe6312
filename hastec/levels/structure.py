"""What levels must have in common to form one table: coverage, nesting, groups and units."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from hastec.diag import Diagnostic, HasteError
from hastec.ir.format import Coord, Part
from hastec.levels.protocol import Layout, Level
from hastec.sym.size import Size

T = TypeVar("T")


def wrong(code: str, message: str, advice: str) -> HasteError:
    """Return the error for a format that cannot be bound."""
    return HasteError(Diagnostic(code, message, help=advice))


def known(makers: Mapping[str, T], name: str, what: str) -> T:
    """Return what ``name`` stands for; HST4501 with the nearest name if it is unknown."""
    if name in makers:
        return makers[name]
    near = difflib.get_close_matches(name, list(makers), 1)
    advice = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(makers)}"
    raise wrong("HST4501", f"no {what} is called '{name}'", advice)


def span(coord: Coord, dims: tuple[str, ...], shape: tuple[Size, ...]) -> Size:
    """Return how many values a level's coordinate can take."""
    size = shape[dims.index(coord.dim)]
    match coord.op:
        case "":
            return size
        case "/":
            return (size + (coord.by - 1)) // coord.by
        case "%":
            return Size.of(coord.by)


def check_coverage(part: Part, dims: tuple[str, ...]) -> None:
    """Check that levels store every dimension once: whole, or as quotient and remainder."""
    for dim in dims:
        coords = [level.coord for level in part.levels if level.coord.dim == dim]
        if not _inverts(coords):
            shown = ", ".join(f"'{c}'" for c in coords) or "nothing"
            raise wrong(
                "HST4502",
                f"dimension '{dim}' cannot be found again from its levels: they store {shown}",
                f"store '{dim}' in one level, or '{dim} / c' and '{dim} % c' in two",
            )
    for level in part.levels:
        if level.coord.dim not in dims:
            raise wrong(
                "HST4502",
                f"level {level} stores '{level.coord.dim}', which is no dimension of the format",
                f"the dimensions are {', '.join(dims)}",
            )


def _inverts(coords: list[Coord]) -> bool:
    if len(coords) == 1:
        return coords[0].op == ""
    ops = sorted(c.op for c in coords)
    return ops == ["%", "/"] and coords[0].by == coords[1].by and coords[0].by >= 1


def check_nesting(levels: tuple[Level, ...]) -> None:
    """Check that a level with one position a fibre stands below one whose coordinates repeat."""
    for number, level in enumerate(levels):
        above = levels[number - 1] if number else None
        chained = above is not None and (above.facts.single or not above.facts.unique)
        if level.facts.single and not chained:
            raise wrong(
                "HST4503",
                f"level {level.spec} must stand below a level whose coordinates may repeat",
                "write compressed(i; unique = 0), singleton(j)",
            )
        below = levels[number + 1] if number + 1 < len(levels) else None
        if not level.facts.unique and (below is None or not below.facts.single):
            raise wrong(
                "HST4503",
                f"coordinates of level {level.spec} may repeat, and nothing tells them apart",
                "put a singleton level below it, or make it unique",
            )


def group_of(levels: tuple[Level, ...], number: int) -> int:
    """Return the level whose positions share one length of the fibres of level ``number``."""
    pad = levels[number].spec.option("pad")
    if pad is None:
        return number - 1
    for group in range(number):
        if levels[group].spec.coord == pad:
            return group
    above = " or ".join(f"'{lv.spec.coord}'" for lv in levels[:number]) or "a level above it"
    raise wrong(
        "HST4504",
        f"level {levels[number].spec} is padded within '{pad}', which no level above it stores",
        f"pad within {above}",
    )


def check_values(layout: Layout) -> None:
    """Check that the value code finds its units of neighbours in this layout."""
    why = layout.values.refuse(layout)
    if not why and not in_units(layout, len(layout.levels) - 1, layout.values.unit):
        why = f"level {layout.levels[-1].spec} does not come in multiples of {layout.values.unit}"
    if why:
        raise wrong(
            "HST4506",
            f"values {layout.values.spec} do not fit {layout.table}: {why}",
            "end the format with dense(j % c), c a multiple of the group, or use another code",
        )


def in_units(layout: Layout, level: int, unit: int) -> bool:
    """Whether every fibre of a level has a multiple of ``unit`` positions."""
    if level < 0:
        return unit == 1
    extent = layout.extents[level]
    if layout.levels[level].facts.unit % unit == 0:
        return True
    return extent is not None and (extent % unit).constant == 0


def alike(one: Layout, other: Layout) -> bool:
    """Whether two layouts store a table of one shape in the same arrays, bit by bit."""
    return (
        len(one.dims) == len(other.dims)
        and one.order == other.order
        and one.values.spec == other.values.spec
        and one.dtype == other.dtype
        and one.fill == other.fill
        and len(one.levels) == len(other.levels)
        and all(_same_level(one, other, n) for n in range(len(one.levels)))
    )


def _same_level(one: Layout, other: Layout, number: int) -> bool:
    mine, theirs = one.levels[number], other.levels[number]
    a, b = mine.spec.coord, theirs.spec.coord
    return (
        mine.spec.kind == theirs.spec.kind
        and one.dims.index(a.dim) == other.dims.index(b.dim)
        and (a.op, a.by) == (b.op, b.by)
        and mine.facts == theirs.facts
        and mine.arrays() == theirs.arrays()
        and _numbers(mine) == _numbers(theirs)
        and getattr(mine, "index", None) == getattr(theirs, "index", None)
    )


def _numbers(level: Level) -> tuple[tuple[str, int], ...]:
    return tuple((name, n) for name, n in level.spec.options if isinstance(n, int))
