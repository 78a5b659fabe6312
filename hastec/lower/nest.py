"""Opens the loops of a nest: places free ranks by their digits, led ranks by walking a table."""

from __future__ import annotations

from contextlib import ExitStack

from hastec.ir.format import Coord
from hastec.ir.graph import Access, Const, Index, NodeId, Present, SizeOf
from hastec.ir.index import Form
from hastec.ir.kernel import Requirement, Value
from hastec.ir.schedule import Axis, Lead
from hastec.ir.types import I32
from hastec.levels.protocol import Cursor, Layout, Sized, Walked
from hastec.lower import evaluate as ev
from hastec.lower import radix, tables
from hastec.lower.context import Context, Nest, Path
from hastec.lower.leads import axis_name
from hastec.lower.work import Refused
from hastec.sym.size import Size


def place(c: Context, ranks: tuple[str, ...], nest: Nest, stack: ExitStack) -> None:
    """Place ``ranks``: give each a coordinate and a mask, opening the loops that takes."""
    led = {r: lead for lead in c.schedule.leads for r in lead.ranks}
    left = [r for r in ranks if r not in c.coords]
    while left:
        rank = next((r for r in left if _placed(c, r, led.get(r), ranks, nest, stack)), None)
        if rank is None:
            raise Refused(f"rank {left[0]} cannot be walked before the ranks above it are placed")
        left = [r for r in left if r not in c.coords]
    nest.ranks += ranks


def _placed(
    c: Context,
    rank: str,
    lead: Lead | None,
    ranks: tuple[str, ...],
    nest: Nest,
    stack: ExitStack,
) -> bool:
    """Place a rank if what it depends on is placed; return whether it is now."""
    needs = {r for b in c.work.bounds(rank) for r in c.work.nodes[b].ranks}
    if not needs <= set(c.coords):
        return False
    if lead is None:
        _free(c, rank, nest, stack)
    else:
        _advance(c, lead, ranks, nest, stack)
    return rank in c.coords


# ------------------------------------------------------------------------------------- free ranks
def _free(c: Context, rank: str, nest: Nest, stack: ExitStack) -> None:
    k = c.k
    axis = c.schedule.axis(rank)
    if axis is None:
        raise Refused(f"the schedule does not spread rank {rank}")
    lo, hi = (ev.subscript(c, b) for b in c.work.bounds(rank))
    count = _within_extent(c, rank, lo, hi - lo)
    loop, tile = radix.split(c, axis)
    exact = _covers(c, axis, tile, count)
    if loop is not None:
        unit = tile if axis.exact else 1 if count.terms else k.divisor(count)
        exact = _open(c, axis, loop, tile, k.value(count), unit, nest, stack)
    ordinal = _ordinal(c, axis, nest)
    c.coords[rank] = lo + ordinal
    if exact:
        c.inside[rank] = ()
        return
    at = k.named(k.value(ordinal), rank)
    c.inside[rank] = (k.apply("lt", at, k.value(count), hint=f"{rank}_in"),)


def _within_extent(c: Context, rank: str, lo: Form, count: Form) -> Form:
    """Return a length that no coordinate past the end of an outer axis can make too long.

    A range may end at another index; tiles of that index may reach past its own end, and what
    they hold there is thrown away, but reads along this range are shared with the others.
    """
    k, extent = c.k, c.work.ranks[rank].extent
    needs = {r for b in c.work.bounds(rank) for r in c.work.nodes[b].ranks}
    if extent is None or not count.terms or not any(c.inside.get(r) for r in needs):
        return count
    return k.form(k.apply("min", k.value(count), k.value(Form.of(extent) - lo)))


def _covers(c: Context, axis: Axis, tile: int, count: Form) -> bool:
    """Whether digits that are no loop take exactly the values below ``count``."""
    roles = {d.role for d in radix.digits(c, axis)}
    if axis.exact:
        _require(c, axis, tile, count)
    if "loop" in roles:
        return False
    if "grid" in roles:
        if (tile == 1 and not count.terms) or axis.exact:
            return True
        return not count.terms and c.k.divides(tile, count.const)
    if count.terms:
        raise Refused(f"axis {axis} cannot hold a range known at run time only")
    if count.constant is None:
        if not axis.exact:
            c.k.requires[Requirement(count.const, tile)] = None
        return axis.exact
    elif count.constant > tile:
        raise Refused(f"axis {axis} is shorter than its range")
    return count.constant == tile


def _require(c: Context, axis: Axis, tile: int, count: Form) -> None:
    """Have a launch check that an axis is exactly as long as its digits say."""
    if count.terms:
        raise Refused(f"axis {axis} cannot be exact: its range is known at run time only")
    roles = {d.role for d in radix.digits(c, axis)}
    if roles & {"loop", "grid"}:
        need = Requirement(count.const, step=tile)
    else:
        need = Requirement(count.const, tile, tile)
    if count.constant is not None and not need.holds({}):
        raise Refused(f"axis {axis} does not have exactly as many values as its digits")
    if count.constant is None and need != Requirement(count.const):
        c.k.requires[need] = None


def _ordinal(c: Context, axis: Axis, nest: Nest) -> Form:
    total = Form.of(0)
    for name, stride in axis.digits:
        total = total + c.k.form(c.k.coord(name)) * stride
        if c.schedule.digit(name).role in ("thread", "reg", "block"):
            nest.tile[name] = None
    return total


def _open(
    c: Context,
    axis: Axis,
    loop: str,
    step: int,
    count: Value,
    unit: int,
    nest: Nest,
    stack: ExitStack,
) -> bool:
    """Open the loop of an axis that advances by ``step``; return whether it ends exactly.

    Of programs that share the axis each makes the iterations of which it has a part: what does not
    vary within an iteration may be read unasked.
    """
    k = c.k
    trips = count
    exact = unit % step == 0
    if step > 1:
        if not exact:
            count = k.apply("add", count, k.const(step - 1, count.dtype))
            mine = radix.own(c, axis)
            if mine is not None:
                exact = unit % mine[1] == 0
                most = count.bounds or c.k.size_bound
                count = k.bounded(k.apply("sub", count, mine[0]), (0, most[1]))
        trips = k.apply("div", count, k.const(step, count.dtype))
    if trips.digits:
        trips, exact = k.reduce("max", trips, trips.digits), False
    if nest.replay and loop in k.loops:
        return exact
    opened = k.loop(loop, k.const(0, trips.dtype), trips)
    nest.loops.append(stack.enter_context(opened))
    return exact


# -------------------------------------------------------------------------------------- led ranks
def path_of(c: Context, access: NodeId) -> Path:
    """Return the path of a leading access, started where nothing is placed."""
    key = c.key_of(access)
    if key not in c.paths:
        op = c.work.nodes[access].op
        assert isinstance(op, Access | Present)
        part = c.part.get(access)
        layouts = c.work.layouts[op.table]
        layout = tables.whole(c, op.table) if part is None else layouts[part]
        c.paths[key] = Path(Cursor(c.k, layout), access)
    return c.paths[key]


def _advance(
    c: Context, lead: Lead, allowed: tuple[str, ...], nest: Nest, stack: ExitStack
) -> None:
    """Place the levels of a leading table as far as the ranks that may be placed reach."""
    path = path_of(c, lead.access)
    op = c.work.nodes[lead.access].op
    assert isinstance(op, Access | Present)
    layout = path.cursor.layout
    while path.level < len(layout.levels):
        number = path.level
        dim = layout.levels[number].spec.coord.dim
        at = c.work.nodes[op.subs[layout.dims.index(dim)]]
        if isinstance(at.op, Index) and at.op.rank in lead.ranks:
            if at.op.rank not in allowed:
                return
            _walk(c, path, number, nest, stack)
            if number == layout.find(dim)[-1]:
                _finish(c, path, dim, at.op.rank)
        elif set(at.ranks) <= set(c.coords):
            _locate(c, path, number, op.subs)
        else:
            return
        path.level += 1


def _locate(c: Context, path: Path, number: int, subs: tuple[NodeId, ...]) -> None:
    cursor = path.cursor
    level = tables.locatable(cursor.layout, number)
    tables.guard(c, cursor, number, subs)
    step = level.locate(cursor, tables.coordinate(c, cursor.layout, number, subs))
    cursor.note(step)
    cursor.restrict(step.stored)
    path.coords[number] = step.coord
    path.present = c.k.conj((path.present, step.present))


def _walk(c: Context, path: Path, number: int, nest: Nest, stack: ExitStack) -> None:
    k, cursor = c.k, path.cursor
    level = cursor.layout.levels[number]
    if not isinstance(level, Walked) or not isinstance(level, Sized):
        raise Refused(f"level {level.spec} of {cursor.layout.table} cannot be walked")
    leads = c.schedule.leads
    lead = next(x for x in leads if x.access == path.access)
    name = axis_name(c.work, leads, lead, cursor.layout, number)
    axis = c.schedule.axis(name)
    if axis is None:
        raise Refused(f"the schedule does not spread level {name}")
    count = k.value(level.size(cursor))
    loop, step_by = radix.split(c, axis)
    if loop is not None:
        extent = cursor.layout.extents[number]
        unit = level.facts.unit if extent is None else k.divisor(Form.of(extent))
        if axis.exact:
            unit = step_by
            _require(c, axis, step_by, Form.of(_known(extent, axis)))
        exact = _open(c, axis, loop, step_by, count, unit, nest, stack)
    else:
        exact = _fits(c, cursor.layout, number, axis, step_by)
    if exact:
        cursor.exact.add(number)
    ordinal = _ordinal(c, axis, nest)
    if level.facts.sequential:
        if nest.replay:
            raise Refused(f"level {level.spec} of {cursor.layout.table} is read in order, once")
        _carry(c, path, number, ordinal, nest)
    step = level.walk(cursor, ordinal)
    cursor.note(step)
    cursor.restrict(step.inside)
    if number + 1 < len(cursor.layout.levels):
        # Below a position that holds nothing there is nothing to read either.
        cursor.restrict(step.stored)
    path.stored = k.conj((path.stored, step.stored))
    path.present = k.conj((path.present, step.present))
    path.coords[number] = _bounded(c, level.spec.coord, step.coord)


def _bounded(c: Context, coord: Coord, form: Form) -> Form:
    """Return a coordinate about which it is known that a remainder stays below its divisor."""
    if coord.op == "%" and form.single is not None:
        c.k.bounded(c.k.values[form.single], (0, coord.by - 1))
    return form


def _fits(c: Context, layout: Layout, number: int, axis: Axis, span: int) -> bool:
    """Whether digits that are no loop cover a level exactly; Refused if they cannot cover it."""
    extent = layout.extents[number]
    grid = any(d.role == "grid" for d in radix.digits(c, axis))
    if extent is None:
        raise Refused(f"axis {axis} cannot hold fibres whose length is known at run time only")
    constant = extent.constant
    if axis.exact:
        _require(c, axis, span, Form.of(extent))
        return True
    if grid:
        return span == 1 or c.k.divides(span, extent)
    if constant is None:
        c.k.requires[Requirement(extent, span)] = None
        return False
    if constant > span:
        raise Refused(f"axis {axis} is shorter than its level")
    return constant == span


def _known(extent: Size | None, axis: Axis) -> Size:
    if extent is None:
        raise Refused(f"axis {axis} cannot be exact: fibres have lengths of their own")
    return extent


def _carry(c: Context, path: Path, number: int, ordinal: Form, nest: Nest) -> None:
    """Give a sequential code its running state, carried by the loop of its level.

    It varies with everything that tells one fibre from another: what is placed of the table, but
    for the register digit the code itself sums over.
    """
    k, cursor = c.k, path.cursor
    zero = k.const(0, I32)
    if not nest.loops:
        cursor.carries[number] = zero
        return
    forms = (ordinal, *cursor.ordinals.values(), *cursor.starts.values())
    spread = k.digits_of(*(k.values[v] for f in forms for v, _ in f.terms), *cursor.masks)
    own = {d for v, _ in ordinal.terms for d in k.values[v].digits if k.digits[d].role == "reg"}
    spread = tuple(d for d in spread if d not in own)
    cursor.carries[number] = k.carry(nest.loops[-1], zero, spread, hint="col")


def close_codes(c: Context, nest: Nest) -> None:
    """Hand the state of sequential codes on to the next iteration, before loops are left."""
    for path in c.paths.values():
        for number, after in path.cursor.advanced.items():
            before = path.cursor.carries[number]
            for loop in nest.loops:
                if any(state[1].id == before.id for state in loop.states):
                    c.k.update(loop, before, after)


def _finish(c: Context, path: Path, dim: str, rank: str) -> None:
    """Put a dimension's coordinate together once all its levels are placed."""
    k, layout = c.k, path.cursor.layout
    levels = layout.find(dim)
    total = Form.of(0)
    for number in levels:
        coord = layout.levels[number].spec.coord
        total = total + path.coords[number] * (coord.by if coord.op == "/" else 1)
    masks = list(path.cursor.masks)
    lo, hi = c.work.bounds(rank)
    size = layout.shape[layout.dims.index(dim)]
    if not _divides(c, layout, levels, size):
        # On its own: bounds may vary where the coordinate does not, and guard no read of it there.
        at = k.named(k.value(total), rank)
        masks.append(k.apply("lt", at, k.scalar(size), hint=f"{rank}_in"))
    if not _is(c, lo, Size()):
        masks.append(k.apply("ge", k.value(total), k.value(ev.subscript(c, lo))))
    if not _is(c, hi, size):
        masks.append(k.apply("lt", k.value(total), k.value(ev.subscript(c, hi))))
    c.coords[rank] = total
    c.inside[rank] = tuple(dict.fromkeys(masks))


def _divides(c: Context, layout: Layout, levels: tuple[int, ...], size: Size) -> bool:
    """Whether quotient and remainder levels cannot reach past the end of the dimension."""
    found = [layout.levels[n] for n in levels]
    if any(lv.spec.coord.op == "%" and lv.facts.real for lv in found):
        return True
    by = [lv.spec.coord.by for lv in found if lv.spec.coord.op == "/"]
    return all(_multiple(c, size, b) for b in by)


def _multiple(c: Context, size: Size, by: int) -> bool:
    if size.constant is not None:
        return size.constant % by == 0
    return by & (by - 1) == 0 and c.k.divides(by, size)


def _is(c: Context, node: NodeId, value: Size) -> bool:
    op = c.work.nodes[node].op
    if isinstance(op, Const):
        return op.value == value.constant
    return isinstance(op, SizeOf) and op.size == value
