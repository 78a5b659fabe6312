"""Tables whose coordinates only change their words."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hastec.ir import types as t
from hastec.levels.assemble import to_dense, unpack
from hastec.levels.formats import bind_format
from hastec.levels.protocol import Layout
from hastec.levels.recode import recoded
from hastec.levels.registry import default_registry
from hastec.sym.size import Size
from tests.unit import table_formats as tf
from tests.unit.table_help import packed, table

SIZES = {"M": 9, "N": 14}


def layouts(fmt: Any, rows: int, columns: int) -> tuple[Layout, ...]:
    shape = Size.of(rows), Size.of(columns)
    return bind_format(fmt, "W", t.F32, shape, default_registry())


@pytest.mark.parametrize("to", ["u8", "u16", "i32", "i64"])
@pytest.mark.parametrize("start", ["u8", "u16", "i32", "i64"])
def test_only_the_words_of_coordinates_change(start: str, to: str) -> None:
    x = table(3, 0.4, t.F32, (9, 14))
    given = packed(tf.fmt("csr", tf.csr(start)), x)
    found = recoded(given, layouts(tf.fmt("csr", tf.csr(to)), 9, 14), SIZES)
    assert found is not None
    arrays: Any = found.parts[0].arrays
    words = {"u8": torch.uint8, "u16": torch.uint16, "i32": torch.int32, "i64": torch.int64}
    assert arrays["1.crd"].dtype == words[to]
    assert torch.equal(to_dense(unpack(found, {}))[0], x)
    for name in ("val", "1.pos"):
        assert arrays[name].data_ptr() == given.parts[0].arrays[name].data_ptr()


def test_words_that_cannot_hold_every_column() -> None:
    x = table(3, 0.4, t.F32, (4, 300))
    given = packed(tf.fmt("csr", tf.csr("i32")), x)
    assert recoded(given, layouts(tf.fmt("csr", tf.csr("u8")), 4, 300), {**SIZES, "N": 300}) is None
    assert (
        recoded(given, layouts(tf.fmt("csr", tf.csr("u16")), 4, 300), {**SIZES, "N": 300})
        is not None
    )


@pytest.mark.parametrize("other", ["csr_delta4", "csc", "coo", "ell", "sell4", "bitmap", "nm_4_4"])
def test_formats_that_differ_in_more(other: str) -> None:
    given = packed(tf.fmt("csr", tf.csr("i64")), table(3, 0.4, t.F32, (9, 14)))
    fmt = next(f for f in tf.EXACT if f.name == other)
    assert recoded(given, layouts(fmt, 9, 14), SIZES) is None


def test_blocks_keep_their_blocks() -> None:
    x = table(3, 0.4, t.F32, (9, 14))
    given = packed(tf.fmt("bsr", tf.bsr(2, 3, index="i64")), x)
    assert recoded(given, layouts(tf.fmt("bsr", tf.bsr(3, 2)), 9, 14), SIZES) is None
    found = recoded(given, layouts(tf.fmt("bsr", tf.bsr(2, 3)), 9, 14), SIZES)
    assert found is not None and torch.equal(to_dense(unpack(found, {}))[0], x)
