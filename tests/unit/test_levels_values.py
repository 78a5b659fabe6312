"""Value codes: what is stored is the rounded table, and the rounding is the one promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hastec.diag import HasteError
from hastec.ir import types as t
from hastec.ir.format import CodeSpec, Format, Part
from hastec.levels import registry
from hastec.levels.adopt import adopt
from hastec.levels.assemble import from_dense, pack
from hastec.levels.faults import TableError
from tests.unit import table_formats as tf
from tests.unit.table_help import Tensor, bits, by_name, dense, layouts, sizes_of, table

FLOATS = (t.F64, t.F32, t.F16, t.BF16)
BLOCKS = tf.bsr(2, 16)
WIDE = tf.part(tf.level("dense", tf.ROW), tf.level("dense", tf.COL))


def rounded(x: Tensor, code: CodeSpec, dtype: t.DType) -> Tensor:
    return registry.rounded(x, code, dtype)


def coded(part: Part, name: str, **options: int) -> Format:
    return tf.fmt(name, replace(part, values=CodeSpec(name, tuple(options.items()))))


def spec(name: str, **options: int) -> CodeSpec:
    return CodeSpec(name, tuple(options.items()))


def normal(seed: int, dtype: t.DType, shape: tuple[int, ...] = (6, 40)) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.to(getattr(torch, dtype.numpy))


def by_formula(x: Tensor, b: int, group: int) -> Tensor:
    """Return round(w / s) s with s = max|w| / (2^(b-1) - 1), group by group, in plain loops."""
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    out = torch.zeros_like(x)
    for i in range(x.shape[0]):
        for start in range(0, x.shape[1], group):
            w = x[i, start : start + group].to(kind)
            s = (w.abs().max() / (2 ** (b - 1) - 1)).to(x.dtype).to(kind)
            out[i, start : start + group] = (torch.round(w / s) * s).to(x.dtype)
    return out


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("b", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("group", [7, 16, 40])
def test_integers_round_by_the_formula(dtype: t.DType, b: int, group: int) -> None:
    x = normal(b, dtype)
    found = rounded(x, spec(f"int{b}", group=group), dtype)
    assert torch.equal(bits(found), bits(by_formula(x, b, group) + 0.0))


def test_without_a_group_a_row_shares_its_step() -> None:
    x = normal(1, t.F16)
    assert torch.equal(rounded(x, spec("int4"), t.F16), by_formula(x, 4, 40))


def test_integers_keep_what_they_can_express() -> None:
    x = torch.tensor([[7.0, -7, 3, 0, -1, 2, 5, -6]])
    assert torch.equal(rounded(x, spec("int4", group=8), t.F32), x)
    zeros = torch.zeros(2, 8)
    assert torch.equal(rounded(zeros, spec("int4", group=8), t.F32), zeros)
    wide = torch.tensor([[65504.0, -65504.0, 1.0, 0.0]], dtype=torch.float16)
    for b in range(2, 9):
        assert rounded(wide, spec(f"int{b}", group=4), t.F16).isfinite().all()


def test_a_zero_point_spans_the_range() -> None:
    x = torch.tensor([[10.0, 11.0, 12.0, 13.0], [-1.0, 0.0, 1.0, 2.0], [-3.0, -3.0, 0.0, 0.0]])
    found = rounded(x, spec("int2", group=4, zero=1), t.F32)
    s = torch.tensor(13.0) / 3
    assert torch.equal(found[0], torch.tensor([2.0, 3.0, 3.0, 3.0]) * s)
    assert torch.equal(found[1], x[1])
    assert found[2].tolist() == [-3.0, -3.0, 0.0, 0.0]
    one = rounded(torch.tensor([[0.0, 5.0, 5.0, 0.0]]), spec("int1", group=4, zero=1), t.F32)
    assert one.tolist() == [[0.0, 5.0, 5.0, 0.0]]


E4M3 = [s * v for v in [m * 2.0**-9 for m in range(8)]
        + [(8 + m) * 2.0 ** (e - 10) for e in range(1, 16) for m in range(8) if (e, m) != (15, 7)]
        for s in (1.0, -1.0)]  # fmt: skip
E2M1 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]


def test_fp8_takes_the_nearest_of_its_numbers() -> None:
    grid = np.unique(np.array(E4M3))
    x = torch.cat((torch.linspace(-500, 500, 4001), torch.linspace(-0.02, 0.02, 999))).double()
    found = rounded(x, spec("fp8"), t.F64).numpy()
    gap = np.abs(grid[None, :] - np.clip(x.numpy(), -448, 448)[:, None])
    assert np.array_equal(np.abs(found - np.clip(x.numpy(), -448, 448)), gap.min(1))
    assert set(found.tolist()) <= set(grid.tolist())
    exact = torch.tensor(sorted(set(E4M3)), dtype=torch.float64)
    assert torch.equal(rounded(exact, spec("fp8"), t.F64), exact)
    reference = x.float().clamp(-448, 448).to(torch.float8_e4m3fn).float()
    assert torch.equal(rounded(x.float(), spec("fp8"), t.F32), reference)
    odd = rounded(torch.tensor([float("nan"), float("inf"), -float("inf")]), spec("fp8"), t.F32)
    assert odd[0].isnan() and odd[1:].tolist() == [448.0, -448.0]


def test_fp8_by_groups_uses_its_whole_range() -> None:
    x = normal(5, t.F32) * 1e-6
    found = rounded(x, spec("fp8", group=8), t.F32)
    s = (x.reshape(6, 5, 8).abs().amax(-1, keepdim=True) / 448).float()
    expected = (x.reshape(6, 5, 8) / s).to(torch.float8_e4m3fn).float() * s
    assert torch.equal(found, expected.reshape(6, 40))


def test_mx_scales_by_powers_of_two() -> None:
    x = normal(6, t.F32, (4, 64)) * torch.tensor([1e-3, 1.0, 77.0, 0.0])[:, None]
    found = rounded(x, spec("mx"), t.F32)
    for row in range(4):
        for start in (0, 32):
            w = x[row, start : start + 32].double().numpy()
            scale = 2.0 ** (np.floor(np.log2(np.abs(w).max())) - 2) if w.any() else 1.0
            grid = np.array(sorted({*E2M1, *(-v for v in E2M1)}))
            near = np.abs(grid[None, :] - np.clip(w / scale, -6, 6)[:, None]).min(1)
            got = found[row, start : start + 32].double().numpy() / scale
            assert np.array_equal(np.abs(got - np.clip(w / scale, -6, 6)), near)
    ties = torch.tensor([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 4.0])
    assert rounded(ties, spec("mx", group=8), t.F32).tolist() == [0, 1, 1, 2, 2, 4, 4, 4]


def test_exact_codes_change_nothing() -> None:
    x = table(3, 0.9, t.U8, (5, 9))
    assert torch.equal(rounded(x, spec("planes", p0=4, p1=4), t.U8), x)
    assert torch.equal(rounded(x, spec("palette", bits=4), t.U8), x)
    assert torch.equal(rounded(x, spec("raw"), t.U8), x)


CODES = (
    (coded(BLOCKS, "int4", group=16), FLOATS),
    (coded(BLOCKS, "int3", group=8, zero=1), FLOATS),
    (coded(BLOCKS, "int1", group=16, zero=1), FLOATS),
    (coded(tf.csr(), "int8"), FLOATS),
    (coded(tf.csr(), "int5", zero=1), FLOATS),
    (coded(WIDE, "int4", group=16), FLOATS),
    (coded(WIDE, "int6", zero=1), FLOATS),
    (coded(tf.csr(bits=4), "int7"), FLOATS),
    (coded(tf.sell(4), "int4"), FLOATS),
    (coded(by_name("bitmap").only, "int8"), FLOATS),
    (coded(tf.nm(4, 4), "int2"), FLOATS),
    (coded(tf.csr(), "fp8"), FLOATS),
    (coded(tf.COO, "fp8"), FLOATS),
    (coded(BLOCKS, "fp8", group=4), FLOATS),
    (coded(tf.bsr(2, 32), "mx"), FLOATS),
    (coded(WIDE, "mx", group=8), FLOATS),
    (coded(tf.csr(), "palette", bits=5), (*FLOATS, t.I8, t.U8, t.I32, t.I64)),
    (coded(tf.sell(4, bits=4), "palette", bits=6), FLOATS),
    (coded(tf.csr(), "planes", p0=4, p1=4), (t.U8, t.I8)),
    (coded(BLOCKS, "planes", p0=8, p1=5, p2=3), (t.U16, t.I16)),
    (coded(by_name("ell").only, "planes", p0=16, p1=16), (t.I32, t.U32)),
)


@pytest.mark.parametrize(("fmt", "dtypes"), CODES, ids=lambda c: str(getattr(c, "name", "")))
def test_what_is_stored_is_the_rounded_table(fmt: Format, dtypes: tuple[t.DType, ...]) -> None:
    for dtype in dtypes:
        for shape in ((6, 40), (7, 33), (3, 0)):
            x = table(11, 0.4, dtype, shape)
            if dtype.is_float:
                x = (normal(12, dtype, shape) * (x != 0)).to(x.dtype) + 0.0
            if fmt.name == "palette":
                x = (x * 2).round() / 2 if dtype.is_float else x
            bound = layouts(fmt, dtype)
            made = pack(bound, from_dense(x), sizes_of(x))
            back, present = dense(made, sizes_of(x))
            expected = rounded(x, fmt.only.values, dtype)
            assert torch.equal(back.double(), torch.where(present, expected.double(), 0.0))
            held = {a.name for a in bound[0].values.arrays(bound[0])}
            assert held <= set(made.parts[0].arrays)
            taken, _ = adopt(bound, [made.parts[0].arrays], sizes_of(x), {})
            assert torch.equal(bits(dense(taken, sizes_of(x))[0]), bits(back))


def test_small_numbers_take_small_memory() -> None:
    x = normal(1, t.F16, (64, 64))
    made = pack(layouts(coded(WIDE, "int4", group=32), t.F16), from_dense(x), sizes_of(x))
    assert made.bytes == 64 * 64 // 2 + 64 * 2 * 2


def refusal(fmt: Format, dtype: t.DType = t.F16, fill: float = 0.0) -> str:
    with pytest.raises(HasteError) as caught:
        layouts(fmt, dtype, fill)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "HST4506" and diagnostic.help
    return diagnostic.message


def test_codes_that_do_not_fit_are_refused() -> None:
    assert refusal(coded(tf.csr(), "int4", group=16)) == (
        "values int4(group = 16) do not fit W: compressed(j; unit = 16) "
        "does not store neighbours side by side"
    )
    assert "does not come in multiples of 16" in refusal(coded(tf.bsr(1, 8), "int4", group=16))
    assert "hold floating-point numbers, not i32" in refusal(coded(WIDE, "int4", group=8), t.I32)
    assert "0 is no multiple" in refusal(coded(WIDE, "int1", group=8))
    assert "its fill is not 0" in refusal(coded(WIDE, "int4"), t.F32, float("inf"))
    assert "no number of its own: compressed(i)" in refusal(coded(by_name("csc").only, "int4"))
    assert "no zero point" in refusal(coded(tf.sell(4), "int4", zero=1))
    assert "do not split the bits" in refusal(coded(WIDE, "planes", p0=4, p1=3), t.U8)
    assert "are no palette of bool" in refusal(coded(WIDE, "palette"), t.BOOL)
    columns = tf.part(*WIDE.levels, order=by_name("dense_columns").only.order)
    assert "the storage order does not end with dense(j)" in refusal(coded(columns, "mx"))


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_codes_without_nan_refuse_it(bad: str) -> None:
    x = normal(2, t.F32)
    x[3, 4] = float(bad)
    for fmt in (coded(WIDE, "int4", group=8), coded(WIDE, "mx", group=8), coded(tf.csr(), "int8")):
        with pytest.raises(TableError, match="HST4018"):
            pack(layouts(fmt), from_dense(x), sizes_of(x))
        with pytest.raises(TableError, match="HST4018"):
            rounded(x, fmt.only.values, t.F32)


def test_a_palette_has_room_for_so_many() -> None:
    x = torch.arange(40.0).reshape(1, 40)
    with pytest.raises(TableError, match="40 different values"):
        pack(layouts(coded(tf.csr(), "palette", bits=5)), from_dense(x), sizes_of(x))
