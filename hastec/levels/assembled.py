"""The array side of levels and codes: what each must do beside its part in kernels.

A level takes part in three walks over the levels of a layout, outermost first. ``pack`` sees the
entries of a table, sorted by the coordinates of the levels, and stores its arrays; ``unpack``
starts from one root and multiplies every position by what its fibre holds; ``check`` sees arrays
somebody else made, and counts. None of them loops over entries in Python.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from hastec.arrays import Array
from hastec.diag import InternalError
from hastec.levels.checking import Checking
from hastec.levels.packing import Nodes, Packing
from hastec.levels.protocol import IndexCode, Level, ValueCode
from hastec.levels.unpacking import Unpacking


@runtime_checkable
class Assembled(Level, Protocol):
    """A level with an array side."""

    def pack(self, at: Packing) -> None:
        """Place the entries at this level and store its arrays and numbers."""
        ...

    def unpack(self, at: Unpacking) -> None:
        """Put the positions of this level, and their coordinates, in the place of its parents."""
        ...

    def check(self, at: Checking) -> None:
        """Check arrays that somebody else made; TableError HST4xxx names the first fault."""
        ...


@runtime_checkable
class Limited(Level, Protocol):
    """A level whose fibres hold only so many positions."""

    def room(self, at: Packing) -> Array | None:
        """Return which entries have room (None: all); levels above are placed."""
        ...


class AssembledIndex(IndexCode, Protocol):
    """An index code with its array side."""

    def place(self, nodes: Nodes) -> Array:
        """Return the ordinal of each position in its fibre (fillers take some too)."""
        ...

    def encode(self, at: Packing, nodes: Nodes, name: str, room: Array | None) -> None:
        """Store the coordinates of placed positions.

        ``room`` is the number of positions of each one's fibre, padding included; the padding
        repeats the last coordinate. None: there is no padding.
        """
        ...

    def write(self, at: Packing, level: int, name: str, position: Array, coord: Array) -> None:
        """Store coordinates at positions, whatever their fibres (not in sequential codes)."""
        ...

    def decode(self, at: Unpacking, level: int, name: str) -> tuple[Array, Array | None]:
        """Return the coordinates at all positions, and which are no fillers (None: all).

        All positions of each fibre stand side by side, in order.
        """
        ...

    def check(self, at: Checking, level: int, name: str) -> Array | None:
        """Check stored coordinates; the positions of the level are counted.

        Returns them where they are stored as numbers.
        """
        ...


@runtime_checkable
class AssembledValue(ValueCode, Protocol):
    """A value code with its array side."""

    def rounded(self, values: Array) -> Array:
        """Return a dense table as this code holds it: what a program means by the table."""
        ...

    def encode(self, at: Packing, values: Array) -> None:
        """Store the values of placed entries; what holds no entry equals the fill."""
        ...

    def decode(self, at: Unpacking) -> Array:
        """Return the values at all positions, in the type of the table."""
        ...

    def check(self, at: Checking) -> None:
        """Check stored values; all positions are counted."""
        ...


def value_side(code: ValueCode) -> AssembledValue:
    """Return a value code with its array side; InternalError if it has none."""
    if not isinstance(code, AssembledValue):
        raise InternalError(f"values {code.spec} cannot be packed")
    return code
