"""The order of entries: lexicographic in several coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from hastec.arrays import Array, ascending, sorting

LIMIT = 2**63 - 1


def key(coords: Sequence[Array], spans: Sequence[int]) -> Array | None:
    """Return one number an entry that orders them as their coordinates do, if 64 bits hold it."""
    if prod(max(1, s) for s in spans) > LIMIT:
        return None
    total = coords[0]
    for coord, span in zip(coords[1:], spans[1:], strict=True):
        total = total * span + coord
    return total


def order(coords: Sequence[Array], spans: Sequence[int]) -> Array | None:
    """Return what sorts entries by their coordinates, the first one first; None if they are."""
    if not coords:
        return None
    one = key(coords, spans)
    if one is not None:
        return None if ascending(one) else sorting(one)
    found: Array | None = None
    for coord in reversed(coords):
        found = sorting(coord) if found is None else found[sorting(coord[found])]
    return found
