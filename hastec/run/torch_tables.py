"""Sparse tensors of torch as formats and arrays; no converter of torch's ever runs on them."""

from __future__ import annotations

from typing import Any

from hastec.ir.graph import Param
from hastec.run.components import Components, Rows, compressed, coo
from hastec.run.intake import tensor_of
from hastec.run.validate import refuse


def from_torch(param: Param, x: Any) -> Components:
    """Return the components of a sparse tensor, unchecked but for their number of dimensions."""
    layout = str(x.layout).removeprefix("torch.sparse_")
    x = x.detach()
    match layout:
        case "coo":
            return _coo(param, x)
        case "csr" | "bsr":
            return _compressed(param, layout, x, 0)
        case "csc" | "bsc":
            return _compressed(param, layout, x, 1)
        case _:
            advice = "pass x.to_dense(), or a torch.sparse_csr tensor"
            raise refuse(param, "HST4001", f"has the layout {x.layout}", advice)


def _part(param: Param, x: Any, name: str) -> Any:
    """Return a component of a sparse tensor, which may be anything."""
    try:
        found = getattr(x, name)()
    except RuntimeError as error:  # what torch raises for components that are themselves sparse
        rule = f"has {name.lstrip('_')} that cannot be read: {error}"
        raise refuse(param, "HST4001", rule, "pass dense components") from error
    return tensor_of(param, found, name.lstrip("_"))


def _coo(param: Param, x: Any) -> Components:
    index, values = (_part(param, x, n) for n in ("_indices", "_values"))
    sparse = x.sparse_dim()
    if index.dim() != 2 or index.shape[0] != sparse or sparse == 0:
        rule = f"has indices of shape {list(index.shape)} for {sparse} sparse dimensions"
        raise refuse(param, "HST4010", rule, "give one row of indices a sparse dimension")
    if values.dim() < 1:
        raise refuse(param, "HST4010", "has values without a dimension", "give one value an entry")
    return coo(param, "coo", tuple(x.shape), list(index), values, "indices")


def _compressed(param: Param, layout: str, x: Any, rows: Rows) -> Components:
    names = ("crow_indices", "col_indices") if rows == 0 else ("ccol_indices", "row_indices")
    starts, index, values = (_part(param, x, n) for n in (*names, "values"))
    shape, blocked = tuple(x.shape), layout.startswith("b")
    lead = starts.dim() - 1
    tail = values.dim() - 1 - lead - (2 if blocked else 0)
    if lead < 0 or tail < 0 or lead + tail + 2 != len(shape) or index.dim() != lead + 1:
        rule = (
            f"has components of {starts.dim()}, {index.dim()} and {values.dim()} dimensions, "
            f"which do not make a {layout} table of {len(shape)}"
        )
        raise refuse(param, "HST4010", rule, "give index arrays of one dimension")
    block = tuple(values.shape[lead + 1 : lead + 3]) if blocked else None
    return compressed(param, layout, shape, rows, lead, block, starts, index, values, names)
