"""Matrices written as text: Matrix Market, and the three-line patterns of the DLMC collection."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIELDS = {"real": np.float64, "double": np.float64, "integer": np.int64, "pattern": np.int64}
SYMMETRIES = {"general": 0, "symmetric": 1, "skew-symmetric": -1}


@dataclass(frozen=True, slots=True, eq=False)
class MatrixText:
    """A matrix as it was written: dense in row order, by ``rows`` and ``columns``, or by
    ``starts`` of rows and ``columns``; indices count from 0, values are float64 or int64.

    ``pattern``: no values were written, and all are ones.
    """

    shape: tuple[int, int]
    values: NDArray[Any]
    rows: NDArray[np.int64] | None = None
    columns: NDArray[np.int64] | None = None
    starts: NDArray[np.int64] | None = None
    pattern: bool = False


def read_pattern(text: str) -> MatrixText:
    """Read a pattern: ``rows, columns, entries``, the starts of rows, the columns of entries.

    Its values are ones. ValueError says which line is unsound.
    """
    lines = [*text.split("\n"), "", ""][:4]
    sizes = _integers(lines[0].replace(",", " "), 1)
    if len(sizes) != 3 or sizes.min() < 0:
        raise ValueError("line 1 must be: rows, columns, entries")
    rows, columns, count = (int(n) for n in sizes)
    starts, index = _integers(lines[1], 2), _integers(lines[2], 3)
    if len(starts) != rows + 1:
        raise ValueError(f"line 2 has {len(starts)} starts for {rows} rows")
    if len(index) != count:
        raise ValueError(f"line 3 has {len(index)} columns, line 1 states {count} entries")
    values = np.ones(count, np.int64)
    return MatrixText((rows, columns), values, columns=index, starts=starts, pattern=True)


def _integers(line: str, number: int) -> NDArray[np.int64]:
    try:
        return np.array(line.split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"line {number}: {error}") from None


def read_matrix(text: str) -> MatrixText:
    """Read a Matrix Market file: coordinate or array; real, integer or pattern; general,
    symmetric or skew-symmetric. ValueError says which line or entry is unsound.
    """
    head, _, body = text.partition("\n")
    banner = head.lower().split()
    if len(banner) != 5 or banner[:2] != ["%%matrixmarket", "matrix"]:
        raise ValueError("line 1 must be: %%MatrixMarket matrix coordinate real general")
    layout, field, symmetry = banner[2:]
    if field not in FIELDS or symmetry not in SYMMETRIES or layout not in ("coordinate", "array"):
        raise ValueError(f"line 1: {layout} {field} {symmetry} is not supported")
    sizes, rest, line = _sizes(body)
    if layout == "array":
        return _array(sizes, rest, field, SYMMETRIES[symmetry], line)
    return _coordinate(sizes, rest, field, SYMMETRIES[symmetry], line)


def _sizes(body: str) -> tuple[tuple[int, ...], str, int]:
    """Return the numbers of the size line, the text behind it and how many lines came before."""
    line = 1
    while body:
        head, _, body = body.partition("\n")
        line += 1
        if head.strip() and not head.lstrip().startswith("%"):
            sizes = _integers(head, line)
            if len(sizes) and sizes.min() >= 0:
                return tuple(int(n) for n in sizes), body, line
            break
    raise ValueError(f"line {line} must state the number of rows, columns and entries")


def _table(text: str, columns: int, field: str, line: int) -> NDArray[Any]:
    """Return the numbers of a text, one row a line."""
    if not text.strip():
        return np.zeros((0, columns), FIELDS[field])
    try:
        found = np.loadtxt(io.StringIO(text), dtype=FIELDS[field], comments="%", ndmin=2)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"after line {line}: {error}") from None
    if found.shape[1] != columns:
        raise ValueError(f"after line {line}: {found.shape[1]} numbers a line, not {columns}")
    made: NDArray[Any] = found
    return made


def _coordinate(
    sizes: tuple[int, ...], text: str, field: str, mirror: int, line: int
) -> MatrixText:
    if len(sizes) != 3:
        raise ValueError(f"line {line} must state the number of rows, columns and entries")
    height, width, count = sizes
    table = _table(text, 2 if field == "pattern" else 3, field, line)
    if len(table) != count:
        raise ValueError(f"it has {len(table)} entries, line {line} states {count}")
    rows, columns = (table[:, n].astype(np.int64) - 1 for n in (0, 1))
    for what, index, size in (("row", rows, height), ("column", columns, width)):
        wrong = np.flatnonzero((index < 0) | (index >= size))
        if wrong.size:
            at = int(wrong[0])
            raise ValueError(f"entry {at + 1} names {what} {index[at] + 1} of {size}")
    values = np.ones(count, np.int64) if field == "pattern" else table[:, 2]
    if not mirror:
        return MatrixText((height, width), values, rows, columns, pattern=field == "pattern")
    other = rows != columns
    both = np.concatenate((rows, columns[other])), np.concatenate((columns, rows[other]))
    values = np.concatenate((values, mirror * values[other]))
    return MatrixText((height, width), values, *both, pattern=field == "pattern")


def _array(sizes: tuple[int, ...], text: str, field: str, mirror: int, line: int) -> MatrixText:
    if len(sizes) != 2 or field == "pattern":
        raise ValueError(f"line {line} must state the number of rows and columns")
    height, width = sizes
    column = _table(text, 1, field, line)[:, 0]
    if mirror and height != width:
        raise ValueError(f"it is symmetric and has {height} rows, {width} columns")
    diagonal = 1 if mirror < 0 else 0
    count = height * (height + 1) // 2 - diagonal * height if mirror else height * width
    if len(column) != count:
        raise ValueError(f"it has {len(column)} numbers, {count} were stated")
    if not mirror:
        return MatrixText((height, width), column.reshape(width, height).T.ravel())
    whole = np.zeros((height, height), column.dtype)
    # Columns of the lower triangle, one after the other, are rows of the upper one.
    columns, rows = np.triu_indices(height, diagonal)
    whole[columns, rows] = mirror * column
    whole[rows, columns] = column
    return MatrixText((height, width), whole.ravel())
