"""Dense arguments that cannot be read as they are declared, and those that only look odd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hastec.ir import types as t
from hastec.ir.graph import Param
from hastec.levels.faults import TableError
from hastec.run.tables import take
from hastec.run.validate import check_indices, check_overlap
from hastec.sym.size import Size

SHAPE = (Size.of("M"), Size.of("N"))


def param(dtype: t.DType = t.F32, shape: tuple[Size, ...] = SHAPE, **more: Any) -> Param:
    return Param("X", dtype, shape, **more)


def code(p: Param, given: object, **how: Any) -> str:
    with pytest.raises(TableError) as caught:
        take(p, given, **how)
    (found,) = caught.value.diagnostics
    assert found.message.startswith("X: ") and found.help
    return found.code


def freed() -> Any:
    x = torch.ones(4, 4)
    x.untyped_storage().resize_(0)
    return x


def quantized() -> Any:
    return torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)


def fake() -> Any:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        return torch.ones(2, 2)


masked: Any = np.ma  # not typed
masked = masked.masked_array(np.ones((2, 2), np.float32))
REFUSED: dict[str, tuple[Any, str]] = {
    "a list": ([[1.0]], "HST4001"),
    "a tuple": ((1.0, 2.0), "HST4001"),
    "None": (None, "HST4001"),
    "a set": ({1.0}, "HST4001"),
    "a number": (1.0, "HST4001"),
    "an object": (object(), "HST4001"),
    "a function": (len, "HST4001"),
    "bytes": (b"1234", "HST4001"),
    "a masked array": (masked, "HST4001"),
    "an array of objects": (np.array([[None]]), "HST4002"),
    "an array of text": (np.array([["a"]]), "HST4002"),
    "a structured array": (np.zeros((2, 2), "f4,f4"), "HST4002"),
    "dates": (np.zeros((2, 2), "datetime64[s]"), "HST4002"),
    "complex numbers": (np.zeros((2, 2), np.complex64), "HST4002"),
    "long doubles": (np.zeros((2, 2), np.longdouble), "HST4002"),
    "the other byte order": (np.zeros((2, 2), ">f4"), "HST4002"),
    "f64 for f32": (torch.ones(2, 2, dtype=torch.float64), "HST4002"),
    "f16 for f32": (torch.ones(2, 2, dtype=torch.float16), "HST4002"),
    "i32 for f32": (torch.ones(2, 2, dtype=torch.int32), "HST4002"),
    "bool for f32": (torch.ones(2, 2, dtype=torch.bool), "HST4002"),
    "NumPy f64 for f32": (np.ones((2, 2)), "HST4002"),
    "one dimension": (torch.ones(4), "HST4003"),
    "three dimensions": (torch.ones(4, 4, 4), "HST4003"),
    "nine dimensions": (torch.ones((1,) * 9), "HST4003"),
    "a 0-d tensor": (torch.tensor(1.0), "HST4003"),
    "transposed": (torch.ones(4, 5).T, "HST4006"),
    "every second column": (torch.ones(4, 8)[:, ::2], "HST4006"),
    "expanded": (torch.ones(4, 1).expand(4, 4), "HST4006"),
    "backwards": (np.ones((4, 4), np.float32)[::-1], "HST4006"),
    "misaligned": (torch.ones(17)[1:].reshape(4, 4), "HST4006"),
    "on meta": (torch.ones(2, 2, device="meta"), "HST4008"),
    "freed": (freed(), "HST4008"),
    "a zero tensor": (torch._efficientzerotensor((2, 2)), "HST4008"),
    "fake": (fake(), "HST4001"),
    "quantized": (quantized(), "HST4001"),
    "complex tensor": (torch.ones(2, 2, dtype=torch.complex64), "HST4001"),
    "nested": (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "HST4001"),
    "sparse": (torch.eye(3).to_sparse(), "HST4001"),
    "a path that is not there": ("nothing.mtx", "HST4021"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    given, expected = REFUSED[case]
    assert code(param(), given) == expected


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (1, 1), (1, 7), (7, 1)])
def test_small_shapes_are_taken(shape: tuple[int, int]) -> None:
    value = take(param(), torch.ones(shape))
    assert value.shape == shape and value.dense is not None


def test_strides_of_dimensions_of_one_do_not_matter() -> None:
    x = torch.ones(4, 8)[:, :1].reshape(4, 1).as_strided((1, 4), (99, 1))
    assert take(param(), x).shape == (1, 4)


def test_special_values_are_data() -> None:
    x = torch.tensor([[float("nan"), float("inf"), -0.0, 1e-45]])
    taken: Any = take(param(), x).dense
    assert torch.equal(taken.view(torch.int32), x.view(torch.int32))


ODD: dict[str, Any] = {
    "transposed": torch.arange(20.0).reshape(4, 5).T,
    "every second column": torch.arange(32.0).reshape(4, 8)[:, ::2],
    "expanded": torch.arange(4.0)[:, None].expand(4, 4),
    "misaligned": torch.arange(17.0)[1:].reshape(4, 4),
    "negated": torch.full((4, 4), 1 + 2j, dtype=torch.complex64).conj().imag,
    "backwards": np.arange(16, dtype=np.float32).reshape(4, 4)[::-1],
    "Fortran order": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
    "read-only": np.broadcast_to(np.float32(3), (4, 4)),
}


@pytest.mark.parametrize("case", ODD)
def test_the_short_way_copies(case: str) -> None:
    x = ODD[case]
    taken: Any = take(param(), x, copy=True).dense
    expected = torch.from_numpy(x.copy()) if isinstance(x, np.ndarray) else x.resolve_neg()
    assert torch.equal(taken, expected)
    assert taken.is_contiguous() and taken.data_ptr() % 16 == 0


def test_tables_that_are_packed_may_lie_in_any_order() -> None:
    x = torch.arange(20.0).reshape(4, 5).T
    entries = take(param(sparse=True), x).entries()
    assert entries.count == 19


def test_what_is_taken_is_not_copied() -> None:
    x, y = torch.ones(4, 4), np.ones((4, 4), np.float32)
    kept: list[Any] = [take(param(), given).dense for given in (x, y)]
    assert [k.data_ptr() for k in kept] == [x.data_ptr(), y.ctypes.data]
    weight = torch.nn.Parameter(torch.ones(4, 4))
    taken: Any = take(param(), weight).dense
    assert taken.data_ptr() == weight.data_ptr() and not taken.requires_grad


def test_integer_tables_change_width_in_the_short_way_only() -> None:
    p = param(t.I32)
    x = torch.tensor([[1, -5]])
    assert code(p, x) == "HST4002"
    taken: Any = take(p, x, copy=True).dense
    assert taken.dtype == torch.int32 and taken.tolist() == [[1, -5]]
    assert code(p, torch.tensor([[2**31]]), copy=True) == "HST4018"
    assert code(param(t.I64), x.int()) == "HST4002"
    wide: Any = take(param(t.I64), x.int(), copy=True).dense
    assert wide.dtype == torch.int64
    assert code(param(t.I8), x, copy=True) == "HST4002"


def test_where_tables_must_be() -> None:
    x = torch.ones(2, 2)
    assert code(param(), x, device="cuda") == "HST4007"
    assert code(param(host=True), x, device="cuda") == "HST4007"  # it is not page-locked
    assert take(param(host=True), x, device="cpu").shape == (2, 2)
    assert take(param(), x, device="cpu").shape == (2, 2)
    s = torch.eye(3).to_sparse_csr()
    assert code(param(sparse=True), s, device="cuda:1") == "HST4007"


SCALAR = {
    (t.F32, 2.5): 2.5,
    (t.F32, 3): 3.0,
    (t.F16, -65504): -65504.0,
    (t.F64, 1e300): 1e300,
    (t.F32, float("inf")): float("inf"),
    (t.I32, -7): -7,
    (t.I8, 127): 127,
    (t.U8, 255): 255,
    (t.I64, 2**63 - 1): 2**63 - 1,
    (t.BOOL, True): True,
    (t.BF16, 1e38): 1e38,
}


def test_numbers_for_scalars() -> None:
    for (dtype, given), expected in SCALAR.items():
        value: Any = take(param(dtype, ()), given).dense
        assert value.item() == torch.tensor(expected, dtype=value.dtype).item()
    numpy: Any = take(param(t.F32, ()), np.float64(0.5)).dense
    assert numpy.item() == 0.5
    assert take(param(t.F32, ()), torch.tensor(1.5)).shape == ()
    assert take(param(t.F32, ()), np.array(1.5, np.float32)).shape == ()


@pytest.mark.parametrize(
    ("dtype", "given", "expected"),
    [
        (t.I32, 1.5, "HST4002"),
        (t.I32, True, "HST4002"),
        (t.F32, True, "HST4002"),
        (t.BOOL, 1, "HST4002"),
        (t.I8, 128, "HST4018"),
        (t.I8, -129, "HST4018"),
        (t.U8, -1, "HST4018"),
        (t.I64, 2**63, "HST4018"),
        (t.F16, 65520, "HST4018"),
        (t.F32, 1e39, "HST4018"),
        (t.F32, 10**5000, "HST4018"),
        (t.F32, "1.5", "HST4021"),
        (t.F32, 1j, "HST4001"),
        (t.F32, torch.ones(1), "HST4003"),
        (t.F32, torch.tensor(1), "HST4002"),
    ],
    ids=range(15),
)
def test_numbers_that_do_not_fit(dtype: t.DType, given: object, expected: str) -> None:
    assert code(param(dtype, ()), given) == expected


def test_indices_are_checked_before_they_are_used() -> None:
    page = torch.tensor([[0, 5], [9, -1]])
    check_indices(page, -1, 10, "page")
    check_indices(page[:0], 0, 1, "page")
    with pytest.raises(
        TableError, match=r"HST4019.*page\[1, 1\] is -1, used as an index of 0 .. 10"
    ):
        check_indices(page, 0, 10, "page")
    with pytest.raises(TableError, match=r"page\[1, 0\] is 9"):
        check_indices(page.int(), -1, 9, "page")


def test_only_what_is_written_must_be_alone() -> None:
    x = torch.ones(8, 4)
    tables = {"K": [x[:4]], "V": [x[4:]], "all": [x], "nothing": [x[:0]]}
    check_overlap(tables, [])
    check_overlap({"K": [x[:4]], "V": [x[4:]]}, ["K", "V"])
    with pytest.raises(TableError, match=r"HST4020.*K: is written and shares memory with all"):
        check_overlap(tables, ["K"])
