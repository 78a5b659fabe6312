"""A level defined in a test file packs, reads back and is checked, with nothing else touched."""

from __future__ import annotations

import pytest
import torch

from hastec.ir import types as t
from hastec.ir.format import Format
from hastec.levels.adopt import adopt
from hastec.levels.assemble import from_dense, pack
from hastec.levels.faults import TableError
from hastec.levels.packed import Packed
from hastec.levels.protocol import Layout
from hastec.levels.registry import Registry, default_registry
from tests.unit import table_formats as tf
from tests.unit.run_level import make_run
from tests.unit.table_help import Tensor, bits, dense, layouts, lists, sizes_of, table

RUNS = tf.fmt("runs", tf.part(tf.level("dense", tf.ROW), tf.level("run", tf.COL)))
BANDS = tf.fmt(
    "bands",
    tf.part(
        tf.level("dense", tf.over("i", 2)),
        tf.level("run", tf.over("j", 3)),
        tf.level("dense", tf.rest("i", 2)),
        tf.level("dense", tf.rest("j", 3)),
    ),
)


def bound(fmt: Format) -> tuple[Layout, ...]:
    known = default_registry()
    registry = Registry({**known.levels, "run": make_run}, known.index, known.values)
    return layouts(fmt, registry=registry)


def made(fmt: Format, x: Tensor) -> Packed:
    return pack(bound(fmt), from_dense(x), sizes_of(x))


@pytest.mark.parametrize("fmt", [RUNS, BANDS], ids=lambda f: f.name)
@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_round_trip(fmt: Format, density: float) -> None:
    x = table(3, density, t.F32, (9, 14))
    back, _ = dense(made(fmt, x), sizes_of(x))
    assert torch.equal(bits(back), bits(x))


def test_a_run_holds_everything_from_first_to_last() -> None:
    x = torch.zeros(3, 10)
    x[0, 2], x[0, 5], x[2, 9] = 1, 2, 3
    table_ = made(RUNS, x)
    assert lists(table_, "1.pos", "1.lo", "val") == [[0, 4, 4, 5], [2, 0, 9], [1, 0, 0, 2, 3]]
    _, present = dense(table_, sizes_of(x))
    assert present[0].nonzero().ravel().tolist() == [2, 3, 4, 5]


def test_given_arrays_are_checked() -> None:
    x = table(4, 0.3, t.F32, (6, 8))
    table_ = made(RUNS, x)
    arrays = dict(table_.parts[0].arrays)
    taken, ordered = adopt(bound(RUNS), [arrays], sizes_of(x), {})
    assert ordered and torch.equal(dense(taken, sizes_of(x))[0], x)
    arrays["1.lo"] = arrays["1.lo"] + 7
    with pytest.raises(TableError, match="HST4012"):
        adopt(bound(RUNS), [arrays], sizes_of(x), {})
