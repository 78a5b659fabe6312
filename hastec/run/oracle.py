"""Tables spelled out for the graph interpreter, which knows neither formats nor codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastec.arrays import Array, arange, torch_module, where
from hastec.ir.format import RAW, Format, Part
from hastec.ir.graph import Param
from hastec.ir.interp.table import Table
from hastec.levels.assemble import Split, pack, to_dense, unpack
from hastec.levels.formats import bind_format
from hastec.levels.packed import Packed
from hastec.levels.registry import Registry, default_registry, rounded
from hastec.run.sizes import too_big
from hastec.run.tables import TableValue
from hastec.run.validate import refuse
from hastec.sym.size import Size

LIMIT = 1 << 32
"""The most bytes of a table that is spelled out."""
LOSSLESS, DENSE = ("huffman",), ("paged",)
"""Words of the language that nothing packs yet: codes of the same values, levels of all places."""


def as_oracle(
    param: Param,
    value: TableValue,
    registry: Registry | None = None,
    cuts: Mapping[str, int] | None = None,
) -> Table:
    """Return a table as the interpreter takes it: all values, rounded by the value code of the
    declared format, and which entries it holds by that format.

    ``cuts`` holds the scalars and sizes at which formats are joined at run time. Raises TableError
    HST4017 past 4 GiB, HST4023 if a cut is not known, and what packing raises.
    """
    registry = registry or default_registry()
    param = replace(param, format=_meant(param.format, registry))
    form, stored = param.format, chosen(param)
    if value.dense is not None and not param.sparse and (form is None or form.dense):
        code = RAW if form is None else form.only.values
        return Table(to_numpy(rounded(value.dense, code, param.dtype)), None, param.fill)
    _check_size(param, value)
    if stored is None:
        values, present = to_dense(value.entries(), param.fill)
        values = values if form is None else rounded(values, form.only.values, param.dtype)
    else:
        values, present = _stored(param, value, stored, registry, cuts or {})
    return Table(to_numpy(values), np.asarray(to_numpy(present), np.bool_), param.fill)


def _meant(form: Format | None, registry: Registry) -> Format | None:
    """Return a format that means the same and can be packed."""
    if form is None:
        return None
    return replace(form, parts=tuple(_packable(part, registry) for part in form.parts))


def _packable(part: Part, registry: Registry) -> Part:
    dense = set(DENSE) - set(registry.levels)
    levels = tuple(
        replace(level, kind="dense", options=()) if level.kind in dense else level
        for level in part.levels
    )
    same = part.values.name in LOSSLESS and part.values.name not in registry.values
    return replace(part, levels=levels, values=RAW if same else part.values)


def _stored(
    param: Param, value: TableValue, form: Format, registry: Registry, cuts: Mapping[str, int]
) -> tuple[Array, Array]:
    """Return the values and presence of a table in a format, part by part."""
    shape = tuple(Size.of(n) for n in value.shape)
    bare = replace(form, parts=tuple(replace(part, values=RAW) for part in form.parts))
    layouts = bind_format(bare, param.name, param.dtype, shape, registry, param.fill)
    split = split_of(param, form, cuts)
    packed = pack(layouts, value.entries(), {}, split=split)
    values, present = to_dense(value.entries().pick(arange(0, value.entries().values)), param.fill)
    for side, (held, part) in enumerate(zip(packed.parts, form.parts, strict=True)):
        entries = unpack(Packed((held,)), {})
        entries = entries if split is None else split.halves(entries)[side]
        mine, here = to_dense(entries, param.fill)
        values = where(here, rounded(mine, part.values, param.dtype), values)
        present = present | here
    return values, present


def split_of(param: Param, form: Format, cuts: Mapping[str, int]) -> Split | None:
    """Return where a format is joined at run time (None: nowhere); HST4023 if it is not known."""
    if form.cut is None:
        return None
    if form.cut.bound not in cuts:
        rule = f"has a format that changes at {form.cut.bound}, whose value is not known"
        raise refuse(param, "HST4023", rule, f"give {form.cut.bound} first")
    axis = len(param.shape) - len(form.dims) + form.dims.index(form.cut.dim)
    return Split(axis, cuts[form.cut.bound])


def chosen(param: Param) -> Format | None:
    """Return the declared format; None if only its codes are, and the levels are to be chosen."""
    form = param.format
    return form if form is not None and all(part.levels for part in form.parts) else None


def _check_size(param: Param, value: TableValue) -> None:
    need = param.dtype.bytes + 1
    for extent in value.shape:
        need *= extent
    if need > LIMIT:
        raise too_big(param, need, LIMIT)


def to_numpy(x: Array) -> NDArray[Any]:
    """Return a tensor as a NumPy array in host memory; bf16 becomes float32."""
    torch = torch_module()
    tensor: Any = x
    host = tensor.detach().cpu()
    if host.dtype == torch.bfloat16:
        host = host.float()
    made: NDArray[Any] = host.numpy()
    return made
