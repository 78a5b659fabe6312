"""A format bound to a table: levels made, extents known, every position given its place.

The default storage order is the levels' own, with two exceptions: a padded fibre stands next to
its group, before the levels between (so a sliced ELL stores columns of slices); and where such a
fibre comes in whole units, the places within a unit are innermost.
"""

from __future__ import annotations

from dataclasses import replace
from math import lcm

from hastec.ir.format import CodeSpec, Coord, Digit, Format, LevelSpec, Part
from hastec.ir.types import DType
from hastec.levels import structure
from hastec.levels.assembled import AssembledValue
from hastec.levels.placement import check_order
from hastec.levels.protocol import Layout, Level
from hastec.levels.registry import Registry
from hastec.levels.structure import wrong
from hastec.sym.size import Size


def bind_format(
    fmt: Format,
    table: str,
    dtype: DType,
    shape: tuple[Size, ...],
    registry: Registry,
    fill: float = 0.0,
) -> tuple[Layout, ...]:
    """Return one layout for each part of ``fmt``, bound to a table of ``shape``.

    Dimensions in front of those the format names become dense levels. A single part keeps the
    table's name; several are called ``table.p0``, ``table.p1`` … Raises HasteError HST45xx where
    levels, codes, the storage order or the number of dimensions cannot work.
    """
    lead = len(shape) - len(fmt.dims)
    if lead < 0:
        raise wrong(
            "HST4507",
            f"format {fmt.name} stores {len(fmt.dims)} dimensions, table {table} has {len(shape)}",
            f"give {table} {len(fmt.dims)} dimensions, or use a format of fewer",
        )
    dims = (*_fresh(lead, fmt.dims), *fmt.dims)
    names = [table] if len(fmt.parts) == 1 else [f"{table}.p{n}" for n in range(len(fmt.parts))]
    return tuple(
        _bind_part(_led(part, dims[:lead]), name, dtype, dims, shape, registry, fill)
        for part, name in zip(fmt.parts, names, strict=True)
    )


def _fresh(count: int, taken: tuple[str, ...]) -> tuple[str, ...]:
    """Return names for leading dimensions that the format does not use."""
    free = (f"d{n}" for n in range(count + len(taken)) if f"d{n}" not in taken)
    return tuple(next(free) for _ in range(count))


def _led(part: Part, dims: tuple[str, ...]) -> Part:
    """Return the part with a dense level in front for each of ``dims``."""
    levels = tuple(LevelSpec("dense", Coord(dim)) for dim in dims)
    shifted = tuple(replace(d, level=d.level + len(dims)) for d in part.order)
    order = (*(Digit(n) for n in range(len(dims))), *shifted) if part.order else ()
    return replace(part, levels=(*levels, *part.levels), order=order)


def _bind_part(
    part: Part,
    table: str,
    dtype: DType,
    dims: tuple[str, ...],
    shape: tuple[Size, ...],
    registry: Registry,
    fill: float,
) -> Layout:
    structure.check_coverage(part, dims)
    values = _value_code(part.values, dtype, registry)
    part = _gathered(part, values, dims, shape)
    index = structure.known(registry.index, part.index.name, "index code")(part.index)
    levels = tuple(
        structure.known(registry.levels, spec.kind, "level")(spec, n, index)
        for n, spec in enumerate(part.levels)
    )
    structure.check_nesting(levels)
    spans = tuple(structure.span(level.spec.coord, dims, shape) for level in levels)
    extents = tuple(lv.extent(s, table) for lv, s in zip(levels, spans, strict=True))
    order = part.order or default_order(levels)
    layout = Layout(table, dtype, dims, shape, levels, extents, order, values, fill)
    check_order(layout)
    structure.check_values(layout)
    return layout


def default_order(levels: tuple[Level, ...]) -> tuple[Digit, ...]:
    """Return the storage order of levels for which none was given."""
    order: list[Digit] = []
    for number, level in enumerate(levels):
        if level.facts.single:
            continue
        at = _after_group(order, levels, number)
        unit = level.facts.unit
        if at == len(order) or unit == 1:
            order.insert(at, Digit(number))
        else:
            order.insert(at, Digit(number, unit))
            order.append(Digit(number, 1, unit))
    return tuple(order)


def _after_group(order: list[Digit], levels: tuple[Level, ...], number: int) -> int:
    """Return where in ``order`` a level belongs: after its group, else at the end."""
    group = structure.group_of(levels, number)
    inside = [n for n, digit in enumerate(order) if digit.level <= group]
    return inside[-1] + 1 if inside and group < number - 1 else len(order)


def _value_code(spec: CodeSpec, dtype: DType, registry: Registry) -> AssembledValue:
    return structure.known(registry.values, spec.name, "value code")(spec, dtype)


def _whole(size: Size, unit: int) -> bool:
    return (size % unit).constant == 0


def _gathered(
    part: Part, values: AssembledValue, dims: tuple[str, ...], shape: tuple[Size, ...]
) -> Part:
    """Return the part with its last level in whole units of the value code.

    A dense last level is split in two, which pads it; any other is told through ``unit``.
    """
    unit = values.unit
    if unit == 1 or not part.levels:
        return part
    last = part.levels[-1]
    if last.kind != "dense":
        options = tuple(o for o in last.options if o[0] != "unit")
        whole = lcm(unit, last.number("unit", 1))
        spec = replace(last, options=(*options, ("unit", whole)))
        return replace(part, levels=(*part.levels[:-1], spec))
    if last.coord.op or part.order or _whole(structure.span(last.coord, dims, shape), unit):
        return part
    pair = (
        replace(last, coord=Coord(last.coord.dim, "/", unit)),
        replace(last, coord=Coord(last.coord.dim, "%", unit)),
    )
    return replace(part, levels=(*part.levels[:-1], *pair))
