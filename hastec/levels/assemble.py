"""Entries into the arrays of a format, and back.

Both directions are exact: values travel as bits, present zeros stay present. What a format holds
beside the entries it was given (the rest of a block, the fill of an n:m group) comes back as
entries that equal the fill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from hastec.arrays import (
    Array,
    arange,
    coordinates,
    count_at,
    differs,
    divided,
    first_true,
    flat,
    full,
    full_like,
    holds_any,
    item,
    nonzero,
    put,
    remainder,
    running,
    shaped,
    take,
)
from hastec.diag import InternalError
from hastec.levels import keys
from hastec.levels.assembled import Assembled, Limited, value_side
from hastec.levels.faults import TableError, fault, place
from hastec.levels.packed import Entries, Packed, PackedPart, joined
from hastec.levels.packing import Packing
from hastec.levels.protocol import Layout, Level
from hastec.levels.room import free_memory
from hastec.levels.unpacking import Unpacking


@dataclass(frozen=True, slots=True)
class Split:
    """Where two parts are joined: the first holds what lies below ``at`` along ``axis``."""

    axis: int
    at: int

    def halves(self, entries: Entries) -> tuple[Entries, Entries]:
        """Return the entries below and above."""
        below = entries.coords[self.axis] < self.at
        return entries.pick(nonzero(below)), entries.pick(nonzero(~below))


def pack(
    layouts: tuple[Layout, ...],
    entries: Entries,
    sizes: Mapping[str, int],
    budget: int | None = None,
    split: Split | None = None,
) -> Packed:
    """Return the table in its format; an entry goes to the first part that has room.

    Two parts joined at a ``split`` each take their side instead. ``sizes`` are those the layouts
    name; ``budget`` bounds the bytes stored (the free memory if None). Raises TableError HST4014
    (a coordinate twice), HST4015 (no room), HST4016 (too many positions), HST4017 (no memory),
    HST4018 (a code cannot hold a coordinate or a value).
    """
    left = free_memory(entries.values.device) if budget is None else budget
    sides = None if split is None else split.halves(entries)
    parts: list[PackedPart] = []
    for number, layout in enumerate(layouts):
        last = sides is not None or number + 1 == len(layouts)
        given = entries if sides is None else sides[number]
        part, entries = _pack_part(layout, given, sizes, left, last)
        left -= part.bytes
        parts.append(part)
    return Packed(tuple(parts))


def _pack_part(
    layout: Layout, entries: Entries, sizes: Mapping[str, int], budget: int, last: bool
) -> tuple[PackedPart, Entries]:
    """Return a packed part and the entries it had no room for."""
    rest: list[Entries] = []
    while True:
        entries, at = _start(layout, entries, sizes, budget)
        stays = _descend(at, last)
        if stays is None:
            break
        rest.append(entries.pick(nonzero(~stays)))
        entries = entries.pick(nonzero(stays))
    value_side(layout.values).encode(at, entries.values)
    slots = at.positions(len(layout.levels) - 1)
    part = PackedPart(layout, at.arrays, at.numbers, entries.count, slots)
    return part, joined(rest, entries.pick(arange(0, entries.values)))


def _start(
    layout: Layout, entries: Entries, sizes: Mapping[str, int], budget: int
) -> tuple[Entries, Packing]:
    """Return the entries in the order of the levels, and the packing that begins with them."""
    at = Packing(layout, dict(sizes), entries.values, entries.count, budget=budget)
    spans = [at.span(level.number) for level in layout.levels]
    order = keys.order(_level_coords(layout, entries), spans) if entries.count else None
    if order is not None:
        entries = entries.pick(order)
    at.coords = _level_coords(layout, entries)
    at.changes = _changes(at.coords)
    twice = first_true(~at.changes[-1]) if at.changes else -1
    if twice >= 0:
        where = place(entries.at(twice))
        advice = "sum duplicates first, as coalesce() does"
        raise fault("HST4014", layout.table, f"coordinate {where} occurs twice", advice)
    at.opens = tuple(at.changes[_chain(layout.levels, n)] for n in range(len(layout.levels)))
    return entries, at


def _level_coords(layout: Layout, entries: Entries) -> tuple[Array, ...]:
    found = []
    for level in layout.levels:
        coord = level.spec.coord
        whole = entries.coords[layout.dims.index(coord.dim)]
        match coord.op:
            case "":
                found.append(whole)
            case "/":
                found.append(divided(whole, coord.by))
            case "%":
                found.append(remainder(whole, coord.by))
    return tuple(found)


def _changes(coords: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return for each level which entries differ from the one before in a coordinate so far."""
    found: list[Array] = []
    for coord in coords:
        new = full(coord.shape[0], True, "bool", coord)
        put(new[1:], arange(max(0, coord.shape[0] - 1), coord), coord[1:].ne(coord[:-1]))
        found.append(new | found[-1] if found else new)
    return tuple(found)


def _chain(levels: tuple[Level, ...], number: int) -> int:
    """Return the last of the levels that share the positions of level ``number``."""
    while number + 1 < len(levels) and levels[number + 1].facts.single:
        number += 1
    return number


def _descend(at: Packing, last: bool) -> Array | None:
    """Pack all levels; or return which entries have room, if not all do and others may follow."""
    for level in at.layout.levels:
        if not isinstance(level, Assembled):
            raise InternalError(f"level {level.spec} of {at.layout.table} cannot be packed")
        stays = level.room(at) if isinstance(level, Limited) else None
        if stays is not None and holds_any(~stays):
            if last:
                raise _no_room(at, level, first_true(~stays))
            return stays
        level.pack(at)
    return None


def _no_room(at: Packing, level: Level, entry: int) -> TableError:
    nodes = at.nodes(level.number)
    fibre = running(nodes.first) - 1
    mine = item(nodes.spread(fibre), entry)
    count = item(count_at(fibre, nodes.count), mine)
    above = tuple(item(at.coords[n], entry) for n in range(level.number))
    return fault(
        "HST4015",
        at.layout.table,
        f"fibre {place(above)} has {count} entries, more than {level.spec} has room for",
        "give it more positions, or add a part that takes the rest: … + csr(i, j)",
    )


# ------------------------------------------------------------------------------------------- back
def unpack(packed: Packed, sizes: Mapping[str, int], split: Split | None = None) -> Entries:
    """Return what a packed table holds, part by part, each in the order of its levels."""
    parts = [_unpack_part(part, sizes) for part in packed.parts]
    if split is not None:
        parts = [split.halves(part)[side] for side, part in enumerate(parts)]
    return joined(parts)


def _unpack_part(part: PackedPart, sizes: Mapping[str, int]) -> Entries:
    walk = read(part, sizes)
    coords = dim_coords(walk)
    inside: Array | None = None
    for coord, size in zip(coords, walk.shape(), strict=True):
        inside = coord < size if inside is None else inside & (coord < size)
    values = value_side(part.layout.values).decode(walk)
    entries = Entries(coords, values, walk.shape())
    return entries if inside is None else entries.pick(nonzero(inside))


def read(part: PackedPart, sizes: Mapping[str, int]) -> Unpacking:
    """Return the positions of a part that hold something, with the coordinates of all levels."""
    numbers = {part.layout.array(name): n for name, n in part.numbers.items()}
    like = next(iter(part.arrays.values()))
    walk = Unpacking(part.layout, {**sizes, **numbers}, like, 1, arrays=part.arrays)
    walk.descend(part.layout.levels)
    return walk


def dim_coords(walk: Unpacking) -> tuple[Array, ...]:
    """Return the coordinates of positions by dimension; some may lie past the last one."""
    layout = walk.layout
    found: dict[str, Array] = {}
    for level in layout.levels:
        coord = level.spec.coord
        mine = walk.coords[level.number] * (coord.by if coord.op == "/" else 1)
        found[coord.dim] = found[coord.dim] + mine if coord.dim in found else mine
    return tuple(found[dim] for dim in layout.dims)


def from_dense(x: Array, fill: float = 0.0) -> Entries:
    """Return the entries of a dense table that differ from ``fill`` (NaN differs from all).

    A table without dimensions always has its one entry.
    """
    if not x.shape:
        return Entries((), flat(x), ())
    coords = coordinates(differs(x, fill))
    index = coords[0]
    for coord, size in zip(coords[1:], x.shape[1:], strict=True):
        index = index * size + coord
    return Entries(coords, take(flat(x), index), tuple(x.shape))


def to_dense(entries: Entries, fill: float = 0.0) -> tuple[Array, Array]:
    """Return a dense table of the entries, ``fill`` elsewhere, and which places hold one."""
    none = arange(entries.count, entries.values)
    index = keys.key(entries.coords, entries.shape) if entries.coords else none
    if index is None:
        raise InternalError("a dense table past 2^63 elements")
    count = prod(entries.shape)
    values = full_like(count, fill, entries.values)
    present = full(count, False, "bool", entries.values)
    put(values, index, entries.values)
    put(present, index, full(entries.count, True, "bool", entries.values))
    return shaped(values, entries.shape), shaped(present, entries.shape)
