"""Lowers a region under a schedule to a kernel: place outputs, reduce, evaluate, store."""

from __future__ import annotations

from hastec.diag.diagnostic import InternalError
from hastec.ir.builder import Builder
from hastec.ir.graph import Access, Define, NodeId, Present, SizeOf
from hastec.ir.index import Form, size_interval
from hastec.ir.kernel import Kernel, Requirement, Table, Value, paced
from hastec.ir.schedule import Axis, Schedule
from hastec.levels.protocol import Cursor, Layout, Located
from hastec.lower import evaluate as ev
from hastec.lower import tables
from hastec.lower.accumulate import reduce_all
from hastec.lower.context import Context, Nest
from hastec.lower.leads import axes_of, axis_name
from hastec.lower.nest import close_codes, place
from hastec.lower.work import Refused, Work
from hastec.sym.size import Size


def lower(work: Work, schedule: Schedule, wide: bool = False) -> Kernel:
    """Return the kernel of a region under a schedule.

    ``wide`` kernels compute offsets in 64 bits; narrow ones may run only where every table has
    fewer than 2^31 elements and every size is at most 2^30. Raises :class:`Refused` if the
    schedule asks for what a level cannot do.
    """
    work = work.with_ones(schedule.ones)
    multiples = {n: by for n, by in schedule.multiples}
    builder = Builder(work.region.name, schedule.digits, schedule.threads, wide, multiples)
    for name in schedule.ones:
        builder.requires[Requirement(Size.of(name), 1, 1)] = None
    grid = _grid(work, schedule)
    c = Context(work, schedule, builder, grid=grid)
    for digit, size in grid:
        lo, hi = size_interval(size, builder.size_bound)
        builder.coord(digit, (0, max(0, hi - 1, lo - 1)))
    nest = Nest()
    with c.rest as stack:
        bounds = tuple(b for r in work.out_ranks for b in work.bounds(r))
        reduce_all(c, bounds)
        first = _without_loops(c)
        place(c, first, nest, stack)
        # What does not vary over the other ranks is computed before their loops are opened.
        reduce_all(c, tuple(n for _, op in work.stores for n in (*op.guards, op.body)))
        place(c, tuple(r for r in work.out_ranks if r not in first), nest, stack)
        for store, op in work.stores:
            _store(c, store, op)
        close_codes(c, nest)
    return paced(builder.finish(grid), schedule.stages, schedule.unroll)


def _without_loops(c: Context) -> tuple[str, ...]:
    """Return the output ranks that can be placed without opening a loop."""
    found: list[str] = []
    for rank in c.work.out_ranks:
        axes = (c.schedule.axis(name) for name in axes_of(c.work, c.schedule.leads, rank))
        digits = [c.schedule.digit(d) for axis in axes if axis is not None for d, _ in axis.digits]
        needs = {r for b in c.work.bounds(rank) for r in c.work.nodes[b].ranks}
        if needs <= set(found) and all(d.role != "loop" for d in digits):
            found.append(rank)
    return tuple(found)


# ------------------------------------------------------------------------------------------- grid
def _grid(work: Work, schedule: Schedule) -> tuple[tuple[str, Size], ...]:
    found: dict[str, Size] = {}
    for axis in schedule.axes:
        for digit, stride in axis.digits:
            at = schedule.digit(digit)
            if at.role == "grid" and at.extent is not None:
                found[digit] = Size.of(at.extent)
            elif at.role == "grid":
                found[digit] = _trips(_extent(work, schedule, axis), stride)
    order = [d.name for d in schedule.digits if d.role == "grid"]
    return tuple((d, found[d]) for d in order)


def _trips(size: Size, step: int) -> Size:
    return size if step == 1 else (size + (step - 1)) // step


def _extent(work: Work, schedule: Schedule, axis: Axis) -> Size:
    """Return the size of an axis that is spread over programs."""
    if axis.name in work.ranks:
        rank = work.ranks[axis.name]
        hi = work.nodes[rank.hi].op
        if isinstance(hi, SizeOf):
            return hi.size
        if rank.extent is not None:
            return rank.extent
        raise Refused(f"rank {rank.name} has no extent known before a launch")
    for lead in schedule.leads:
        op = work.nodes[lead.access].op
        assert isinstance(op, Access | Present)
        for layout in work.layouts[op.table]:
            for number, extent in enumerate(layout.extents):
                name = axis_name(work, schedule.leads, lead, layout, number)
                if axis.name == name and extent is not None:
                    return extent
    raise Refused(f"axis {axis.name} has no extent known before a launch")


# ----------------------------------------------------------------------------------------- stores
def _store(c: Context, store: NodeId, op: Define) -> None:
    k = c.k
    layout = tables.whole(c, store)
    reduce_all(c, (*op.guards, op.body))
    guard = ev.condition(c, op.guards)
    with c.under(guard):
        value = ev.evaluate(c, op.body)
    value = k.cast(ev.convert(c, value, c.work.nodes[op.body].dtype), layout.dtype)
    place_, mask = _position(c, store, op, layout)
    live = [guard] if store not in c.work.like else [guard, *c.masks(op.ranks)]
    keep = k.conj(m for m in live if m is not mask)
    if keep is not None:
        # Places past the end of a dimension, and padding, hold the value 0.
        value = k.apply("where", keep, value, k.const(0, layout.dtype))
    mask = k.conj((mask, *_once(c, op)))
    k.span = c.work.nodes[store].span
    array = k.table(Table(layout.array("val"), layout.dtype, "write"))
    k.store(array, place_, value, mask)


def _position(c: Context, store: NodeId, op: Define, layout: Layout) -> tuple[Form, Value | None]:
    """Return where an output's entry lies, and the mask under which it exists."""
    like = c.work.like.get(store)
    if like is not None:
        path = c.paths.get(c.key_of(like))
        cursor = tables.located(c, like, _model(c, like)) if path is None else path.cursor
        stored = None if path is None else path.stored
        return cursor.position(len(layout.levels) - 1), c.k.conj((*cursor.masks, stored))
    cursor = Cursor(c.k, layout)
    for level in layout.levels:
        if not isinstance(level, Located) or not level.facts.full:
            raise InternalError(f"output {op.name} has no place for every coordinate")
        rank = op.ranks[layout.dims.index(level.spec.coord.dim)]
        coord, by = c.coords[rank], level.spec.coord
        if by.op:
            coord = c.k.divide(coord, by.by)[by.op == "%"]
        level.locate(cursor, coord)
    return cursor.position(len(layout.levels) - 1), c.mask(op.ranks)


def _model(c: Context, like: NodeId) -> Layout:
    """Return the layout of the table whose pattern an output has."""
    op = c.work.nodes[like].op
    assert isinstance(op, Access | Present)
    return tables.whole(c, op.table)


def _once(c: Context, op: Define) -> list[Value]:
    """Masks that let one of several programs store what does not vary over their digits."""
    found = []
    for rank in c.work.out_ranks:
        axis = c.schedule.axis(rank)
        if rank in op.ranks or axis is None:
            continue
        for name, _ in axis.digits:
            if c.schedule.digit(name).role in ("grid", "loop"):
                found.append(c.k.apply("eq", c.k.coord(name), c.k.const(0)))
    return found
