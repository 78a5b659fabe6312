"""Invented tables: random, all zeros or counting, of the declared type and valid as indices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final, Literal, TypeAlias
from zlib import crc32

from hastec.arrays import torch_module
from hastec.ir.graph import Param
from hastec.ir.types import Kind
from hastec.run.demands import Demand
from hastec.run.sizes import too_big
from hastec.run.validate import refuse

Way: TypeAlias = Literal["random", "integers", "zeros", "ones", "range"]
WAYS: Final[tuple[Way, ...]] = ("random", "integers", "zeros", "ones", "range")

SPARSE_DENSITY = 0.1
"""Entries of an invented sparse table, where nothing else is said."""
LARGEST = 8
"""Invented integers, and floats that must add up exactly, lie in -8 … 8."""
LIMIT = 8 << 30
"""Bytes of the largest table that is invented."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to invent a table: ``random:4096x16``, ``random:64x64@0.1``, ``range:17@64``.

    ``shape`` is None where it follows from sizes that others tell. ``amount`` is the share of
    entries that are not the fill, or the step of a range.
    """

    way: Way
    shape: tuple[int, ...] | None = None
    amount: float | None = None


def read_recipe(text: str) -> Recipe | None:
    """Return the recipe in ``way:AxB@amount``, ``way@amount`` or ``way``; None if it is none."""
    found = re.fullmatch(r"([a-z]+)(?::([0-9]{1,18}(?:x[0-9]{1,18})*))?(?:@([0-9.]{1,18}))?", text)
    way = next((w for w in WAYS if found is not None and w == found[1]), None)
    if found is None or way is None:
        return None
    shape = tuple(int(n) for n in found[2].split("x")) if found[2] else None
    try:
        amount = float(found[3]) if found[3] else None
    except ValueError:
        return None
    return Recipe(way, shape, amount)


def invent(
    param: Param,
    recipe: Recipe,
    *,
    seed: int = 0,
    demand: Demand | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Any:
    """Return a dense tensor for ``param`` made by a recipe; the same seed gives the same tensor.

    ``random`` floats are normal, integers are -8 … 8, or valid subscripts where ``demand`` (under
    ``sizes``) asks for them; of tables declared sparse 9 in 10 elements are the fill. Raises
    TableError HST4004 for a shape of another number of dimensions, HST4017 past 8 GiB.
    """
    shape = _shape(param, recipe, sizes or {})
    need = prod(shape) * max(4, param.dtype.bytes)
    if need > LIMIT:
        raise too_big(param, need, LIMIT)
    torch = torch_module()
    draw = torch.Generator().manual_seed(seed ^ crc32(param.name.encode()))
    if demand is not None and demand.limits and sizes is not None and recipe.way != "range":
        made = _indices(demand, recipe.way, shape, demand.below(sizes), draw)
    else:
        made = _sparse(param, recipe, _values(param, recipe, shape, draw), draw)
    return made.to(getattr(torch, param.dtype.numpy)).reshape(shape)


def _shape(param: Param, recipe: Recipe, sizes: Mapping[str, int]) -> tuple[int, ...]:
    if recipe.shape is None:
        return tuple(size.evaluate(sizes) for size in param.shape)
    if len(recipe.shape) != len(param.shape):
        rule = f"is invented with the shape {list(recipe.shape)}"
        raise refuse(param, "HST4003", rule, f"give it {len(param.shape)} dimensions")
    return recipe.shape


def _values(param: Param, recipe: Recipe, shape: tuple[int, ...], draw: Any) -> Any:
    torch = torch_module()
    match recipe.way:
        case "zeros":
            return torch.zeros(shape)
        case "ones":
            return torch.ones(shape)
        case "range":
            step = 1.0 if recipe.amount is None else recipe.amount
            return torch.arange(prod(shape), dtype=torch.float64) * step
        case "random" if param.dtype.kind is Kind.FLOAT and not param.dtype.stores_only:
            return torch.randn(shape, generator=draw)
        case _:
            low, high = _span(param)
            return torch.randint(low, high + 1, shape, generator=draw)


def _span(param: Param) -> tuple[int, int]:
    """Return the least and greatest integer that is invented for a type."""
    if param.dtype.stores_only and param.dtype.is_float:
        return 0, LARGEST  # bit patterns of small positive numbers
    match param.dtype.kind:
        case Kind.BOOL:
            return 0, 1
        case Kind.UINT:
            return 0, min(LARGEST, (1 << param.dtype.bits) - 1)
        case Kind.INT:
            half = 1 << (param.dtype.bits - 1)
            return max(-LARGEST, -half), min(LARGEST, half - 1)
        case Kind.FLOAT:
            return -LARGEST, LARGEST


def _sparse(param: Param, recipe: Recipe, values: Any, draw: Any) -> Any:
    """Put the fill where a table shall have no entry."""
    torch, density = torch_module(), recipe.amount
    if recipe.way == "range":
        return values
    if density is None and param.sparse and recipe.way in ("random", "integers"):
        density = SPARSE_DENSITY
    if density is None:
        return values
    here = torch.rand(values.shape, generator=draw) < density
    if param.dtype.kind is Kind.BOOL:
        return here
    fill = float(param.fill)
    # An entry that happens to equal the fill would be no entry.
    values = torch.where(values == fill, torch.ones_like(values), values).to(torch.float64)
    return torch.where(here, values, torch.full_like(values, fill))


def _indices(demand: Demand, way: Way, shape: tuple[int, ...], below: int, draw: Any) -> Any:
    """Return elements of 0 .. ``below``; ascending from 0 to the last where ranges begin there."""
    torch = torch_module()
    if way == "zeros" or below <= 1:
        return torch.zeros(shape, dtype=torch.int64)
    found = torch.randint(0, below, shape, generator=draw)
    if not demand.ascending or not shape or not prod(shape):
        return found
    found = found.sort(dim=-1).values
    found[..., 0], found[..., -1] = 0, below - 1
    return found
