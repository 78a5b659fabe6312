"""Sparse tables as their libraries and users keep them: each is a format and its arrays.

A CSR matrix of torch or SciPy already is a table in the format ``dense(i), compressed(j)``; so
are the other layouts in theirs. Nothing is computed here: arrays are named after the levels they
belong to, and checked as any arrays are that somebody else made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hastec.arrays import Array, concat, first_true, kind_of, long, numbers
from hastec.ir.format import CodeSpec, Coord, Format, LevelSpec, Part
from hastec.ir.graph import Param
from hastec.run.validate import refuse

Rows: TypeAlias = Literal[0, 1]
"""Which of the two last dimensions is the outer one of a compressed table."""


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """A sparse table as given: ``arrays`` by the names of levels, ``labels`` as users know them.

    One mapping a part of ``format``. ``notes`` say what was converted.
    """

    kind: str
    format: Format
    shape: tuple[int, ...]
    arrays: tuple[Mapping[str, Array], ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def names(count: int, prefix: str) -> tuple[str, ...]:
    """Return names of dimensions."""
    return tuple(f"{prefix}{n}" for n in range(count))


def index_of(kind: str) -> CodeSpec:
    """Return the index code of arrays of an integer type (others are refused later)."""
    return CodeSpec("i64" if kind == "int64" else "i32")


def compressed_format(
    rows: Rows, lead: int, block: tuple[int, int] | None, tail: int, index: CodeSpec
) -> Format:
    """Return CSR (``rows`` 0) or CSC (1), of blocks if given, with dense dimensions around."""
    outer = names(lead, "b")
    dims = ("i", "j") if rows == 0 else ("j", "i")
    levels = [LevelSpec("dense", Coord(dim)) for dim in outer]
    if block is None:
        levels += [LevelSpec("dense", Coord(dims[0])), LevelSpec("compressed", Coord(dims[1]))]
    else:
        by = {"i": block[0], "j": block[1]}
        levels += [
            LevelSpec("dense", Coord(dims[0], "/", by[dims[0]])),
            LevelSpec("compressed", Coord(dims[1], "/", by[dims[1]])),
            LevelSpec("dense", Coord("i", "%", by["i"])),
            LevelSpec("dense", Coord("j", "%", by["j"])),
        ]
    inner = names(tail, "e")
    levels += [LevelSpec("dense", Coord(dim)) for dim in inner]
    name = ("csr", "csc")[rows] if block is None else ("bsr", "bsc")[rows]
    arguments = () if block is None else (("r", block[0]), ("c", block[1]))
    part = Part(tuple(levels), index=index)
    return Format(name, (*outer, "i", "j", *inner), (part,), arguments=arguments)


def coordinate_format(sparse: int, tail: int, index: CodeSpec) -> Format:
    """Return COO over ``sparse`` dimensions, with ``tail`` dense ones inside."""
    dims, inner = names(sparse, "i"), names(tail, "e")
    once = () if sparse == 1 else (("unique", 0),)
    levels = [LevelSpec("compressed", Coord(dims[0]), once)]
    levels += [LevelSpec("singleton", Coord(dim)) for dim in dims[1:]]
    levels += [LevelSpec("dense", Coord(dim)) for dim in inner]
    return Format("coo", (*dims, *inner), (Part(tuple(levels), index=index),))


# --------------------------------------------------------------------------------------- arrays
def coo(
    param: Param, kind: str, shape: tuple[int, ...], index: list[Array], values: Array, label: str
) -> Components:
    """Return coordinates, one array a dimension, and values (with dense dimensions behind)."""
    if not 1 <= len(index) <= len(shape) or len(values.shape) < 1:
        rule = f"has {len(index)} coordinates an entry and values of shape {list(values.shape)}"
        raise refuse(param, "HST4010", rule, f"give a coordinate for each of {list(shape)}")
    count = index[0].shape[0] if index[0].shape else 0
    check_tail(param, tuple(values.shape), (values.shape[0],), shape[len(index) :], "values")
    arrays = {f"{n}.crd": row.reshape(-1) for n, row in enumerate(index)}
    arrays["0.pos"] = numbers((0, count), values)
    arrays["val"] = values.reshape(-1)
    labels = {f"{n}.crd": f"{label}[{n}]" for n in range(len(index))}
    form = coordinate_format(len(index), len(shape) - len(index), index_of(kind_of(index[0])))
    return Components(kind, form, shape, (arrays,), {**labels, "val": "values"})


def compressed(
    param: Param,
    kind: str,
    shape: tuple[int, ...],
    rows: Rows,
    lead: int,
    block: tuple[int, ...] | None,
    starts: Any,
    index: Any,
    values: Any,
    labels: tuple[str, str],
) -> Components:
    """Return a compressed table; ``lead`` batch dimensions have as many entries each."""
    pair = None if block is None else check_block(param, block, shape[lead : lead + 2])
    outer = tuple(values.shape[: lead + 1])
    inside = shape[lead + 2 :] if pair is None else (*pair, *shape[lead + 2 :])
    check_tail(param, tuple(values.shape), outer, inside, "values")
    if tuple(starts.shape[:lead]) != shape[:lead] or tuple(index.shape) != outer:
        rule = f"has {labels[0]} {list(starts.shape)}, {labels[1]} {list(index.shape)} and values"
        rule += f" {list(values.shape)}, which do not belong together"
        raise refuse(param, "HST4010", rule, "give one index a value, and one start a row")
    if lead:
        starts = _joined(param, starts, index.shape[-1], labels[0])
    arrays = {f"{lead + 1}.pos": starts, f"{lead + 1}.crd": index.reshape(-1)}
    arrays["val"] = values.reshape(-1)
    form = compressed_format(rows, lead, pair, len(shape) - lead - 2, index_of(kind_of(index)))
    known = {f"{lead + 1}.pos": labels[0], f"{lead + 1}.crd": labels[1], "val": "values"}
    return Components(kind, form, shape, (arrays,), known)


def check_block(param: Param, block: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int]:
    """Check that blocks are not empty and divide the table."""
    rows, columns = block
    if rows < 1 or columns < 1 or shape[0] % rows or shape[1] % columns:
        rule = f"has blocks of {rows} x {columns}, which do not divide {list(shape)}"
        raise refuse(param, "HST4010", rule, "pad the table to whole blocks")
    return rows, columns


def check_tail(
    param: Param,
    have: tuple[int, ...],
    outer: tuple[int, ...],
    inside: tuple[int, ...],
    label: str,
) -> None:
    """Check that values have the dimensions an entry has, behind those that count entries."""
    if have != (*outer, *inside):
        rule = f"has {label} of shape {list(have)}, where {[*outer, *inside]} was expected"
        raise refuse(param, "HST4010", rule, "give one value an entry")


def _joined(param: Param, starts: Any, count: int, label: str) -> Array:
    """Return the starts of all batches in a row; each must run from 0 to ``count``."""
    flat = long(starts.reshape(-1, starts.shape[-1]))
    batches = flat.shape[0]
    at = first_true(flat[:, 0].ne(0) | flat[:, -1].ne(count)) if flat.shape[1] else 0
    if at >= 0:
        rule = f"has a batch (number {at}) whose {label} do not run from 0 to {count}"
        raise refuse(param, "HST4011", rule, "give every batch as many entries")
    base = (numbers(range(batches), flat) * count).reshape(-1, 1)
    whole = (flat[:, :-1] + base).reshape(-1)
    return concat((whole, numbers((batches * count,), flat)))
