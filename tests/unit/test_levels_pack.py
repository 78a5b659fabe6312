"""Packing and reading back: exact for every format and type, and laid out as levels say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import scipy.sparse as sp
import torch

from hastec.ir import types as t
from hastec.ir.format import Format
from hastec.levels import trail
from hastec.levels.assemble import from_dense, pack, unpack
from hastec.levels.faults import TableError
from tests.unit import table_formats as tf
from tests.unit.table_help import (
    SIZES,
    Tensor,
    bits,
    by_name,
    dense,
    layouts,
    lists,
    lone,
    packed,
    sizes_of,
    table,
)

DTYPES = (t.F64, t.F32, t.F16, t.BF16, t.I8, t.U8, t.I16, t.U16, t.I32, t.U32, t.I64, t.BOOL)

CASES: dict[str, Callable[[t.DType], Tensor]] = {
    "odd": lambda d: table(1, 0.3, d, (13, 19)),
    "empty": lambda d: table(1, 0.0, d, (13, 19)),
    "full": lambda d: torch.ones(13, 19).to(getattr(torch, d.numpy)),
    "one_row": lambda d: lone(table(2, 1.0, d, (13, 19)), row=5),
    "one_column": lambda d: lone(table(3, 1.0, d, (13, 19)), column=18),
    "no_rows": lambda d: table(1, 0.5, d, (0, 19)),
    "no_columns": lambda d: table(1, 0.5, d, (13, 0)),
    "one": lambda d: table(4, 1.0, d, (1, 1)),
}


def declares_padding(fmt: Format) -> bool:
    """Whether fibres have positions even where the table has no coordinate to put there."""
    return any(lv.kind == "fixed" and lv.option("k") for p in fmt.parts for lv in p.levels)


PAIRS = [(f, c) for f in tf.EXACT for c in CASES if c != "no_columns" or not declares_padding(f)]


@pytest.mark.parametrize(("fmt", "case"), PAIRS, ids=lambda v: v if isinstance(v, str) else v.name)
def test_what_is_packed_comes_back(fmt: Format, case: str) -> None:
    x = CASES[case](t.F32)
    table_ = packed(fmt, x)
    entries = unpack(table_, sizes_of(x))
    values, present = dense(table_, sizes_of(x))
    assert torch.equal(bits(values), bits(x))
    assert bool((present | (x == 0)).all())
    assert entries.count == int(present.sum())  # nothing twice
    assert table_.entries == int((x != 0).sum())
    assert table_.slots >= entries.count


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_comes_back_bit_by_bit(dtype: t.DType) -> None:
    for fmt in tf.EXACT:
        x = CASES["odd"](dtype)
        back, _ = dense(packed(fmt, x, dtype), SIZES)
        assert torch.equal(bits(back), bits(x)), fmt.name


def test_nan_payloads_and_negative_zeros_are_kept() -> None:
    x = torch.zeros(3, 5)
    x[1, 2] = float("nan")
    x[2, 0] = float("-inf")
    bits(x)[0, 4] = 0x7FC01234
    bits(x)[1, 3] = -(2**31)  # -0.0 equals the fill: absent
    for fmt in tf.EXACT:
        back, present = dense(packed(fmt, x), {"M": 3, "N": 5})
        assert int(bits(back)[0, 4]) == 0x7FC01234
        assert back[1, 2].isnan() and back[2, 0] == float("-inf")
        assert not present[1, 3] or int(bits(back)[1, 3]) == 0


def test_another_fill_is_what_is_left_out_and_what_pads() -> None:
    x = torch.full((6, 8), float("inf"))
    x[0, 3], x[4, 7], x[5, 0] = 1.0, 0.0, -2.0
    for fmt in tf.EXACT:
        made = packed(fmt, x, fill=float("inf"))
        values: Tensor = made.parts[0].arrays["val"]
        assert int((values != float("inf")).sum()) <= 3
        back, _ = dense(made, {"M": 6, "N": 8}, float("inf"))
        assert torch.equal(back, x)


def test_csr_csc_and_bsr_are_scipys() -> None:
    x = table(7, 0.3, t.F32, (12, 18))
    csr, csc, bsr = sp.csr_array(x), sp.csc_array(x), sp.bsr_array(x.numpy(), blocksize=(2, 3))
    assert lists(packed(by_name("csr"), x), "1.pos", "1.crd", "val") == [
        csr.indptr.tolist(), csr.indices.tolist(), csr.data.tolist()
    ]  # fmt: skip
    assert lists(packed(by_name("csc"), x), "1.pos", "1.crd", "val") == [
        csc.indptr.tolist(), csc.indices.tolist(), csc.data.tolist()
    ]  # fmt: skip
    bsr.sort_indices()
    assert lists(packed(by_name("bsr_2_3"), x), "1.pos", "1.crd", "val") == [
        bsr.indptr.tolist(), bsr.indices.tolist(), bsr.data.ravel().tolist()
    ]  # fmt: skip


def test_coo_lists_rows_and_columns() -> None:
    x = table(8, 0.3, t.F32, (13, 19))
    made = packed(by_name("coo"), x)
    rows, cols = x.nonzero(as_tuple=True)
    assert lists(made, "0.pos", "0.crd", "1.crd") == [
        [0, len(rows)], rows.tolist(), cols.tolist()
    ]  # fmt: skip
    longest = max((x[i] != 0).sum().item() for i in range(13))
    assert made.parts[0].numbers["1.halvings"] == longest.bit_length()


def test_sliced_ell_stores_columns_of_slices() -> None:
    x = table(9, 0.4, t.F32, (7, 11))
    made = packed(by_name("sell4"), x)
    pos, crd, length, val = lists(made, "2.pos", "2.crd", "2.len", "val")
    rows = [x[i].nonzero().ravel().tolist() if i < 7 else [] for i in range(8)]
    widths = [max(len(r) for r in rows[s : s + 4]) for s in (0, 4)]
    assert pos == [0, widths[0], sum(widths)]
    assert length == [len(r) for r in rows]
    for s in range(2):
        for k in range(widths[s]):
            for lane in range(4):
                row, at = rows[4 * s + lane], (pos[s] + k) * 4 + lane
                assert crd[at] == (row[min(k, len(row) - 1)] if row else 0)
                assert val[at] == (x[4 * s + lane, row[k]] if k < len(row) else 0)
    assert made.parts[0].slots == 4 * sum(widths)
    assert made.parts[0].numbers["2.halvings"] == max(widths).bit_length()


def test_a_unit_of_padding_lies_innermost() -> None:
    x = table(10, 0.5, t.F32, (4, 40))
    made = packed(by_name("sell4_delta4"), x)  # eight differences a word
    pos, words, val = lists(made, "2.pos", "2.crd", "val")
    assert all(p % 8 == 0 for p in pos)
    for lane in range(4):
        col = 0
        found: list[tuple[int, float]] = []
        for chunk in range(pos[1] // 8):
            word = words[chunk * 4 + lane] & 0xFFFFFFFF
            for nibble in range(8):
                gap = (word >> (4 * nibble)) & 15
                col += gap
                address = chunk * 32 + lane * 8 + nibble
                if gap != 15 and val[address] != 0:
                    found.append((col, val[address]))
        assert found == [(c, float(x[lane, c])) for c in x[lane].nonzero().ravel().tolist()]


def test_long_gaps_take_fillers() -> None:
    x = torch.zeros(2, 100)
    x[0, 0], x[0, 31], x[0, 99], x[1, 45] = 1, 2, 3, 4
    made = packed(by_name("csr_delta4"), x)
    word = made.parts[0].arrays["1.crd"].tolist()[0] & 0xFFFFFFFF
    assert [(word >> (4 * n)) & 15 for n in range(8)] == [0, 15, 15, 1, 15, 15, 15, 15]
    assert made.parts[0].arrays["1.len"].tolist() == [9, 4]
    assert made.parts[0].arrays["val"].tolist()[:9] == [1, 0, 0, 2, 0, 0, 0, 0, 3]


def test_bitmap_words_and_ranks() -> None:
    x = table(11, 0.5, t.F32, (3, 70))
    made = packed(by_name("bitmap"), x)
    words, ranks, val = lists(made, "1.words", "1.rank", "val")
    count = 0
    flat: list[float] = []
    for i in range(3):
        for w in range(3):
            row = x[i, 32 * w : 32 * w + 32]
            assert words[3 * i + w] & 0xFFFFFFFF == sum(1 << b for b in range(len(row)) if row[b])
            assert ranks[3 * i + w] == count
            count += int((row != 0).sum())
            flat += [v for v in row.tolist() if v]
    assert val == flat


def test_ell_width_is_the_longest_row() -> None:
    x = table(12, 0.3, t.F32, (5, 9))
    made = packed(by_name("ell"), x)
    width = int((x != 0).sum(1).max())
    assert made.parts[0].numbers["1.k"] == width and made.sizes()["W.1.k"] == width
    assert made.parts[0].arrays["1.crd"].shape[0] == 5 * width
    columns: Tensor = packed(by_name("ell_columns"), x).parts[0].arrays["1.crd"]
    assert torch.equal(columns.view(width, 5).T.ravel(), made.parts[0].arrays["1.crd"])


def test_n_of_m_keeps_lowest_free_places_beside_entries() -> None:
    fmt = tf.fmt("nm", tf.nm(2, 4))
    x = torch.zeros(2, 10)
    x[0, 3], x[0, 5], x[0, 6], x[1, 9] = 1, 2, 3, 4
    made = packed(fmt, x)
    crd, val = lists(made, "2.crd", "val")
    assert crd == [0, 3, 1, 2, 0, 1, 0, 1, 0, 1, 0, 1]
    assert val == [0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 4]
    _, present = dense(made, {"M": 2, "N": 10})
    assert int(present.sum()) == 12  # fillers are present zeros


def test_a_block_is_present_as_a_whole() -> None:
    x = torch.zeros(4, 6)
    x[1, 4] = 5
    made = packed(by_name("bsr_2_3"), x)
    _, present = dense(made, {"M": 4, "N": 6})
    assert present[:2, 3:].all() and int(present.sum()) == 6


def test_parts_of_a_sum_take_what_the_first_has_no_room_for() -> None:
    x = torch.arange(1.0, 13.0).reshape(2, 6)
    made = packed(by_name("nm_2_4_csr"), x)
    first, second = made.parts
    assert [p.layout.table for p in made.parts] == ["W.p0", "W.p1"]
    assert first.arrays["val"].tolist() == [1, 2, 5, 6, 7, 8, 11, 12]
    assert second.arrays["val"].tolist() == [3, 4, 9, 10]
    assert second.arrays["1.crd"].tolist() == [2, 3, 2, 3]
    assert set(made.named()) >= {"W.p0.2.crd", "W.p1.1.pos", "W.p1.val"}


def test_leading_dimensions_are_dense() -> None:
    x = table(13, 0.4, t.F32, (3, 5, 9))
    for fmt in tf.EXACT:
        back, _ = dense(packed(fmt, x), {"H": 3, "M": 5, "N": 9})
        assert torch.equal(back, x), fmt.name
    assert packed(by_name("csr"), x).parts[0].arrays["2.pos"].shape[0] == 16


def refusal(fmt: Format, x: Tensor, budget: int | None = None) -> str:
    bound = layouts(fmt)
    with pytest.raises(TableError) as caught:
        pack(bound, from_dense(x), sizes_of(x), budget)
    return str(caught.value)


def test_what_has_no_room_is_an_error_that_names_the_row() -> None:
    x = torch.zeros(5, 9)
    x[3, 2:7] = 1
    fixed = tf.fmt("ell3", tf.part(tf.level("dense", tf.ROW), tf.level("fixed", tf.COL, k=3)))
    assert refusal(fixed, x) == (
        "error[HST4015]: W: fibre [3] has 5 entries, more than fixed(j; k = 3) has room for\n"
        "  help: give it more positions, or add a part that takes the rest: … + csr(i, j)"
    )
    assert "fibre [3, 1] has 3 entries, more than choose(j % 4; n = 2)" in refusal(
        tf.fmt("nm", tf.nm(2, 4)), x
    )


def test_positions_that_no_coordinate_can_fill_are_an_error() -> None:
    fixed = tf.fmt("ell2", tf.part(tf.level("dense", tf.ROW), tf.level("fixed", tf.COL, k=2)))
    assert refusal(fixed, torch.zeros(3, 0)) == (
        "error[HST4015]: W: has no coordinate to fill the positions of fixed(j; k = 2) with\n"
        "  help: leave k out, or choose another format"
    )
    assert packed(fixed, torch.zeros(0, 0)).slots == 0
    narrow = packed(fixed, torch.ones(3, 1))  # more positions than coordinates: padded
    assert lists(narrow, "1.crd") == [[0] * 6]
    assert dense(narrow, {"M": 3, "N": 1})[0].tolist() == [[1.0]] * 3


def test_a_coordinate_past_the_index_code_is_an_error() -> None:
    x = torch.zeros(1, 300)
    x[0, 299] = 1
    text = refusal(tf.fmt("csr8", tf.csr("u8")), x)
    assert "HST4018" in text and "coordinate 299" in text and "use u16" in text


def test_too_many_positions_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "POSITIONS", 10)
    for name in ("csr", "sell1", "bitmap", "coo"):
        assert "HST4016" in refusal(by_name(name), torch.ones(3, 4))
    assert packed(by_name("sell4"), torch.ones(3, 4)).slots == 16  # four columns of four rows


def test_memory_is_asked_for_before_it_is_taken() -> None:
    x = torch.ones(1, 1)
    assert "HST4017" in refusal(by_name("csr"), x, budget=11)
    huge = layouts(by_name("bitmap"))
    entries = from_dense(x)
    with pytest.raises(TableError, match="HST4017"):
        pack(huge, entries, {"M": 2**30, "N": 2**30}, budget=2**40)
    with pytest.raises(TableError, match="HST4017"):
        pack(layouts(by_name("dense")), entries, {"M": 2**32, "N": 2**32}, budget=2**40)


def test_a_coordinate_that_occurs_twice_is_an_error() -> None:
    entries = from_dense(torch.ones(2, 2)).pick(torch.tensor([0, 3, 1, 3]))
    with pytest.raises(TableError, match=r"HST4014.*\[1, 1\]"):
        pack(layouts(by_name("csr")), entries, {"M": 2, "N": 2})


def test_entries_in_any_order() -> None:
    x = table(14, 0.5, t.F32, (13, 19))
    entries = from_dense(x)
    mixed = entries.pick(torch.randperm(entries.count, generator=torch.Generator().manual_seed(0)))
    for fmt in tf.EXACT:
        made, straight = pack(layouts(fmt), mixed, SIZES), pack(layouts(fmt), entries, SIZES)
        for a, b in zip(made.parts, straight.parts, strict=True):
            assert all(torch.equal(a.arrays[n], b.arrays[n]) for n in b.arrays)


def test_a_table_without_dimensions_is_one_value() -> None:
    scalar = tf.fmt("dense", tf.part(), dims=())
    for value in (0.0, 2.5):
        made = pack(layouts(scalar, rank=0), from_dense(torch.tensor(value)), {})
        assert lists(made, "val") == [[value]]
        assert dense(made, {})[0].tolist() == value
