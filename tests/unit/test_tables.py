"""What may be handed in as a table, in every container, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from hastec.ir import types as t
from hastec.ir.format import CodeSpec, Cut, Format
from hastec.ir.graph import Param
from hastec.levels import registry
from hastec.levels.assemble import to_dense, unpack
from hastec.levels.faults import TableError
from hastec.run.oracle import as_oracle, split_of
from hastec.run.tables import TableValue, take
from hastec.run.validate import within_reach
from hastec.sym.size import Size
from tests.unit import table_formats as tf
from tests.unit.table_help import Tensor, by_name, layouts, packed, table

X = table(21, 0.4, t.F32, (8, 12))


def param(rank: int = 2, dtype: t.DType = t.F32, **more: Any) -> Param:
    shape = tuple(Size.of(n) for n in ("H", "M", "N")[-rank:])
    return Param("W", dtype, shape, **{"sparse": True, **more})


def dense(value: TableValue) -> Tensor:
    return to_dense(value.entries(), value.param.fill)[0]


def scipy(kind: str) -> Any:
    return sp.csr_array(X.numpy()).asformat(kind)


GIVEN: dict[str, tuple[Any, str]] = {
    "tensor": (X, ""),
    "numpy": (X.numpy(), ""),
    "coo": (X.to_sparse(), "coo"),
    "csr": (X.to_sparse_csr(), "csr"),
    "csc": (X.to_sparse_csc(), "csc"),
    "bsr": (X.to_sparse_bsr((2, 3)), "bsr"),
    "bsc": (X.to_sparse_bsc((4, 2)), "bsc"),
    **{f"scipy {k}": (scipy(k), k) for k in ("csr", "csc", "bsr", "coo")},
    **{f"scipy {k}": (scipy(k), "coo") for k in ("dia", "dok", "lil")},
    "scipy matrix": (sp.csr_matrix(X.numpy()), "csr"),
}


@pytest.mark.parametrize("name", GIVEN)
def test_containers(name: str) -> None:
    given, kind = GIVEN[name]
    value = take(param(), given)
    assert torch.equal(dense(value), X)
    assert (value.format.name if value.format else "") == kind or name in ("scipy dia", "scipy dok")


@pytest.mark.parametrize("given", ["csr", "csc", "bsr", "bsc", "coo"])
@pytest.mark.parametrize("fmt", tf.EXACT, ids=lambda f: f.name)
def test_any_container_into_any_format(given: str, fmt: Format) -> None:
    value = take(param(), GIVEN[given][0])
    sizes = {"M": 8, "N": 12}
    made = value.in_layouts(layouts(fmt), sizes)
    expected = packed(fmt, X)
    for mine, theirs in zip(made.parts, expected.parts, strict=True):
        if given in ("csr", "csc", "coo"):
            assert all(torch.equal(mine.arrays[n], x) for n, x in theirs.arrays.items())
        assert mine.layout.table == theirs.layout.table


def test_a_format_that_fits_is_taken_as_it_is() -> None:
    given = X.to_sparse_csr()
    value = take(param(), given)
    assert value.format is not None and value.format.only.index.name == "i64"
    made = value.in_layouts(layouts(by_name("csr_i64")), {"M": 8, "N": 12})
    (mine,) = made.parts
    assert mine.arrays["val"].data_ptr() == given.values().data_ptr()
    assert mine.arrays["1.crd"].data_ptr() == given.col_indices().data_ptr()
    assert str(mine.layout.shape[0]) == "M"
    other = value.in_layouts(layouts(by_name("csr")), {"M": 8, "N": 12})
    assert str(getattr(other.parts[0].arrays["1.crd"], "dtype", "")) == "torch.int32"


def test_narrow_indices_are_kept() -> None:
    value = take(param(), scipy("csr"))  # SciPy has int32 here
    assert value.format is not None and value.format.only.index.name == "i32"
    made = value.in_layouts(layouts(by_name("csr")), {"M": 8, "N": 12})
    assert made.parts[0].arrays["1.crd"].tolist() == scipy("csr").indices.tolist()


def test_batches_and_dense_dimensions() -> None:
    y = table(22, 0.5, t.F32, (3, 8, 12))
    for sparse_dims in (1, 2, 3):
        assert torch.equal(dense(take(param(3), y.to_sparse(sparse_dims))), y)
    z = y.clone()
    z[:] = y[0]  # batches of a compressed tensor have as many entries each
    for given in (z.to_sparse_csr(), z.to_sparse_csc(), z.to_sparse_bsr((2, 3))):
        value = take(param(3), given)
        assert value.format is not None and torch.equal(dense(value), z)
    w = table(23, 0.5, t.F32, (8, 12, 5))
    assert torch.equal(dense(take(param(3), w.to_sparse_csr(dense_dim=1))), w)
    assert torch.equal(dense(take(param(3), w.to_sparse_bsr((4, 4), dense_dim=1))), w)


def test_order_does_not_matter_but_duplicates_do() -> None:
    rows, columns = X.nonzero(as_tuple=True)
    mixed = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    index = torch.stack((rows, columns))[:, mixed]
    value = take(param(), torch.sparse_coo_tensor(index, X[rows, columns][mixed], X.shape))
    assert torch.equal(dense(value), X) and value.format is None
    twice = torch.sparse_coo_tensor([[1, 1], [2, 2]], [1.0, 2.0], (8, 12))
    with pytest.raises(TableError, match=r"HST4014.*\[1, 2\] occurs twice"):
        take(param(), twice)


def test_stored_zeros_are_entries_and_other_fills_are_left_out() -> None:
    explicit = torch.sparse_csr_tensor([0, 1, 2], [1, 0], [0.0, 3.0], size=(2, 2))
    assert take(param(), explicit).entries().count == 2
    infinite = torch.tensor([[1.0, float("inf")], [float("inf"), float("nan")]])
    value = take(param(fill=float("inf")), infinite)
    assert value.entries().count == 2


def test_bool_tables_are_patterns() -> None:
    mask = X != 0
    for given in (mask, mask.to_sparse(), sp.csr_array(mask.numpy())):
        assert torch.equal(dense(take(param(dtype=t.BOOL), given)), mask)


def oracle(p: Param, given: object) -> tuple[Any, Any]:
    found = as_oracle(p, take(p, given))
    return found.values, found.present


def test_the_oracle_sees_what_formats_hold() -> None:
    values, present = oracle(param(), X)
    assert np.array_equal(values, X.numpy()) and np.array_equal(present, X.numpy() != 0)
    _, present = oracle(param(sparse=False, format=by_name("bsr_2_3")), X)
    blocks = (X.numpy() != 0).reshape(4, 2, 4, 3).any((1, 3))
    assert np.array_equal(present, np.kron(blocks, np.ones((2, 3), bool)))
    _, present = oracle(param(sparse=False, format=tf.fmt("nm", tf.nm(4, 4))), X)
    assert present.all()
    plain, none = oracle(param(sparse=False), X)
    assert np.array_equal(plain, X.numpy()) and none is None


def test_the_oracle_sees_rounded_values() -> None:
    code = CodeSpec("int4", (("group", 4),))
    part = replace(tf.part(tf.level("dense", tf.ROW), tf.level("dense", tf.COL)), values=code)
    values, present = oracle(param(sparse=False, format=tf.fmt("dense", part)), X)
    step = np.abs(X.numpy().reshape(8, 3, 4)).max(-1, keepdims=True) / np.float32(7)
    with np.errstate(invalid="ignore"):
        near = np.nan_to_num(np.round(X.numpy().reshape(8, 3, 4) / step)) * step
    assert np.array_equal(values, near.reshape(8, 12)) and present is None
    blocks = replace(tf.bsr(2, 4), values=code)
    values, present = oracle(param(sparse=False, format=tf.fmt("bsr", blocks)), X)
    assert np.array_equal(values, near.reshape(8, 12)) and present.any()


def test_the_oracle_carries_bf16_as_float32() -> None:
    values, _ = oracle(param(dtype=t.BF16), X.bfloat16())
    assert values.dtype == np.float32 and np.array_equal(values, X.numpy())


def test_the_oracle_refuses_what_it_cannot_spell_out() -> None:
    wide = torch.sparse_coo_tensor([[0], [0]], [1.0], (2**20, 2**20))
    with pytest.raises(TableError, match=r"HST4017.*TiB"):
        oracle(param(), wide)
    p = param(sparse=False, format=TAIL)
    with pytest.raises(TableError, match="HST4023"):
        as_oracle(p, take(p, X))


TAIL = Format("tail", ("i", "j"), (by_name("bitmap").only, by_name("dense").only), Cut("i", "c"))


def test_a_format_may_change_at_a_cut() -> None:
    p = param(sparse=False, format=TAIL)
    for c in (0, 3, 8, 9):
        found = as_oracle(p, take(p, X), cuts={"c": c})
        assert np.array_equal(found.values, X.numpy())
        assert found.present is not None
        assert np.array_equal(found.present, (X.numpy() != 0) | (np.arange(8) >= c)[:, None])
        split = split_of(p, TAIL, {"c": c})
        made = take(p, X).in_layouts(layouts(TAIL), {"M": 8, "N": 12}, split=split)
        assert made.parts[0].slots == int((X[:c] != 0).sum()) and made.parts[1].slots == 96
        back = unpack(made, {"M": 8, "N": 12}, split)
        assert torch.equal(to_dense(back)[0], X)


def test_parts_of_a_sum_round_on_their_own() -> None:
    form = by_name("nm_2_4_csr")
    first, second = form.parts
    code = CodeSpec("int4", ())
    form = replace(form, parts=(first, replace(second, values=code)))
    values, present = oracle(param(sparse=False, format=form), X)
    rest = X.clone()
    for i in range(8):
        for j in range(0, 12, 4):
            rest[i, j + X[i, j : j + 4].nonzero().ravel()[:2]] = 0
    expected = (X - rest) + rounded(rest, code)
    assert np.array_equal(values, expected.numpy()) and present.any()


def rounded(x: Tensor, code: CodeSpec) -> Tensor:
    return registry.rounded(x, code, t.F32)


def test_wide_tables_cost_what_they_hold() -> None:
    shape = (2**40 + 5, 2**20)
    value = take(param(), torch.sparse_coo_tensor([[2**40], [7]], [1.0], shape))
    assert value.shape == shape and value.entries().count == 1
    sizes = dict(zip("MN", shape, strict=True))
    rows = tf.part(tf.level("compressed", tf.ROW), tf.level("compressed", tf.COL), index="i64")
    made = value.in_layouts(layouts(tf.fmt("rows", rows)), sizes)
    assert made.bytes == 36 and made.parts[0].arrays["0.crd"].tolist() == [2**40]
    with pytest.raises(TableError, match="HST4018"):
        value.in_layouts(layouts(by_name("dcsr")), sizes)
    with pytest.raises(TableError, match="HST4017"):
        value.in_layouts(layouts(by_name("csr_i64")), sizes)


def test_a_gpu_reads_host_tables_only_where_they_are_locked() -> None:
    """Its kernels would read memory they cannot: refused, or moved where copies are allowed."""

    class Locked:
        def __init__(self, locked: bool) -> None:
            self.locked = locked

        def is_pinned(self) -> bool:
            return self.locked

        def pin_memory(self) -> Locked:
            return Locked(True)

    def reached(param: Param, locked: bool, device: str | None, copy: bool = False) -> Locked:
        found: Any = within_reach(param, Locked(locked), device, copy=copy)
        assert isinstance(found, Locked)
        return found

    host = Param("E", t.F16, (Size.of("V"),), host=True)
    for param, device in ((host, "cpu"), (host, None), (replace(host, host=False), "cuda:0")):
        assert not reached(param, False, device).locked
    assert reached(host, True, "cuda:0").locked
    assert reached(host, False, "cuda:0", copy=True).locked
    with pytest.raises(TableError, match=r"HST4007.*page-locked(?s:.*)E\.pin_memory"):
        reached(host, False, "cuda:0")
