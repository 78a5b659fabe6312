"""Sparse tables broken in one place: what is broken, in which containers, and what must happen.

Every case either is taken and right (``OK``) or raises a TableError of the codes it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

Tensor: TypeAlias = Any
Parts: TypeAlias = dict[str, Any]
"""``starts``, ``index`` and ``values`` as tensors, and ``shape``."""

OK = ""
ROWS, COLUMNS = 6, 8


@dataclass(frozen=True)
class Case:
    """One way to break a table; ``codes`` are the errors allowed, ``OK`` if it may be taken."""

    name: str
    change: Callable[[Parts], None]
    codes: tuple[str, ...]


def put(key: str, at: int, value: int) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        parts[key] = parts[key].clone()
        parts[key][..., at] = value

    return change


def kind(key: str, dtype: torch.dtype) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        parts[key] = parts[key].to(dtype)

    return change


def apply(key: str, f: Callable[[Tensor], Any]) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        parts[key] = f(parts[key])

    return change


def misaligned(x: Tensor) -> Tensor:
    wide = torch.zeros(x.numel() + 1, dtype=x.dtype)
    wide[1:] = x.reshape(-1)
    return wide[1:].reshape(x.shape)


def every_other(x: Tensor) -> Tensor:
    return torch.stack((x, x), -1)[..., 0]


def freed(x: Tensor) -> Tensor:
    x = x.clone()
    x.untyped_storage().resize_(0)
    return x


STARTS = (
    Case("starts one short", apply("starts", lambda x: x[:-1]), ("HST4010",)),
    Case("starts one long", apply("starts", lambda x: torch.cat((x, x[-1:]))), ("HST4010",)),
    Case("no starts", apply("starts", lambda x: x[:0]), ("HST4010",)),
    Case("first start 1", put("starts", 0, 1), ("HST4011",)),
    Case("first start negative", put("starts", 0, -1), ("HST4011",)),
    Case("last start too small", put("starts", -1, 4), ("HST4011", "HST4010")),
    Case("last start too large", put("starts", -1, 100), ("HST4010",)),
    Case("starts decrease", put("starts", 2, 99), ("HST4011",)),
    Case("a start negative", put("starts", 3, -5), ("HST4011",)),
    Case("a start past the end", put("starts", 1, 10**6), ("HST4011",)),
    Case("last start 2^31", put("starts", -1, 2**31), ("HST4016", "HST4010")),
    Case("last start 2^62", put("starts", -1, 2**62), ("HST4016", "HST4010")),
    Case("starts float", kind("starts", torch.float32), ("HST4002",)),
    Case("starts bool", kind("starts", torch.bool), ("HST4002",)),
    Case("starts int8", kind("starts", torch.int8), ("HST4002",)),
    Case("starts uint64", kind("starts", torch.uint64), ("HST4002",)),
    Case("starts complex", kind("starts", torch.complex64), ("HST4001", "HST4002")),
    Case("starts two-dimensional", apply("starts", lambda x: x[None]), ("HST4010",)),
    Case("starts a number", apply("starts", lambda x: x[0]), ("HST4010",)),
    Case("starts not contiguous", apply("starts", every_other), (OK,)),
    Case("starts misaligned", apply("starts", misaligned), (OK,)),
    Case("starts int32", kind("starts", torch.int32), (OK,)),
    Case("starts without data", apply("starts", lambda x: x.to("meta")), ("HST4008",)),
    Case("starts freed", apply("starts", freed), ("HST4008",)),
    Case("starts sparse", apply("starts", lambda x: x.to_sparse()), ("HST4001",)),
)
INDEX = (
    Case("index negative", put("index", 3, -1), ("HST4012",)),
    Case("index the size", put("index", 3, COLUMNS), ("HST4012",)),
    Case("index far past", put("index", 3, 10**6), ("HST4012",)),
    Case("index 2^31", put("index", 3, 2**31), ("HST4012",)),
    Case("index 2^63 - 1", put("index", 3, 2**63 - 1), ("HST4012",)),
    Case("index -2^63", put("index", 3, -(2**63)), ("HST4012",)),
    Case("index one short", apply("index", lambda x: x[..., :-1]), ("HST4010",)),
    Case("index one long", apply("index", lambda x: torch.cat((x, x[-1:]))), ("HST4010",)),
    Case("index float", kind("index", torch.float64), ("HST4002",)),
    Case("index bool", kind("index", torch.bool), ("HST4002",)),
    Case("index uint8", kind("index", torch.uint8), ("HST4002",)),
    Case("index three-dimensional", apply("index", lambda x: x[None, None]), ("HST4010",)),
    Case("index not contiguous", apply("index", every_other), (OK,)),
    Case("index misaligned", apply("index", misaligned), (OK,)),
    Case("index int32", kind("index", torch.int32), (OK,)),
    Case("index without data", apply("index", lambda x: x.to("meta")), ("HST4008",)),
    Case("index freed", apply("index", freed), ("HST4008",)),
)
SPECIAL = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45])


def special(x: Tensor) -> Tensor:
    flat = x.clone().reshape(-1)
    flat[:5] = SPECIAL
    return flat.reshape(x.shape)


VALUES = (
    Case("values NaN, Inf, -0.0, subnormal", apply("values", special), (OK,)),
    Case("values f64", kind("values", torch.float64), ("HST4002",)),
    Case("values f16", kind("values", torch.float16), ("HST4002",)),
    Case("values integer", kind("values", torch.int32), ("HST4002",)),
    Case("values complex", kind("values", torch.complex64), ("HST4001", "HST4002")),
    Case("values one short", apply("values", lambda x: x[:-1]), ("HST4010",)),
    Case("values one long", apply("values", lambda x: torch.cat((x, x[-1:]))), ("HST4010",)),
    Case("no values", apply("values", lambda x: x[:0]), ("HST4010",)),
    Case("values a number", apply("values", lambda x: x.reshape(-1)[0]), ("HST4010",)),
    Case("values with a dimension more", apply("values", lambda x: x[..., None]), ("HST4010",)),
    Case(
        "values all one number", apply("values", lambda x: x.reshape(-1)[:1].expand(x.shape)), (OK,)
    ),
    Case("values not contiguous", apply("values", every_other), (OK,)),
    Case("values misaligned", apply("values", misaligned), (OK,)),
    Case("values with a gradient", apply("values", lambda x: x.clone().requires_grad_()), (OK,)),
    Case("values without data", apply("values", lambda x: x.to("meta")), ("HST4008",)),
    Case("values freed", apply("values", freed), ("HST4008",)),
)
SHAPES = (
    Case("shape of other rows", apply("shape", lambda s: (s[0] + 12, s[1])), ("HST4010",)),
    Case("shape of fewer columns", apply("shape", lambda s: (s[0], 4)), ("HST4012",)),
    Case("shape without columns", apply("shape", lambda s: (s[0], 0)), ("HST4012",)),
    Case("shape without rows", apply("shape", lambda s: (0, s[1])), ("HST4010", "HST4012")),
    Case("shape negative", apply("shape", lambda s: (s[0], -1)), ("HST4004",)),
    Case("shape of one dimension", apply("shape", lambda s: (s[0],)), ("HST4010", "HST4003")),
    Case("shape of three", apply("shape", lambda s: (1, *s)), ("HST4010", "HST4003")),
    Case("no shape", apply("shape", lambda s: ()), ("HST4010", "HST4003")),
    Case("shape of floats", apply("shape", lambda s: (6.0, 8.0)), ("HST4004",)),
    Case("shape a text", apply("shape", lambda s: "6x8"), ("HST4009",)),
    Case("shape of 2^40 columns", apply("shape", lambda s: (s[0], 2**40)), (OK,)),
    Case("shape past 2^63", apply("shape", lambda s: (s[0], 2**63)), ("HST4004",)),
)


def duplicate(parts: Parts) -> None:
    parts["index"] = parts["index"].clone()
    parts["index"][..., 1] = parts["index"][..., 0]


def unsorted(parts: Parts) -> None:
    """Swap two entries of the first fibre, values included: the same table in another order."""
    swap = torch.arange(parts["values"].shape[0])
    swap[0], swap[1] = 1, 0
    parts["index"] = parts["index"][..., swap]
    parts["values"] = parts["values"][swap]


ORDER = (
    Case("a coordinate twice", duplicate, ("HST4014",)),
    Case("coordinates out of order", unsorted, (OK,)),
)
CASES = (*STARTS, *INDEX, *VALUES, *SHAPES, *ORDER)


def csr(x: Tensor) -> Parts:
    """Return the components of a CSR table of all rows with at least two entries in the first."""
    rows, columns = x.nonzero(as_tuple=True)
    starts = torch.zeros(x.shape[0] + 1, dtype=torch.int64)
    starts[1:] = torch.bincount(rows, minlength=x.shape[0]).cumsum(0)
    return {"starts": starts, "index": columns, "values": x[rows, columns], "shape": tuple(x.shape)}


def bsr(x: Tensor, r: int = 2, c: int = 2) -> Parts:
    """Return the components of a table in blocks."""
    blocks = x.reshape(x.shape[0] // r, r, x.shape[1] // c, c).transpose(1, 2)
    parts = csr(blocks.ne(0).any(-1).any(-1))
    rows = torch.repeat_interleave(torch.arange(blocks.shape[0]), parts["starts"].diff())
    values = blocks[rows, parts["index"]].contiguous()
    return {**parts, "values": values, "shape": tuple(x.shape)}


def coo(x: Tensor) -> Parts:
    """Return coordinates; ``starts`` are absent."""
    index = torch.stack(x.nonzero(as_tuple=True))
    return {"index": index, "values": x[tuple(index)], "shape": tuple(x.shape)}


def table() -> Tensor:
    """Return a table of small whole numbers whose first row has several entries."""
    g = torch.Generator().manual_seed(1)
    x = torch.randint(1, 9, (ROWS, COLUMNS), generator=g).float()
    x = x * (torch.rand(ROWS, COLUMNS, generator=g) < 0.4)
    x[0, :4] = torch.tensor([1.0, 0.0, 2.0, 3.0])
    return x


def numpy_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _numpy(v) if isinstance(v, torch.Tensor) else v for k, v in parts.items()}


def _numpy(x: Tensor) -> Any:
    if x.numel() and not x.untyped_storage().nbytes():
        raise RuntimeError("NumPy cannot know that memory is gone")
    return x.numpy()
