"""Arrays that somebody else made, taken as a table once they are found sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hastec.arrays import Array, arange, cast, first_true, holds_any, same, solid
from hastec.diag import InternalError
from hastec.levels import keys
from hastec.levels.assemble import dim_coords, read, unpack
from hastec.levels.assembled import Assembled, value_side
from hastec.levels.checking import Checking
from hastec.levels.faults import fault, place
from hastec.levels.packed import Packed, PackedPart
from hastec.levels.protocol import Layout, Level
from hastec.levels.unpacking import Unpacking


def adopt(
    layouts: tuple[Layout, ...],
    given: Sequence[Mapping[str, Array]],
    sizes: Mapping[str, int],
    labels: Mapping[str, str],
) -> tuple[Packed, bool]:
    """Return a table made of given arrays, and whether kernels can read them as they are.

    They can if coordinates ascend and every position holds an entry: what stands in padding or in
    fillers is read by kernels and belongs to nobody here, so such a table is to be packed again.

    ``given`` has one mapping a part, with the names levels and codes use; ``labels`` says what
    users call them. Every array is checked before anything indexes with it: TableError HST4xxx
    names the array, the rule and the first place that breaks it. Index arrays may be of either
    integer type; they are converted to the one kernels read. Arrays that are not contiguous or not
    aligned are copied, all others are taken as they are.
    """
    if len(given) != len(layouts):
        raise InternalError(f"{len(layouts)} parts, arrays of {len(given)}")
    parts, sorted_ = [], True
    for layout, arrays in zip(layouts, given, strict=True):
        part, ascends = _adopt_part(layout, arrays, sizes, labels)
        parts.append(part)
        sorted_ = sorted_ and ascends
    packed = Packed(tuple(parts))
    if len(parts) > 1:
        _check_disjoint(packed, sizes)
    return packed, sorted_


def _check_disjoint(packed: Packed, sizes: Mapping[str, int]) -> None:
    """Check that no two parts hold the same coordinate."""
    entries = unpack(packed, sizes)
    order = keys.order(entries.coords, entries.shape) if entries.count else None
    table = packed.parts[0].layout.table
    check_twice(table, entries.coords, entries.coords, order)


def _adopt_part(
    layout: Layout, given: Mapping[str, Array], sizes: Mapping[str, int], labels: Mapping[str, str]
) -> tuple[PackedPart, bool]:
    _check_names(layout, given, labels)
    like = given["val"] if "val" in given else next(iter(given.values()))
    at = Checking(layout, dict(sizes), like, 0, given=given, labels=labels)
    for level in layout.levels:
        if not isinstance(level, Assembled):
            raise InternalError(f"level {level.spec} of {layout.table} cannot be checked")
        level.check(at)
    value_side(layout.values).check(at)
    arrays = {name: solid(cast(given[name], kind)) for name, kind in _kinds(layout)}
    slots = at.positions(len(layout.levels) - 1)
    part = PackedPart(layout, arrays, at.numbers, slots, slots)
    if not at.unsure and at.unsorted < 0 and not any(_partly(lv) for lv in layout.levels):
        return part, True
    walk = read(part, sizes)
    ascends = _read_well(walk)
    found = PackedPart(layout, arrays, at.numbers, walk.length, slots)
    return found, ascends and walk.length == slots


def _check_names(layout: Layout, given: Mapping[str, Array], labels: Mapping[str, str]) -> None:
    known = [labels.get(name, name) for name, _ in _kinds(layout)]
    found = [labels.get(name, name) for name in given]
    for name in (*known, *found):
        if name not in found or name not in known:
            what = "is missing" if name in known else "is no component of this table"
            advice = f"its components are {', '.join(known)}"
            raise fault("HST4009", layout.table, f"{name} {what}", advice)


def _kinds(layout: Layout) -> list[tuple[str, str]]:
    """Return the arrays kernels read and the type of each."""
    stored = [array for level in layout.levels for array in level.arrays()]
    return [(a.name, a.dtype.numpy) for a in (*stored, *layout.values.arrays(layout))]


def _read_well(walk: Unpacking) -> bool:
    """Check coordinates that were read; return whether they ascend."""
    layout = walk.layout
    coords = [walk.coords[level.number] for level in layout.levels]
    for level, coord in zip(layout.levels, coords, strict=True):
        at = first_true((coord < 0) | (coord >= walk.span(level.number)))
        if at >= 0:
            where = place(tuple(int(c[at].tolist()) for c in coords[: level.number + 1]))
            rule = f"level {level.spec} leads to {where}, past its {walk.span(level.number)}"
            raise fault("HST4012", layout.table, rule, "remove it, or correct the shape")
    spans = [walk.span(level.number) for level in layout.levels]
    order = keys.order(coords, spans) if walk.length else None
    check_twice(walk.layout.table, coords, dim_coords(walk), order)
    return _inside(walk) and (order is None or same(order, arange(walk.length, walk.like)))


def _partly(level: Level) -> bool:
    """Whether a level stores remainders one by one: with quotients above, any could go too far."""
    return level.spec.coord.op == "%" and not level.facts.full


def _inside(walk: Unpacking) -> bool:
    """Whether quotients and stored remainders, put together, lie within their dimension.

    A group at the end of a table may have to store some that do not; they belong to nobody.
    """
    layout = walk.layout
    parted = {level.spec.coord.dim for level in layout.levels if _partly(level)}
    found = zip(layout.dims, dim_coords(walk), walk.shape(), strict=True)
    return not any(holds_any(coord >= size) for dim, coord, size in found if dim in parted)


def check_twice(
    table: str, coords: Sequence[Array], shown: Sequence[Array], order: Array | None
) -> None:
    """Check that no two entries agree in ``coords``, which ``order`` sorts (None: sorted).

    TableError HST4014 names the entry by the coordinates ``shown``.
    """
    equal: Array | None = None
    for coord in coords:
        found = coord if order is None else coord[order]
        here = found[1:].eq(found[:-1])
        equal = here if equal is None else equal & here
    at = first_true(equal) if equal is not None else -1
    if at >= 0:
        entry = at if order is None else int(order[at].tolist())
        where = place(tuple(int(c[entry].tolist()) for c in shown))
        advice = "sum duplicates first, as coalesce() does"
        raise fault("HST4014", table, f"coordinate {where} occurs twice", advice)
