"""Both sides of every level and code agree: kernels read what packing stored, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hastec.ir import types as t
from hastec.ir.format import Format
from hastec.ir.kernel import Kernel
from hastec.levels.assemble import from_dense, pack
from hastec.levels.packed import Packed
from hastec.levels.protocol import Layout, Located
from tests.unit import level_kernels as lk
from tests.unit import table_formats as tf
from tests.unit.table_help import Tensor, dense, layouts, packed, sizes_of, table
from tests.unit.test_levels_new import BANDS, RUNS, bound
from tests.unit.test_levels_values import CODES, normal

SHAPES = {0.0: ((3, 4),), 0.3: ((7, 11), (3, 40)), 1.0: ((5, 6),)}


def agree(make: Callable[[Layout], Kernel], made: Packed, x: Tensor) -> None:
    for part in made.parts:
        values, here = lk.spelled(make(part.layout), part, tuple(x.shape))
        back, present = dense(Packed((part,)), sizes_of(x))
        assert np.array_equal(here, present.numpy())
        assert np.array_equal(values, lk.numpy(back), equal_nan=True)


@pytest.mark.parametrize("fmt", tf.EXACT, ids=lambda f: f.name)
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_walking_passes_what_is_stored(fmt: Format, density: float) -> None:
    for n, shape in enumerate(SHAPES[density]):
        x = table(n, density, t.F32, shape)
        agree(lk.walked, packed(fmt, x), x)


def can_locate(layout: Layout) -> bool:
    return all(isinstance(lv, Located) and not lv.facts.sequential for lv in layout.levels)


FOUND = tuple(f for f in tf.EXACT if all(can_locate(lay) for lay in layouts(f)))


@pytest.mark.parametrize("fmt", FOUND, ids=lambda f: f.name)
@pytest.mark.parametrize("density", [0.0, 0.4])
def test_locating_finds_what_is_stored(fmt: Format, density: float) -> None:
    x = table(5, density, t.F32, (5, 7))
    agree(lk.located, packed(fmt, x), x)


def test_nearly_all_formats_can_be_located() -> None:
    assert len(FOUND) >= len(tf.EXACT) - 7  # the delta codes cannot


@pytest.mark.parametrize("fmt", [RUNS, BANDS], ids=lambda f: f.name)
def test_a_level_of_a_test_works_in_kernels(fmt: Format) -> None:
    x = table(6, 0.3, t.F32, (6, 9))
    made = pack(bound(fmt), from_dense(x), sizes_of(x))
    agree(lk.walked, made, x)
    agree(lk.located, made, x)


@pytest.mark.parametrize(("fmt", "dtypes"), CODES, ids=lambda c: str(getattr(c, "name", "")))
def test_value_codes(fmt: Format, dtypes: tuple[t.DType, ...]) -> None:
    for dtype in dtypes:
        x = table(7, 0.4, dtype, (2, 33))
        if dtype.is_float and fmt.name != "palette":
            x = (normal(8, dtype, (2, 33)) * (x != 0)).to(x.dtype) + 0.0
        agree(lk.walked, packed(fmt, x, dtype), x)


@pytest.mark.parametrize("dtype", [t.F64, t.F16, t.BF16, t.I8, t.U8, t.I64, t.BOOL], ids=str)
def test_types(dtype: t.DType) -> None:
    x = table(9, 0.4, dtype, (5, 7))
    for name in ("csr", "bsr_2_3", "sell4"):
        fmt = next(f for f in tf.EXACT if f.name == name)
        agree(lk.walked, packed(fmt, x, dtype), x)
