"""The value code of tables whose values are stored as they are."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.arrays import Array, kind_of, put, take
from hastec.ir.format import CodeSpec
from hastec.ir.kernel import Value
from hastec.ir.types import BOOL, I8, U8, DType
from hastec.levels.checking import Checking
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Layout, Stored
from hastec.levels.unpacking import Unpacking

CARRIERS = {"bool": BOOL, "int8": I8, "uint8": U8}
"""What types that only store travel in."""


@dataclass(frozen=True, slots=True)
class Raw:
    """``raw``: one value a position, in the type of the table (or the type that carries it)."""

    spec: CodeSpec
    dtype: DType
    per_word: int = 1
    sequential: bool = False
    unit: int = 1

    @property
    def word(self) -> DType:
        """The type of a stored value."""
        return CARRIERS[self.dtype.numpy] if self.dtype.stores_only else self.dtype

    def refuse(self, layout: Layout) -> str:
        """Return "": any layout will do."""
        return ""

    def arrays(self, layout: Layout) -> tuple[Stored, ...]:
        """Return the values."""
        return (Stored("val", self.word),)

    def read(self, at: Cursor, mask: Value | None, other: float = 0) -> Value:
        """Return the value at the cursor as it is stored, ``other`` where masked off."""
        position = at.position(len(at.layout.levels) - 1)
        return at.load("val", self.word, position, mask, at.layout.table, other)

    def rounded(self, values: Array) -> Array:
        """Return the values: nothing is lost."""
        return values

    # --------------------------------------------------------------------------------- arrays
    def encode(self, at: Packing, values: Array) -> None:
        """Store values, and the fill at every other position."""
        last = len(at.layout.levels) - 1
        out = at.make(at.positions(last), kind_of(values), at.layout.fill)
        put(out, at.position(last), values)
        at.arrays["val"] = out

    def decode(self, at: Unpacking) -> Array:
        """Return the values."""
        return take(at.arrays["val"], at.position(len(at.layout.levels) - 1))

    def check(self, at: Checking) -> None:
        """Check the type and number of values; any value is allowed."""
        at.array("val", (self.word.numpy,), at.positions(len(at.layout.levels) - 1))


def make_raw(spec: CodeSpec, dtype: DType) -> Raw:
    """Return the code of plain values."""
    return Raw(spec, dtype)
