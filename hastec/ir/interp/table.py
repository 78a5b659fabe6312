"""Tables as the interpreter takes and gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hastec.ir.interp.number import Array, Bools


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table spelled out: every value, which entries are present, and what the others equal.

    ``values`` has the table's full shape, whatever its format. Given tables may have any NumPy
    type that holds the numbers; results are carried as float64 (every float type, rounded
    already), int64 (every integer type) or bool. Types that only store (``u4``, ``e2m1`` …) and
    value codes are given decoded. ``present`` is None if every entry is; for an input declared
    sparse, None means that what differs from the fill is present. What ``values`` holds at absent
    entries of an input does not matter: the declared fill counts.
    """

    values: NDArray[np.generic]
    present: NDArray[np.bool_] | None = None
    fill: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A table inside the interpreter: carried values (absent ones equal the fill), presence."""

    data: Array
    present: Bools | None = None
    fill: float = 0.0
