"""Properties of packing: any entries come back, and no given array can do harm."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hastec.ir.format import Format
from hastec.levels.adopt import adopt
from hastec.levels.assemble import pack, unpack
from hastec.levels.faults import TableError
from hastec.levels.packed import Entries
from tests.unit import table_formats as tf
from tests.unit.table_help import Tensor, layouts

FORMATS = st.sampled_from(tf.EXACT)


@st.composite
def entries(draw: st.DrawFn) -> Entries:
    shape = draw(st.tuples(st.integers(1, 70), st.integers(1, 70)))
    places = st.integers(0, shape[0] * shape[1] - 1)
    found = draw(st.lists(places, unique=True, max_size=60))
    index = torch.tensor(found, dtype=torch.int64)
    values = torch.arange(1.0, len(found) + 1)
    return Entries((index // shape[1], index % shape[1]), values, shape)


def pairs(found: Entries) -> dict[tuple[int, ...], float]:
    rows, columns = (c.tolist() for c in found.coords)
    return dict(zip(zip(rows, columns, strict=True), found.values.tolist(), strict=True))


@settings(max_examples=150, deadline=None)
@given(entries(), FORMATS)
def test_any_entries_come_back(table: Entries, fmt: Format) -> None:
    sizes = {"M": table.shape[0], "N": table.shape[1]}
    back = unpack(pack(layouts(fmt), table, sizes), sizes)
    found = pairs(back)
    assert len(found) == back.count
    assert {c: v for c, v in found.items() if v} == pairs(table)


@settings(max_examples=150, deadline=None)
@given(entries(), FORMATS)
def test_what_was_packed_is_taken_as_given(table: Entries, fmt: Format) -> None:
    sizes = {"M": table.shape[0], "N": table.shape[1]}
    made = pack(layouts(fmt), table, sizes)
    taken, ready = adopt(layouts(fmt), [p.arrays for p in made.parts], sizes, {})
    # Where a position holds nothing, what stands there is not to be trusted: packed again.
    assert ready or unpack(made, sizes).count < made.slots
    assert pairs(unpack(taken, sizes)) == pairs(unpack(made, sizes))
    assert pairs(unpack(pack(layouts(fmt), unpack(taken, sizes), sizes), sizes)) == pairs(
        unpack(made, sizes)
    )
    for mine, theirs in zip(taken.parts, made.parts, strict=True):
        assert set(mine.numbers) == set(theirs.numbers)
        assert all(n >= theirs.numbers[name] for name, n in mine.numbers.items())


@settings(max_examples=300, deadline=None)
@given(entries(), FORMATS, st.data())
def test_a_changed_array_is_an_error_or_a_sound_table(
    table: Entries, fmt: Format, data: st.DataObject
) -> None:
    sizes = {"M": table.shape[0], "N": table.shape[1]}
    made = pack(layouts(fmt), table, sizes)
    parts: list[dict[str, Tensor]] = [dict(p.arrays) for p in made.parts]
    arrays: dict[str, Tensor] = data.draw(st.sampled_from(parts))
    names = [n for n, x in arrays.items() if x.shape[0] and n != "val"]
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    changed = torch.clone(arrays[name]).long()
    at = data.draw(st.integers(0, changed.shape[0] - 1))
    limits = torch.iinfo(arrays[name].dtype)
    near = st.integers(-3, 80).filter(lambda v: limits.min <= v <= limits.max)
    changed[at] = data.draw(st.one_of(near, st.sampled_from((limits.min, limits.max))))
    arrays[name] = changed.to(arrays[name].dtype)
    try:
        taken, _ = adopt(layouts(fmt), parts, sizes, {})
    except TableError as error:
        assert all(d.code.startswith("HST40") and d.help for d in error.diagnostics)
        return
    back = unpack(taken, sizes)
    assert len(pairs(back)) == back.count
    assert all(0 <= r < sizes["M"] and 0 <= c < sizes["N"] for r, c in pairs(back))
