"""What the tests of tables share: random tables, packing, reading back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch

from hastec.ir import types as t
from hastec.ir.format import Format
from hastec.levels.assemble import from_dense, pack, to_dense, unpack
from hastec.levels.formats import bind_format
from hastec.levels.packed import Packed
from hastec.levels.protocol import Layout
from hastec.levels.registry import Registry, default_registry
from hastec.sym.size import Size
from tests.unit import table_formats as tf

Tensor: TypeAlias = Any
"""A torch tensor; torch is not typed here."""

SIZES = {"M": 13, "N": 19}


def by_name(name: str) -> Format:
    return next(f for f in tf.EXACT if f.name == name)


def layouts(
    fmt: Format,
    dtype: t.DType = t.F32,
    fill: float = 0.0,
    rank: int = 2,
    registry: Registry | None = None,
) -> tuple[Layout, ...]:
    shape = tuple(Size.of(n) for n in ("H", "M", "N")[3 - rank :])
    return bind_format(fmt, "W", dtype, shape, registry or default_registry(), fill)


def sizes_of(x: Tensor) -> dict[str, int]:
    return dict(zip(("H", "M", "N")[-x.ndim :], x.shape, strict=True))


def packed(fmt: Format, x: Tensor, dtype: t.DType = t.F32, fill: float = 0.0) -> Packed:
    return pack(layouts(fmt, dtype, fill, x.ndim), from_dense(x, fill), sizes_of(x))


def dense(made: Packed, sizes: Mapping[str, int], fill: float = 0.0) -> tuple[Tensor, Tensor]:
    return to_dense(unpack(made, sizes), fill)


def table(seed: int, density: float, dtype: t.DType, shape: tuple[int, ...]) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(0 if dtype.kind is t.Kind.UINT else -8, 9, shape, generator=g)
    keep = torch.rand(shape, generator=g) < density
    return (x * keep).to(getattr(torch, dtype.numpy))


def lone(x: Tensor, row: int = -1, column: int = -1) -> Tensor:
    kept = torch.zeros_like(x)
    if row >= 0:
        kept[row] = x[row]
    else:
        kept[:, column] = x[:, column]
    return kept


def bits(x: Tensor) -> Tensor:
    return x.view({1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[x.itemsize])


def lists(made: Packed, *names: str) -> list[list[Any]]:
    return [made.parts[0].arrays[n].tolist() for n in names]
