"""Formats of two dimensions that kernels are checked in: the ready ones and compositions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hastec.ir.interp import Table
from tests.agree.reference.sums import Floats


@dataclass(frozen=True)
class Stored:
    """A format by the text of its layout; ``@`` starts a ready one. ``most`` of ``per``
    neighbours are not 0 where the format has no room for more.
    """

    name: str
    layout: str
    most: int = 0
    per: int = 4

    def __str__(self) -> str:
        return self.name

    @property
    def declaration(self) -> str:
        """The text in front of a program that names the format."""
        ready = not self.layout or self.layout.startswith("@")
        return "" if ready else f"format mine(i, j) = {self.layout}\n"

    @property
    def in_order(self) -> bool:
        """Whether coordinates can only be read one after the other."""
        return "delta" in self.layout

    @property
    def parts(self) -> int:
        return 1 + self.layout.count("+")

    @property
    def at(self) -> str:
        """What follows a table's type."""
        return self.layout if self.layout.startswith("@") or not self.layout else "@ mine"

    def fit(self, values: Floats) -> Floats:
        """Return values with those set to 0 that the format has no room for."""
        kept = values.copy()
        for start in range(0, values.shape[-1], self.per) if self.most else ():
            group = kept[..., start : start + self.per]
            group[np.cumsum(group != 0, axis=-1) > self.most] = 0
        return kept


FORMATS = (
    Stored("dense", ""),
    Stored("csr", "@ csr"),
    Stored("csc", "@ csc"),
    Stored("coo", "@ coo"),
    Stored("ell", "@ ell"),
    Stored("sell", "@ sell(4)"),
    Stored("bsr", "@ bsr(2, 4)"),
    Stored("bitmap", "@ bitmap"),
    Stored("nm", "@ nm(2, 4)", most=2),
    Stored("dcsr", "compressed(i), compressed(j)"),
    Stored("bitmap_of_rows", "bitmap(i), compressed(j)"),
    Stored("bitmap_of_blocks", "dense(i / 2), bitmap(j / 4), dense(i % 2), dense(j % 4)"),
    Stored("blocks_of_bitmaps", "dense(i / 4), compressed(j / 8), dense(i % 4), bitmap(j % 8)"),
    Stored("block_rows", "dense(i / 4), ragged(j / 4), dense(i % 4), dense(j % 4)"),
    Stored("segments", "dense(i / 4), dense(j / 32), dense(i % 4), ragged(j % 32; pad = j / 32)"),
    Stored("columns_first", "dense(j / 8), compressed(i), dense(j % 8)"),
    Stored("deltas", "dense(i / 4), dense(i % 4), ragged(j; pad = i / 4) index delta(4)"),
    Stored("csr_deltas", "dense(i), compressed(j) index delta(3)"),
    Stored("sum", "dense(i), fixed(j; k = 2) index u8 + dense(i), compressed(j) index u16"),
    Stored("sum_of_blocks", "dense(i), dense(j / 4), choose(j % 4; n = 1) + coo(i, j)"),
)
"""All hold any table, but for those with ``most``."""

LOOKED_UP = tuple(f for f in FORMATS if not f.in_order)
WHOLE = tuple(f for f in FORMATS if f.parts == 1)


def table(shape: tuple[int, ...], seed: int, density: float = 0.35) -> Floats:
    """Return small whole numbers, most of them 0, with an empty row and a full one."""
    random = np.random.default_rng(seed)
    values = random.integers(1, 4, shape) * random.choice((-1, 1), shape)
    values[random.random(shape) >= density] = 0
    if shape[-2] > 2:
        values[..., 1, :], values[..., 2, :] = 0, 1
    found: Floats = values.astype(np.float64)
    return found


def dense(shape: tuple[int, ...], seed: int) -> Table:
    """Return a table of small whole numbers."""
    return Table(np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float64))
