"""Entries of tables: at the position a leading table stands at, or found by their coordinates."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from hastec.ir.graph import Access, Index, NodeId, Present
from hastec.ir.index import Form
from hastec.ir.kernel import Const, Value
from hastec.levels.protocol import Bits, Cursor, Layout, Located
from hastec.lower import evaluate as ev
from hastec.lower.context import Context
from hastec.lower.leads import needed
from hastec.lower.work import Refused


def read(c: Context, node: NodeId, table: NodeId) -> Value:
    """Return the entry an access names: the fill where nothing is stored."""
    path = c.paths.get(c.key_of(node))
    if path is not None:
        return _value(c, node, path.cursor, path.stored)
    value: Value | None = None
    for layout in reversed(c.work.layouts[table]):
        cursor = located(c, node, layout)
        mine = _value(c, node, cursor, None)
        stored = c.k.conj(cursor.masks)
        if value is not None and stored is not None:
            mine = c.k.apply("where", stored, mine, value)
        value = mine
    assert value is not None
    return value


def _value(c: Context, node: NodeId, cursor: Cursor, stored: Value | None) -> Value:
    """Return the value at a cursor, read where other tables need it and have an entry too."""
    layout, masks = cursor.layout, cursor.masks
    for mask, both in _common(c, node, cursor):
        cursor.masks = tuple(both if m.id == mask.id else m for m in cursor.masks)
        cursor.restrict(both)
        stored = None if stored is not None and stored.id == mask.id else stored
    value = layout.values.read(cursor, stored, layout.fill)
    cursor.masks = masks
    return value


def _common(c: Context, node: NodeId, cursor: Cursor) -> Iterator[tuple[Value, Value]]:
    """Yield masks of a cursor that are bits of words, each with what replaces it: whether the bit
    is set in the words of all tables without whose entry this one's value is of no use.
    """
    if not cursor.bits:
        return
    others = [b for other in needed(c.work, node) for b, _ in _bits(c, other)]
    for own, mask in cursor.bits:
        alike = (b for b in (own, *others) if b.place.id == own.place.id)
        words = {b.word.id: b.word for b in alike if b.word.dtype == own.word.dtype}
        if len(words) > 1:
            word, *more = (words[n] for n in sorted(words))
            for other in more:
                word = c.k.apply("bitand", word, other, hint="common")
            one = c.k.const(1, word.dtype)
            bit = c.k.apply("bitand", c.k.apply("shr", word, own.place), one)
            yield mask, c.k.apply("ne", bit, c.k.const(0, word.dtype), hint="both")


def _bits(c: Context, node: NodeId) -> tuple[tuple[Bits, Value], ...]:
    """Return where it is kept that an access has an entry, as far as single bits tell."""
    path = c.paths.get(c.key_of(node))
    if path is not None:
        return path.cursor.bits
    op = c.work.nodes[node].op
    assert isinstance(op, Access | Present)
    layouts = c.work.layouts[op.table]
    if len(layouts) > 1 or not any(level.facts.bits for level in layouts[0].levels):
        return ()
    if not plain(c, op.subs) or not set(sub_ranks(c, op.subs)) <= set(c.coords):
        return ()
    return located(c, node, layouts[0]).bits


def zero_under(c: Context, node: NodeId) -> tuple[Value, ...]:
    """Return the masks an access reads under: where one is false, its value is the fill."""
    op = c.work.nodes[node].op
    assert isinstance(op, Access | Present)
    path = c.paths.get(c.key_of(node))
    if path is not None:
        return _applied(c, path.cursor)
    cursors = [located(c, node, layout) for layout in c.work.layouts[op.table]]
    return _applied(c, cursors[0]) if len(cursors) == 1 else ()


def _applied(c: Context, cursor: Cursor) -> tuple[Value, ...]:
    position = cursor.position(len(cursor.layout.levels) - 1)
    digits = {d for v, _ in position.terms for d in c.k.values[v].digits}
    return tuple(m for m in cursor.masks if not m.digits or set(m.digits) & digits)


def present(c: Context, node: NodeId, table: NodeId) -> Value:
    """Return whether a table stores an entry at the subscripts."""
    path = c.paths.get(c.key_of(node))
    if path is not None:
        return c.k.conj((*path.cursor.masks, path.present)) or c.k.const(True)
    total: Value = c.k.const(False)
    for layout in c.work.layouts[table]:
        located(c, node, layout)
        entry = c.recall(("present", c.key_of(node), layout.table))
        assert isinstance(entry, Value)
        total = c.k.apply("or", total, entry)
    return total


def whole(c: Context, table: NodeId) -> Layout:
    """Return the layout of a table that is one part; Refused if it has several."""
    layouts = c.work.layouts[table]
    if len(layouts) > 1:
        name = layouts[0].table.rpartition(".")[0]
        raise Refused(f"{name} is stored in {len(layouts)} parts: no output can have its pattern")
    return layouts[0]


def plain(c: Context, subs: tuple[NodeId, ...]) -> bool:
    """Whether every subscript is an index: then its range alone keeps it inside the table."""
    return all(isinstance(c.work.nodes[s].op, Index) for s in subs)


def sub_ranks(c: Context, subs: tuple[NodeId, ...]) -> tuple[str, ...]:
    """Return the ranks that subscripts vary over."""
    return tuple(dict.fromkeys(r for s in subs for r in c.work.nodes[s].ranks))


def coordinate(c: Context, layout: Layout, level: int, subs: tuple[NodeId, ...]) -> Form:
    """Return the coordinate a level stores for the entry at ``subs``."""
    coord = layout.levels[level].spec.coord
    sub = subs[layout.dims.index(coord.dim)]
    whole = ev.subscript(c, sub)
    op = c.work.nodes[sub].op
    hint = op.rank if isinstance(op, Index) else coord.dim
    match coord.op:
        case "":
            return whole
        case "/":
            return c.k.divide(whole, coord.by, hint)[0]
        case "%":
            return c.k.divide(whole, coord.by, hint)[1]


def guard(c: Context, cursor: Cursor, level: int, subs: tuple[NodeId, ...]) -> None:
    """Restrict a cursor to the lanes whose coordinate at a level is in range.

    A remainder level needs none: its group is stored whole, and what lies past the end is empty.
    """
    coord = cursor.layout.levels[level].spec.coord
    if coord.op == "%":
        return
    sub = subs[cursor.layout.dims.index(coord.dim)]
    form = coordinate(c, cursor.layout, level, subs)
    digits = c.k.digits_of(*(c.k.values[v] for v, _ in form.terms))
    for mask in c.masks(c.work.nodes[sub].ranks, digits):
        cursor.restrict(mask)


def locatable(layout: Layout, number: int) -> Located:
    """Return a level that finds coordinates; Refused if it cannot."""
    level = layout.levels[number]
    if isinstance(level, Located) and not level.facts.sequential:
        return level
    why = "its code is read in order" if level.facts.sequential else "it has no random access"
    raise Refused(
        f"level {level.spec} of {layout.table} cannot be located: {why}, so this table must lead"
    )


def located(c: Context, node: NodeId, layout: Layout) -> Cursor:
    """Return the cursor at the entry an access's subscripts name, found level by level.

    Its masks say where there is one.
    """
    op = c.work.nodes[node].op
    assert isinstance(op, Access | Present)
    conditions = () if plain(c, op.subs) else c.conditions
    key: Hashable = ("located", c.key_of(node), layout.table, conditions)
    found = c.recall(key)
    if found is None:
        found = _locate(c, node, layout, (*conditions, *_in_range(c, node, op.subs, layout)))
        c.remember(key, found, c.work.nodes[node].ranks)
    assert isinstance(found, Cursor)
    return found


def _in_range(
    c: Context, node: NodeId, subs: tuple[NodeId, ...], layout: Layout
) -> tuple[Value, ...]:
    """Return masks that hold computed subscripts inside a table."""
    k, found = c.k, []
    for place, (sub, size) in enumerate(zip(subs, layout.shape, strict=True)):
        if isinstance(c.work.nodes[sub].op, Index) or (node, place) in c.work.checked:
            continue
        at = k.value(ev.subscript(c, sub))
        found.append(k.apply("ge", at, k.const(0, at.dtype)))
        found.append(k.apply("lt", at, k.scalar(size)))
    return tuple(m for m in found if not (isinstance(m.op, Const) and m.op.value))


def _locate(c: Context, node: NodeId, layout: Layout, conditions: tuple[Value, ...]) -> Cursor:
    op, key = c.work.nodes[node].op, c.key_of(node)
    assert isinstance(op, Access | Present)
    subs = op.subs
    k, cursor = c.k, Cursor(c.k, layout)
    ranks = sub_ranks(c, subs)
    entry = k.conj((*c.masks(ranks), *conditions))
    for mask in conditions:
        cursor.restrict(mask)
    for number in range(len(layout.levels)):
        guard(c, cursor, number, subs)
        step = locatable(layout, number).locate(cursor, coordinate(c, layout, number, subs))
        cursor.note(step)
        cursor.restrict(step.stored)
        entry = k.conj((entry, step.present))
    c.remember(("present", key, layout.table), entry or k.const(True), ranks)
    return cursor
