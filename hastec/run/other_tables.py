"""Sparse matrices of SciPy and mappings of components, as formats and arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hastec.arrays import Array
from hastec.ir.graph import Param
from hastec.levels.faults import TableError
from hastec.run.components import Components, Rows, compressed, coo
from hastec.run.intake import tensor_of
from hastec.run.validate import refuse, shown

COMPRESSED: Mapping[str, Rows] = {"csr": 0, "bsr": 0, "csc": 1, "bsc": 1}
STORED = ("indptr", "indices", "data")
OF_LEVELS = re.compile(r"(p\d+\.)?(\d+\.)?[a-z_]+")


def from_scipy(param: Param, x: Any) -> Components:
    """Return the components of a SciPy sparse array or matrix, unchecked."""
    if x.format in ("dia", "lil", "dok"):
        x = x.tocoo()  # these hold no indices of ours to check
    shape = _shape(param, x.shape)
    if x.format == "coo":
        coords = x.coords if hasattr(x, "coords") else (x.row, x.col)
        places = [tensor_of(param, c, f"coords[{n}]") for n, c in enumerate(coords)]
        return coo(param, "coo", shape, places, tensor_of(param, x.data, "data"), "coords")
    if x.format not in COMPRESSED or len(shape) != 2:
        rule = f"is a SciPy {x.format} array of {len(shape)} dimensions"
        raise refuse(param, "HST4001", rule, "pass a csr, csc, bsr or coo array")
    starts, index, values = (tensor_of(param, getattr(x, n), n) for n in STORED)
    return _starts(param, x.format, shape, starts, index, values)


def from_mapping(param: Param, given: Mapping[str, object]) -> Components:
    """Return the components a mapping names.

    ``indptr, indices, values`` (csr; ``layout`` says csc, bsr, bsc; values of three dimensions are
    blocks), ``row, col, values`` or ``indices, values`` (coo), or the arrays of the declared
    format by the names of its levels (``1.pos``, ``1.crd``, ``val``). ``shape`` is always given.
    """
    shape = _shape(param, given.get("shape"))
    layout = given.get("layout")
    arrays = {
        name: tensor_of(param, x, name)
        for name, x in given.items()
        if name not in ("shape", "layout")
    }
    if "data" in arrays and "values" not in arrays:
        arrays["values"] = arrays.pop("data")
    match frozenset(arrays):
        case names if names == {"indptr", "indices", "values"}:
            kind = (
                layout
                if layout is not None
                else ("bsr" if len(arrays["values"].shape) == 3 else "csr")
            )
            if not isinstance(kind, str) or kind not in COMPRESSED:
                advice = f"use one of {', '.join(COMPRESSED)}"
                raise refuse(param, "HST4009", f"has the layout {kind!r}, which is unknown", advice)
            return _starts(
                param, kind, shape, *(arrays[n] for n in ("indptr", "indices", "values"))
            )
        case names if names == {"row", "col", "values"}:
            return coo(
                param, "coo", shape, [arrays["row"], arrays["col"]], arrays["values"], "row, col"
            )
        case names if names == {"indices", "values"} and len(arrays["indices"].shape) == 2:
            rows = [arrays["indices"][n] for n in range(arrays["indices"].shape[0])]
            return coo(param, "coo", shape, rows, arrays["values"], "indices")
        case names if _has_levels(param) and all(OF_LEVELS.fullmatch(n) for n in names):
            return _levels(param, shape, arrays)
        case _:
            raise _unknown(param, arrays)


def _has_levels(param: Param) -> bool:
    return param.format is not None and all(part.levels for part in param.format.parts)


def _unknown(param: Param, arrays: Mapping[str, Array]) -> TableError:
    rule = f"has components {', '.join(arrays) or 'none'}, which make no known table"
    advice = "give indptr, indices, values and shape, or row, col, values and shape"
    return refuse(param, "HST4009", rule, advice)


def _shape(param: Param, shape: object) -> tuple[int, ...]:
    """Return the shape a mapping states; HST4009 if it states none, HST4004 if it cannot be one."""
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        advice = "add shape = (rows, columns)"
        raise refuse(param, "HST4009", "is given by components without a shape", advice)
    found = tuple(
        int(n) for n in shape if isinstance(n, int | np.integer) and not isinstance(n, bool)
    )
    if len(found) != len(shape) or any(not 0 <= n < 2**63 for n in found):
        rule = f"has the shape [{', '.join(shown(n) for n in shape)}]"
        raise refuse(param, "HST4004", rule, "give whole numbers from 0 to 2^63 - 1")
    return found


def _starts(
    param: Param, kind: str, shape: tuple[int, ...], starts: Array, index: Array, values: Array
) -> Components:
    if len(shape) != 2 or len(starts.shape) != 1 or len(index.shape) != 1:
        rule = f"has indptr {list(starts.shape)} and indices {list(index.shape)} for {list(shape)}"
        raise refuse(param, "HST4010", rule, "give arrays of one dimension and a shape of two")
    blocks = kind.startswith("b")
    if len(values.shape) != (3 if blocks else 1):
        rule = f"has values of shape {list(values.shape)} in a {kind} table"
        raise refuse(param, "HST4010", rule, "give one value (or block) an index")
    block = tuple(values.shape[1:]) if blocks else None
    labels = ("indptr", "indices")
    return compressed(param, kind, shape, COMPRESSED[kind], 0, block, starts, index, values, labels)


def _levels(param: Param, shape: tuple[int, ...], arrays: Mapping[str, Array]) -> Components:
    """Return the arrays of the declared format, sorted into its parts."""
    form = param.format
    if form is None:
        raise _unknown(param, arrays)
    parts: list[dict[str, Array]] = [{} for _ in form.parts]
    for name, x in arrays.items():
        head, _, rest = name.partition(".")
        many = len(parts) > 1
        number = int(head[1:]) if many and head[:1] == "p" and head[1:].isdigit() else 0
        if many and (head[:1] != "p" or number >= len(parts)):
            advice = f"write p0.{name} … p{len(parts) - 1}.{name}"
            raise refuse(param, "HST4009", f"component {name} belongs to no part", advice)
        parts[number][rest if many else name] = x
    return Components(form.name, form, shape, tuple(parts))
