"""The formats a static sparse table may be given, with the bytes each would take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hastec.ir.format import RAW, CodeSpec, Coord, Format, LevelSpec, Part
from hastec.ir.graph import Param
from hastec.levels.registry import Registry, default_registry
from hastec.levels.stats import Stats
from hastec.target import Target

BLOCKS = ((1, 16), (16, 16), (32, 32), (64, 64))
"""Blocks whose fill decides whether they are offered."""
SLICE = 32
"""Rows of a slice: one a lane, so that a warp reads neighbouring coordinates."""
PIECE = 32
"""Pieces of rows are multiples of this many columns."""
WIDEST = 256
"""The narrowest pieces that are offered have at most this many columns."""
ASSUMED_DENSITY = 0.3
"""Density of a table that nobody has seen yet."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A format, the bytes it takes, and why it cannot be used ("" if it can)."""

    format: Format
    bytes: float
    reason: str = ""


def _level(kind: str, coord: Coord, **options: int | Coord) -> LevelSpec:
    return LevelSpec(kind, coord, tuple(options.items()))


def dense_format(rank: int) -> Format:
    """Return the format that stores every entry in order."""
    dims = tuple(f"i{n}" for n in range(rank))
    return Format("dense", dims, (Part(tuple(_level("dense", Coord(d)) for d in dims)),))


def compressed_format(rank: int) -> Format:
    """Return dense dimensions around a compressed last one: CSR, a sparse vector."""
    dims = tuple(f"i{n}" for n in range(rank))
    levels = [_level("dense", Coord(d)) for d in dims[:-1]]
    levels.append(_level("compressed", Coord(dims[-1])))
    return Format("csr" if rank == 2 else "compressed", dims, (Part(tuple(levels)),))


def csr(index: str) -> Format:
    """Return compressed sparse rows."""
    levels = (_level("dense", Coord("i")), _level("compressed", Coord("j")))
    return Format("csr", ("i", "j"), (Part(levels, index=CodeSpec(index)),))


def sell(rows: int, unit: int, index: CodeSpec) -> Format:
    """Return sliced ELL: slices of ``rows`` rows padded to their longest, ``unit`` at a time."""
    outer = Coord("i", "/", rows)
    levels = (
        _level("dense", outer),
        _level("dense", Coord("i", "%", rows)),
        _level("ragged", Coord("j"), pad=outer, unit=unit),
    )
    return Format("sell", ("i", "j"), (Part(levels, index=index),), arguments=(("c", rows),))


def pieced(rows: int, width: int, unit: int, index: CodeSpec) -> Format:
    """Return sliced ELL whose rows are cut into pieces of ``width`` columns.

    Those of a slice that stand beside each other are padded to the longest.
    """
    outer, piece = Coord("i", "/", rows), Coord("j", "/", width)
    levels = (
        _level("dense", outer),
        _level("dense", piece),
        _level("dense", Coord("i", "%", rows)),
        _level("ragged", Coord("j", "%", width), pad=piece, unit=unit),
    )
    arguments = (("c", rows), ("s", width))
    return Format("sell", ("i", "j"), (Part(levels, index=index),), arguments=arguments)


PIECES = (4, 2, 1)
"""Widths of pieces that are offered, in narrowest ones."""


def widths(columns: int) -> tuple[int, ...]:
    """Return the widths of pieces that rows of so many columns may be cut into: each a multiple of
    the last, of which there are a power of two, 16 to 128: every row has a length for each.
    """
    count = 16
    while columns > count * WIDEST and count < 128:
        count *= 2
    least = -(-columns // (count * PIECE)) * PIECE
    return tuple(n * least for n in PIECES if n * least < columns)


def bsr(rows: int, columns: int) -> Format:
    """Return block sparse rows."""
    levels = (
        _level("dense", Coord("i", "/", rows)),
        _level("compressed", Coord("j", "/", columns)),
        _level("dense", Coord("i", "%", rows)),
        _level("dense", Coord("j", "%", columns)),
    )
    arguments = (("r", rows), ("c", columns))
    return Format("bsr", ("i", "j"), (Part(levels),), arguments=arguments)


def bitmap() -> Format:
    """Return a bit a coordinate and values for the set ones."""
    levels = (_level("dense", Coord("i")), _level("bitmap", Coord("j")))
    return Format("bitmap", ("i", "j"), (Part(levels),))


def nm(keep: int, group: int) -> Format:
    """Return n:m sparsity: ``keep`` of every ``group`` neighbours."""
    levels = (
        _level("dense", Coord("i")),
        _level("dense", Coord("j", "/", group)),
        _level("choose", Coord("j", "%", group), n=keep),
    )
    arguments = (("n", keep), ("m", group))
    part = Part(levels, index=CodeSpec("u8"))
    return Format("nm", ("i", "j"), (part,), arguments=arguments)


def offers(
    param: Param, stats: Stats | None, target: Target, registry: Registry | None = None
) -> Iterator[Offer]:
    """Yield every format for a static sparse table on a target, its values coded as declared."""
    size = _width(param, registry or default_registry())
    if len(param.shape) < 2:
        yield Offer(compressed_format(len(param.shape)), 0.0)
        return
    rows, columns, entries = _extents(stats)
    narrow = "u16" if stats is not None and columns <= 1 << 16 else "i32"
    width = 2 if narrow == "u16" else 4
    yield Offer(dense_format(len(param.shape)), float(rows * columns * size))
    yield Offer(csr(narrow), entries * (size + width) + 4.0 * rows)
    if target.threads != (1,):
        unit = max(1, 16 // max(param.dtype.bytes, 2))
        yield from _slices(stats, entries, size, width, narrow, unit)
    yield Offer(bitmap(), entries * size + rows * columns / 4)
    yield from _blocks(stats, entries, size)
    yield _chosen(stats, rows, columns, size)


def _width(param: Param, registry: Registry) -> float:
    """Return the bytes an entry's value takes."""
    codes = [p.values for p in param.format.parts] if param.format is not None else []
    if not codes or codes[0] == RAW or codes[0].name not in registry.values:
        return float(param.dtype.bytes)
    code = registry.values[codes[0].name](codes[0], param.dtype)
    return code.word.bits / 8 / code.per_word


def _extents(stats: Stats | None) -> tuple[int, int, float]:
    if stats is None:
        return 4096, 4096, 4096 * 4096 * ASSUMED_DENSITY
    rows = 1
    for extent in stats.shape[:-1]:
        rows *= extent
    return rows, stats.shape[-1], float(stats.entries)


def _slices(
    stats: Stats | None, entries: float, size: float, width: int, narrow: str, unit: int
) -> Iterator[Offer]:
    codes = [(CodeSpec(narrow), float(width), 1.0)]
    if size <= 2:
        codes.append(_delta(stats, size))
    columns = 4096 if stats is None else stats.shape[-1]
    for index, word, more in codes:
        padding = 1.15 if stats is None else stats.padding(SLICE, 1, unit)
        yield Offer(sell(SLICE, unit, index), entries * padding * more * (size + word))
    for piece in widths(columns):
        padding = 1.2 if stats is None else stats.padding(SLICE, 1, unit, piece)
        for index, word, more in codes:
            fmt = pieced(SLICE, piece, unit, index)
            yield Offer(fmt, entries * padding * more * (size + word))


def _delta(stats: Stats | None, size: float) -> tuple[CodeSpec, float, float]:
    """Return the width of differences that takes the fewest bytes: code, bytes, growth."""
    found = []
    for bits in (4, 8):
        growth = 1.0 + (0.1 if stats is None else _fillers(stats, bits))
        found.append(((size + bits / 8) * growth, bits, growth))
    _, bits, growth = min(found)
    return CodeSpec("delta", (("bits", bits),)), bits / 8, growth


def _blocks(stats: Stats | None, entries: float, size: float) -> Iterator[Offer]:
    for rows, columns in BLOCKS:
        filled = ASSUMED_DENSITY if stats is None else _fill(stats, rows, columns)
        stored = entries / max(filled, 1e-9)
        reason = "" if filled >= 0.5 else f"blocks of {rows} x {columns} are {filled:.0%} full"
        yield Offer(bsr(rows, columns), stored * size + 4 * stored / (rows * columns), reason)


def _fill(stats: Stats, rows: int, columns: int) -> float:
    found = (b.fill for b in stats.blocks if (b.rows, b.columns) == (rows, columns))
    return max(found, default=0.0)


def _fillers(stats: Stats, bits: int) -> float:
    return max((f.rate for f in stats.fillers if f.bits == bits), default=0.1)


def _chosen(stats: Stats | None, rows: int, columns: int, size: float) -> Offer:
    fits = stats is not None and stats.sampled == 1 and _keeps(stats, 2, 4)
    groups = rows * ((columns + 3) // 4)
    reason = "" if fits else "more than 2 of some 4 neighbours are entries"
    return Offer(nm(2, 4), groups * 2.0 * (size + 1), reason)


def _keeps(stats: Stats, keep: int, among: int) -> bool:
    return any(k.share == 1 for k in stats.groups if (k.keep, k.among) == (keep, among))
