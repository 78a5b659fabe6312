"""Tables under layouts that differ in nothing but how wide plain coordinates are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hastec.arrays import cast, solid
from hastec.ir.types import DType, Kind
from hastec.levels.codes import PLAIN
from hastec.levels.packed import Packed, PackedPart
from hastec.levels.protocol import Layout, Level
from hastec.levels.structure import alike, span


def recoded(packed: Packed, layouts: tuple[Layout, ...], sizes: Mapping[str, int]) -> Packed | None:
    """Return a table that was given in all but the words of its coordinates in these layouts.

    None if more differs, or if a word could not hold a coordinate. No other array is copied.
    """
    if len(packed.parts) != len(layouts):
        return None
    pairs = zip(packed.parts, layouts, strict=True)
    found = tuple(
        made for part, layout in pairs if (made := _part(part, layout, sizes)) is not None
    )
    return Packed(found) if len(found) == len(layouts) else None


def _part(part: PackedPart, layout: Layout, sizes: Mapping[str, int]) -> PackedPart | None:
    mine = part.layout
    if len(mine.levels) != len(layout.levels):
        return None
    pairs = tuple(zip(layout.levels, mine.levels, strict=True))
    if not alike(mine, replace(layout, levels=tuple(_in_words_of(*pair) for pair in pairs))):
        return None
    arrays = dict(part.arrays)
    for wanted, given in pairs:
        word = _word(wanted)
        if word is None or word == _word(given):
            continue
        if span(given.spec.coord, mine.dims, mine.shape).evaluate(sizes) - 1 > _most(word):
            return None
        name = f"{given.number}.crd"
        arrays[name] = solid(cast(arrays[name], word.numpy))
    return replace(part, layout=layout, arrays=arrays)


def _in_words_of(level: Level, other: Level) -> Level:
    """Return a level with the plain index code of another, if both have one."""
    if _word(level) is None or _word(other) is None:
        return level
    changed: Any = level
    made: Level = replace(changed, index=getattr(other, "index", None))
    return made


def _word(level: Level) -> DType | None:
    """Return the word of a level's coordinates, if they are written as they are."""
    code = getattr(level, "index", None)
    name = None if code is None else code.spec.name
    return None if name is None else PLAIN.get(name)


def _most(word: DType) -> int:
    return (1 << (word.bits - (word.kind is Kind.INT))) - 1
