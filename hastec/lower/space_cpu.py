"""Schedules for processors without threads in a program: programs, loops and register digits.

One axis lies along the lanes of vectors. Beside it, short digits hold rows that share what is read
for all of them, or positions of a reduction whose sums are kept apart until its loop ends: a sum
that waits for itself leaves the processor idle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hastec.ir.schedule import Lead, Schedule
from hastec.lower.axes import AxisFacts
from hastec.lower.spread import Spread, build, in_turns
from hastec.lower.work import Work
from hastec.target import Target

MOST_STATES = 28
"""Vectors that hold sums: what is left of 32 registers holds operands."""
MOST_SUMS, MOST_MASKED = 16, 8
"""Vectors that hold sums whose lanes are merged in the end; each with a mask of its own."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """An axis along the lanes, with how many of them, and copies in registers along two others."""

    vector: AxisFacts | None
    lanes: int = 1
    row: AxisFacts | None = None
    rows: int = 1
    position: AxisFacts | None = None
    positions: int = 1
    inner: bool = False
    """Programs next to each other differ in the row, not in the axis along the lanes."""
    turns: bool = False
    """Sums of the rows in registers are formed one after the other."""


def vector_schedules(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], leads: tuple[Lead, ...]
) -> Iterator[Schedule]:
    """Yield schedules: each axis that may be along the lanes, with registers along others."""
    fibres = frozenset(r for x in leads for r in work.nodes[x.access].ranks if r not in x.ranks)
    for shape in _shapes(facts, target, fibres):
        base = {f.name: _plain(f) for f in facts}
        if shape.vector is not None:
            base[shape.vector.name] = _split(shape.vector, shape.lanes)
        if shape.row is not None and shape.rows > 1:
            base[shape.row.name] = _split(shape.row, shape.rows)
        if shape.position is not None and shape.positions > 1:
            base[shape.position.name] = _split(shape.position, shape.positions)
        made = build(base, leads, _order(facts, shape), early=())
        turned = shape.row if shape.turns else None
        yield made if turned is None else in_turns(made, turned.name)


def _order(facts: tuple[AxisFacts, ...], shape: _Shape) -> tuple[str, ...]:
    """Return the axes, those of outer programs first."""
    names = [f.name for f in facts if f is not shape.vector and f is not shape.row]
    row = [shape.row.name] if shape.row is not None else []
    vector = [shape.vector.name] if shape.vector is not None else []
    return (*names, *vector, *row) if shape.inner else (*names, *row, *vector)


def _plain(f: AxisFacts) -> Spread:
    if f.reduced or f.extent is None or f.led:
        return (("loop", None),)
    return (("grid", None),)


def _split(f: AxisFacts, count: int) -> Spread:
    """Return an axis with its innermost ``count`` coordinates in registers."""
    if f.fixed and f.number == count:
        return (("reg", count),)
    return (*_plain(f), ("reg", count))


# ------------------------------------------------------------------------------------------ shapes
def _shapes(
    facts: tuple[AxisFacts, ...], target: Target, fibres: frozenset[str]
) -> Iterator[_Shape]:
    """Yield shapes; along ``fibres``, ranks by name, fibres that are walked differ."""
    for vector in _vectors(facts):
        if vector.reduced or vector.led:
            yield from _along_sum(facts, vector, target)
            yield from _in_turns(facts, vector, target, fibres)
        else:
            yield from _along_output(facts, vector, target)
    yield _Shape(None)


def _vectors(facts: tuple[AxisFacts, ...]) -> tuple[AxisFacts, ...]:
    """Return the axes a vector may run along, those with unit stride first."""
    fits = [f for f in facts if not f.sequential and (f.number is None or f.number > 1)]
    return tuple(sorted(fits, key=lambda f: not f.contiguous))


def _along_output(
    facts: tuple[AxisFacts, ...], vector: AxisFacts, target: Target
) -> Iterator[_Shape]:
    row, position = _row(facts, vector), _position(facts, vector)
    many = row is not None
    for vectors, lanes in _widths(vector, target, (1, 2, 4, 8)):
        if position is None:
            yield _Shape(vector, lanes, row, 1)
            if many and vectors == 1:
                yield _Shape(vector, lanes, row, 4)
            continue
        for positions in (1, 2, 4):
            if vectors * positions <= 8:
                yield _Shape(vector, lanes, row, 1, position, positions)
        for rows in (4, 6, 8) if many and not _walked(facts) else ():
            if vectors * rows <= MOST_STATES:
                # First those whose neighbours share what lies along the lanes: a panel may hold it.
                yield _Shape(vector, lanes, row, rows, inner=True)
                yield _Shape(vector, lanes, row, rows)


def _along_sum(facts: tuple[AxisFacts, ...], vector: AxisFacts, target: Target) -> Iterator[_Shape]:
    row, most = _row(facts, vector), MOST_MASKED if _walked(facts) else MOST_SUMS
    for vectors, lanes in _widths(vector, target, (1, 2, 4)):
        for rows in (1, 4, 8, 16) if row is not None else (1,):
            if rows == 1 or rows * vectors <= most:
                yield _Shape(vector, lanes, row, rows)


def _in_turns(
    facts: tuple[AxisFacts, ...], vector: AxisFacts, target: Target, fibres: frozenset[str]
) -> Iterator[_Shape]:
    """Yield shapes of rows that are walked one after the other: what is done with their sums
    afterwards is done for as many as a vector holds.
    """
    row = _row(facts, vector)
    if row is None or row.name not in fibres:
        return
    for lanes in dict.fromkeys(_lanes(vector, n) for n in (4, target.lanes, 2 * target.lanes)):
        yield _Shape(vector, lanes, row, _lanes(row, target.lanes), turns=True)


def _widths(f: AxisFacts, target: Target, counts: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield numbers of vectors with the lanes they hold, as long as more vectors hold more."""
    last = 0
    for count in counts:
        lanes = _lanes(f, count * target.lanes)
        if lanes > last:
            yield count, lanes
        last = lanes


def _lanes(f: AxisFacts, wanted: int) -> int:
    """Return how many lanes an axis fills of those wanted: a power of two."""
    if f.number is None or f.number >= wanted:
        return wanted
    if f.fixed:
        return f.number
    return 1 << (f.number - 1).bit_length()


def _row(facts: tuple[AxisFacts, ...], vector: AxisFacts) -> AxisFacts | None:
    """Return the innermost output axis beside the vector: rows that share what is read for both."""
    rows = [f for f in facts if not f.reduced and not f.led and f is not vector and f.extent]
    return next((f for f in reversed(rows) if f.number != 1), None)


def _position(facts: tuple[AxisFacts, ...], vector: AxisFacts) -> AxisFacts | None:
    """Return the innermost reduced axis, if it may be walked several positions at a time."""
    sums = [f for f in facts if f.reduced and f is not vector]
    return sums[-1] if sums and not sums[-1].sequential else None


def _walked(facts: tuple[AxisFacts, ...]) -> bool:
    """Whether some fibre is walked: rows differ in its length, and share nothing."""
    return any(f.led for f in facts)
