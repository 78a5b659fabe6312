"""Tables spelled out for the graph interpreter, which knows neither formats nor codes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastec.arrays import Array, torch_module
from hastec.ir.format import RAW, Format
from hastec.ir.graph import Param
from hastec.ir.interp.table import Table
from hastec.levels.assemble import pack, to_dense, unpack
from hastec.levels.formats import bind_format
from hastec.levels.registry import Registry, default_registry, rounded
from hastec.run.sizes import too_big
from hastec.run.tables import TableValue
from hastec.run.validate import refuse
from hastec.sym.size import Size

LIMIT = 1 << 32
"""The most bytes of a table that is spelled out."""


def as_oracle(param: Param, value: TableValue, registry: Registry | None = None) -> Table:
    """Return a table as the interpreter takes it: all values, rounded by the value code of the
    declared format, and which entries it holds by that format.

    Raises TableError HST4017 past 4 GiB, HST4023 for a format with a run-time cut.
    """
    form = param.format
    if value.dense is not None and not param.sparse and (form is None or form.dense):
        code = RAW if form is None else form.only.values
        return Table(to_numpy(rounded(value.dense, code, param.dtype)), None, param.fill)
    _check_size(param, value)
    entries = value.entries()
    if form is not None and form.cut is not None:
        advice = "leave the format out, or pass the table dense"
        raise refuse(param, "HST4023", "has a format with a run-time cut", advice)
    if form is not None:
        shape = tuple(Size.of(n) for n in value.shape)
        bound = bind_format(
            _uncoded(form),
            param.name,
            param.dtype,
            shape,
            registry or default_registry(),
            param.fill,
        )
        entries = unpack(pack(bound, entries, {}), {})
    dense, present = to_dense(entries, param.fill)
    if form is not None:
        dense = rounded(dense, form.parts[0].values, param.dtype)
    return Table(to_numpy(dense), np.asarray(to_numpy(present), np.bool_), param.fill)


def _uncoded(form: Format) -> Format:
    return replace(form, parts=tuple(replace(part, values=RAW) for part in form.parts))


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
