"""Random tables of every kind that generated programs read."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from hastec.ir.graph import Param
from hastec.ir.interp import Table
from hastec.ir.types import BF16, BITS, BOOL, F16, F32, F64, I8, I32, I64, U8
from hastec.sym.size import Size

FLOATS = (F32, F32, F16, BF16)
Shape = tuple[Size, ...]
Extents = tuple[int, ...]


class Inputs:
    """Draws declarations and tables: small integers, ties, empty rows, -1 in index tables."""

    def __init__(self, seed: int, exact: bool) -> None:
        self.random = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        self.exact = exact

    def numbers(self, extents: Extents) -> NDArray[np.float64]:
        return self.numpy.integers(-8, 9, extents).astype(np.float64)

    def draw(
        self, kind: str, name: str, shape: Shape, extents: Extents, below: int
    ) -> tuple[Param, Table]:
        """Draw a table of a kind; index tables, lengths and offsets point below ``below``."""
        match kind:
            case "float":
                dtype = self.random.choice(FLOATS if self.exact else (*FLOATS, F64))
                return Param(name, dtype, shape), Table(self.numbers(extents))
            case "int":
                dtype = self.random.choice((I32, I8))
                return Param(name, dtype, shape), Table(self.numbers(extents).astype(np.int64))
            case "bool":
                dtype = self.random.choice((BOOL, BITS))
                return Param(name, dtype, shape), Table(self.numpy.random(extents) < 0.5)
            case "sparse":
                return self._sparse(name, shape, extents)
            case "index":
                values = self.numpy.integers(-1, below, extents)
                return Param(name, I32, shape), Table(values)
            case "length":
                values = self.numpy.integers(0, below + 1, extents)
                values[self.numpy.random(extents) < 0.25] = 0
                return Param(name, self.random.choice((I32, U8)), shape), Table(values)
            case _:
                cuts = np.sort(self.numpy.integers(0, below + 1, extents[0] + 1))
                return Param(name, I64, (shape[0] + 1,)), Table(cuts)

    def _sparse(self, name: str, shape: Shape, extents: Extents) -> tuple[Param, Table]:
        values = self.numbers(extents)
        present = self.numpy.random(extents) < 0.4
        present[: extents[0] // 3] = False  # empty rows
        # A zero that was drawn stays a stored zero.
        values = np.where(present, values, 0)
        return Param(name, self.random.choice(FLOATS), shape, sparse=True), Table(values, present)
