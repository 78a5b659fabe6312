"""What is known of tables in given formats before kernels are chosen: numbers for pricing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from math import prod

from hastec.cost import Facts, Fibres
from hastec.ir.format import Coord, Format, LevelSpec, Part
from hastec.ir.graph import Graph, Param
from hastec.levels.stats import Stats
from hastec.passes.catalogue import ASSUMED_DENSITY

ASSUMED_BATCH = 16
"""Columns, tokens or rows of a call, where nothing is known of them."""


def facts_for(
    graph: Graph,
    stats: Mapping[str, Stats],
    sizes: Mapping[str, int],
    formats: Mapping[str, Format],
) -> Facts:
    """Return facts for pricing: sizes, mean lengths of fibres, and how large arrays are.

    ``formats`` holds the format of every table that has one; tables without ``stats`` are taken
    to have a density of 0.3.
    """
    lengths: dict[str, float] = {}
    numels: dict[str, int] = {}
    trips: dict[str, Callable[[int, int], float]] = {}
    fibres: dict[str, Fibres] = {}
    for param in graph.params:
        if param.name in formats and (param.sparse or param.format is not None):
            fmt, known = formats[param.name], stats.get(param.name)
            lengths.update(_lengths(param, fmt, known))
            trips.update(_trips(param, fmt, known))
            fibres.update(_fibres(param, fmt, known))
        elif all(n in sizes for size in param.shape for n in size.names()):
            numels[f"{param.name}.val"] = prod(s.evaluate(sizes) for s in param.shape)
    return Facts({**_assumed_steps(graph), **sizes}, lengths, numels, fibres, trips)


def _assumed_steps(graph: Graph) -> dict[str, int]:
    """Return what to assume of sizes that vary beside tables that stay: a small batch."""
    static = {n for p in graph.params if p.time == "static" for s in p.shape for n in s.names()}
    names = {n for p in graph.params for s in p.shape for n in s.names()}
    return dict.fromkeys(sorted(names - static), ASSUMED_BATCH) if static else {}


def _fibred(param: Param, fmt: Format) -> Iterator[tuple[str, Part, int]]:
    """Yield every level whose fibres have lengths of their own: its name, its part, its number."""
    lead = len(param.shape) - len(fmt.dims)
    for n, part in enumerate(fmt.parts):
        name = param.name if len(fmt.parts) == 1 else f"{param.name}.p{n}"
        for number, level in enumerate(part.levels):
            if level.kind in ("compressed", "ragged"):
                yield f"{name}.{number + lead}", part, number


def _length(part: Part, number: int, stats: Stats | None) -> float:
    """Return the mean length of the fibres of a level."""
    return _assumed(part.levels[number]) if stats is None else _mean(part, number, stats)


def _lengths(param: Param, fmt: Format, stats: Stats | None) -> Iterator[tuple[str, float]]:
    """Yield the mean length of fibres, by the array that delimits them."""
    for name, part, number in _fibred(param, fmt):
        yield f"{name}.pos", _length(part, number, stats)


def _fibres(param: Param, fmt: Format, stats: Stats | None) -> Iterator[tuple[str, Fibres]]:
    """Yield what is known of fibres that store single coordinates, by the name of their level."""
    density = ASSUMED_DENSITY if stats is None else max(stats.density, 1e-6)
    for name, part, number in _fibred(param, fmt):
        level = part.levels[number]
        if level.coord.op != "/":
            length = _length(part, number, stats)
            yield name, Fibres(length, 1 / density, level.kind == "ragged")


def _trips(
    param: Param, fmt: Format, stats: Stats | None
) -> Iterator[tuple[str, Callable[[int, int], float]]]:
    """Yield, for every level that holds whole rows, how long loops over them are."""
    lead = len(param.shape) - len(fmt.dims)
    for n, part in enumerate(fmt.parts if stats is not None else ()):
        name = param.name if len(fmt.parts) == 1 else f"{param.name}.p{n}"
        for number, level in enumerate(part.levels):
            if stats is not None and level.kind == "compressed" and level.coord.op == "":
                yield f"{name}.{number + lead}.pos", cache(partial(_iterations, stats))


def _iterations(stats: Stats, height: int, width: int) -> float:
    """Return the mean iterations over ``height`` rows together, ``width`` positions at a time."""
    slots = stats.entries * stats.padding(height, 1, width)
    return slots / max(1, prod(stats.shape[:-1])) / width


def _assumed(level: LevelSpec) -> float:
    return ASSUMED_DENSITY * (level.coord.by if level.coord.op == "%" else 4096)


def _mean(part: Part, number: int, stats: Stats) -> float:
    level = part.levels[number]
    rows = max(1, prod(stats.shape[:-1]))
    if level.coord.op == "/":
        return _touched(level, stats) / rows
    pieces = max(1, -(-stats.shape[-1] // level.coord.by)) if level.coord.op == "%" else 1
    if level.kind != "ragged":
        return stats.entries / rows / pieces
    positions = padding(part, number, stats)
    if part.index.name == "delta":
        positions *= 1 + fillers(stats, part.index.option("bits", 4))
    return stats.entries * positions / rows / pieces


def _touched(level: LevelSpec, stats: Stats) -> float:
    """Return how many blocks rows of blocks hold, times the height of a block."""
    fill = next((b for b in stats.blocks if b.columns == level.coord.by), None)
    if fill is None:
        return stats.entries / level.coord.by
    return fill.touched / max(stats.sampled, 1e-9) * fill.rows


def padding(part: Part, number: int, stats: Stats) -> float:
    """Return the positions an entry takes in a level padded to the longest fibre of a group."""
    level, pad = part.levels[number], part.levels[number].option("pad")
    others = (lv.coord for lv in part.levels if lv.coord.dim != level.coord.dim)
    height = next((c.by for c in others if c.op == "%"), 1)
    width = level.coord.by if level.coord.op == "%" else None
    shared = isinstance(pad, Coord) and pad.dim != level.coord.dim
    return stats.padding(height, 1, level.number("unit", 1), width, shared)


def fillers(stats: Stats, bits: int) -> float:
    """Return how many fillers an entry takes where gaps are coded in ``bits`` bits."""
    return max((f.rate for f in stats.fillers if f.bits == bits), default=0.1)
