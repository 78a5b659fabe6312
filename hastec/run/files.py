"""Tables from files: Matrix Market, sparse patterns (smtx), NumPy, SciPy and safetensors files.

Nothing in a file is ever run, sizes are read before memory is taken, and whatever is
wrong is a TableError HST4021 with the line or member it is in (HST4022 if it is too large).
"""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastec.arrays import Array, torch_module
from hastec.ir.graph import Param
from hastec.ir.types import Kind
from hastec.levels.faults import TableError, shown_bytes
from hastec.run.intake import tensor_of
from hastec.run.matrix_market import MatrixText, read_matrix, read_pattern
from hastec.run.other_tables import from_mapping
from hastec.run.safetensors_file import read_tensor
from hastec.run.validate import refuse

SAFETENSORS = ".safetensors"
LIMIT = 4 << 30
"""The most bytes a file may hold once it is unpacked."""


def read_table(param: Param, path: Path, seed: int | None = None) -> object:
    """Return what a file holds, in a form :func:`hastec.run.tables.take` accepts.

    ``.mtx`` and ``.smtx`` (both also ``.gz``), ``.npy``, and ``.npz`` as SciPy's ``save_npz``
    writes it or with one dense array, ``.safetensors`` (a tensor of several is named behind the
    path: ``model.safetensors:layer.weight``). Numbers written as text take the declared type; a
    pattern's values are ones, or drawn with ``seed``: normal floats, integers of -8 … 8.
    """
    path, member = _member_of(path)
    name = path.name.removesuffix(".gz")
    suffix = Path(name).suffix
    if not path.is_file():
        rule = f"is bound to {path}, which is no regular file"
        raise refuse(param, "HST4021", rule, "check the path")
    try:
        match suffix:
            case ".mtx":
                return _from_text(param, path, read_matrix(_text(param, path)), seed)
            case ".smtx":
                return _from_text(param, path, read_pattern(_text(param, path)), seed)
            case ".npy" if name == path.name:
                return _numpy(path.open("rb"), path.stat().st_size)
            case ".npz" if name == path.name:
                return _archive(param, path)
            case ".safetensors" if name == path.name:
                return read_tensor(path, member, path.stat().st_size)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise _unreadable(param, path, str(error)) from error
    known = ".mtx, .mtx.gz, .smtx, .smtx.gz, .npy, .npz, .safetensors"
    rule = f"is bound to {path}, whose kind is unknown"
    raise refuse(param, "HST4021", rule, f"use one of {known}")


def _member_of(path: Path) -> tuple[Path, str]:
    """Split ``file.safetensors:name`` unless a file has that very name."""
    before, sign, member = str(path).partition(f"{SAFETENSORS}:")
    if sign and not path.is_file():
        return Path(before + SAFETENSORS), member
    return path, ""


def _unreadable(param: Param, path: Path, why: str) -> TableError:
    return refuse(param, "HST4021", f"cannot be read from {path}: {why}", "write the file again")


def _too_large(param: Param, path: Path) -> TableError:
    rule = f"is bound to {path}, which holds more than {shown_bytes(LIMIT)}"
    return refuse(param, "HST4022", rule, "read it yourself and pass the arrays")


def _text(param: Param, path: Path) -> str:
    """Return the text of a file, unpacked if need be, but never more than the limit."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise _too_large(param, path)
    return data.decode("ascii", "strict")


def _from_text(param: Param, path: Path, found: MatrixText, seed: int | None) -> object:
    """Return a matrix that was written as text, in the declared type."""
    numbers = found.values if seed is None or not found.pattern else _drawn(param, found, seed)
    values = tensor_of(param, _as_type(param, path, numbers))
    if param.dtype.numpy == "bfloat16":
        made: Array = torch_module().Tensor.to(values, torch_module().bfloat16)
        values = made
    if found.starts is not None:
        return from_mapping(
            param,
            {
                "indptr": found.starts,
                "indices": found.columns,
                "values": values,
                "shape": found.shape,
            },
        )
    if found.rows is None:
        return values.reshape(*found.shape)
    return from_mapping(
        param,
        {"row": found.rows, "col": found.columns, "values": values, "shape": found.shape},
    )


def _drawn(param: Param, found: MatrixText, seed: int) -> NDArray[Any]:
    """Return random values for the entries of a pattern."""
    draw = np.random.default_rng(seed)
    if param.dtype.kind is Kind.FLOAT:
        return draw.standard_normal(len(found.values))
    low, high = {Kind.BOOL: (1, 2), Kind.UINT: (0, 9)}.get(param.dtype.kind, (-8, 9))
    return draw.integers(low, high, len(found.values))


def _as_type(param: Param, path: Path, values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in the declared type; HST4018 if one does not fit."""
    if param.dtype.kind is Kind.FLOAT:
        kind = "float32" if param.dtype.numpy == "bfloat16" else param.dtype.numpy
        with np.errstate(over="ignore"):
            return values.astype(kind)
    made = values.astype(param.dtype.numpy)
    wrong = np.flatnonzero(made.astype(values.dtype) != values)
    if wrong.size:
        rule = f"holds {values[wrong[0]]} in {path}, which {param.dtype} cannot"
        raise refuse(param, "HST4018", rule, "declare a type that holds it")
    return made


def _numpy(file: Any, size: int) -> NDArray[Any]:
    with file:
        return read_array(file, size)


def read_array(file: Any, size: int) -> NDArray[Any]:
    """Return the array in an open ``.npy`` file of ``size`` bytes; ValueError if it is unsound."""
    reader: Any = np.lib.format
    version = reader.read_magic(file)
    read = {(1, 0): reader.read_array_header_1_0, (2, 0): reader.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version} of the NumPy format")
    shape, _, dtype = read[version](file)
    count = 1
    for extent in shape:
        count *= extent
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if min(shape, default=0) < 0 or count * dtype.itemsize > size:
        raise ValueError(f"it states {shape} {dtype}, more than the file holds")
    file.seek(0)
    made: NDArray[Any] = reader.read_array(file)  # refuses objects by itself
    return made


def _archive(param: Param, path: Path) -> object:
    """Return the sparse matrix, or the one dense array, of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
        if sum(i.file_size for i in members.values()) > LIMIT:
            raise _too_large(param, path)
        arrays = {}
        for name, info in members.items():
            arrays[name] = _member(archive, info)
    if "format" in arrays:
        return _scipy_archive(arrays)
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    raise ValueError(
        f"it holds {', '.join(arrays) or 'nothing'}: neither one array nor a sparse one"
    )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        return read_array(file, info.file_size)


def _scipy_archive(arrays: Mapping[str, NDArray[Any]]) -> dict[str, object]:
    """Return the components ``save_npz`` wrote, as a mapping."""
    kind = arrays["format"].item()
    layout = kind.decode("ascii") if isinstance(kind, bytes) else str(kind)
    wanted = {
        "csr": ("indptr", "indices", "data"),
        "csc": ("indptr", "indices", "data"),
        "bsr": ("indptr", "indices", "data"),
        "coo": ("row", "col", "data"),
    }
    if layout not in wanted:
        raise ValueError(f"it holds a {layout!r} matrix; csr, csc, bsr and coo can be read")
    missing = [name for name in (*wanted[layout], "shape") if name not in arrays]
    if missing:
        raise ValueError(f"its {', '.join(missing)} is missing")
    found: dict[str, object] = {name: arrays[name] for name in wanted[layout]}
    found["shape"] = tuple(int(n) for n in arrays["shape"].ravel())
    return found if layout == "coo" else {**found, "layout": layout}
