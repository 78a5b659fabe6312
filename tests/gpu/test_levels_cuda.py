"""Tables on a GPU: packed, read back and checked there, bit for bit as on the CPU."""

from __future__ import annotations

import pytest
import torch

from hastec.ir import types as t
from hastec.ir.format import Format
from hastec.ir.graph import Param
from hastec.levels.adopt import adopt
from hastec.levels.assemble import from_dense, pack, to_dense, unpack
from hastec.levels.faults import TableError
from hastec.levels.stats import describe
from hastec.run.tables import take
from hastec.sym.size import Size
from tests.unit import table_formats as tf
from tests.unit.table_help import Tensor, layouts, table

pytestmark = pytest.mark.gpu

SIZES = {"M": 37, "N": 53}
W = Param("W", t.F16, (Size.of("M"), Size.of("N")), sparse=True)


@pytest.mark.parametrize("fmt", tf.EXACT, ids=lambda f: f.name)
@pytest.mark.parametrize("dtype", [t.F16, t.F32, t.BF16, t.I8, t.U16, t.BOOL], ids=str)
def test_packing_is_the_same_on_both(fmt: Format, dtype: t.DType) -> None:
    x = table(1, 0.3, dtype, (37, 53))
    bound = layouts(fmt, dtype)
    here, there = (pack(bound, from_dense(y), SIZES) for y in (x, x.cuda()))
    for mine, theirs in zip(here.parts, there.parts, strict=True):
        assert mine.numbers == theirs.numbers
        for name, array in mine.arrays.items():
            other: Tensor = theirs.arrays[name]
            assert other.is_cuda and torch.equal(raw(array), raw(other).cpu()), name
    back: Tensor = to_dense(unpack(there, SIZES))[0]
    assert torch.equal(raw(back).cpu(), raw(x))
    taken, ordered = adopt(bound, [p.arrays for p in there.parts], SIZES, {})
    # Where a position holds nothing, what stands there is not to be trusted: packed again.
    assert ordered or unpack(there, SIZES).count < there.slots
    assert torch.equal(raw(to_dense(unpack(taken, SIZES))[0]), raw(back))


def raw(x: Tensor) -> Tensor:
    return x.view(torch.uint8)


def test_statistics_are_the_same_on_both() -> None:
    x = table(2, 0.3, t.F16, (37, 53))
    here, there = (describe(e.coords, e.shape) for e in (from_dense(x), from_dense(x.cuda())))
    assert here.json() == there.json()
    assert here.padding(4, 8) == there.padding(4, 8)


def test_broken_tables_are_refused_before_they_are_read() -> None:
    def broken(starts: list[int], index: list[int]) -> object:
        values = torch.ones(len(index), dtype=torch.float16, device="cuda")
        return torch.sparse_csr_tensor(
            torch.tensor(starts).cuda(), torch.tensor(index).cuda(), values, (2, 2),
            check_invariants=False,
        )  # fmt: skip

    for starts, index in (([0, 1, 9], [0, 1]), ([0, 2, 1], [0, 1]), ([0, 1, 2], [0, 2**40])):
        with pytest.raises(TableError):
            take(W, broken(starts, index))
    torch.cuda.synchronize()
    assert take(W, broken([0, 1, 2], [0, 1]), device="cuda").shape == (2, 2)
    with pytest.raises(TableError, match="HST4007"):
        take(W, torch.ones(2, 2, dtype=torch.float16), device="cuda")
