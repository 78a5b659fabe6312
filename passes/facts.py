"""What is known of a call's tables before kernels are chosen: numbers for pricing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from hastec.cost import Facts
from hastec.ir.format import Format, Part
from hastec.ir.graph import Graph, Param
from hastec.levels.stats import Stats


def facts_for(
    graph: Graph,
    stats: Mapping[str, Stats],
    sizes: Mapping[str, int],
    formats: Mapping[str, tuple[Format, ...]],
) -> Facts:
    """Return facts for pricing: sizes, mean lengths of fibres, and how large arrays are.

    ``formats`` holds the formats each sparse table may take.
    """
    lengths: dict[str, float] = {}
    numels: dict[str, int] = {}
    for param in graph.params:
        if all(n in sizes for size in param.shape for n in size.names()):
            if not param.sparse:
                numels[f"{param.name}.val"] = prod(s.evaluate(sizes) for s in param.shape)
        if param.name in stats:
            for fmt in formats.get(param.name, ()):
                lengths.update(_lengths(param, fmt, stats[param.name]))
    return Facts(dict(sizes), lengths, numels)


def _lengths(param: Param, fmt: Format, stats: Stats) -> Iterator[tuple[str, float]]:
    """Yield the mean fibre length of every level with run-time lengths."""
    for n, part in enumerate(fmt.parts):
        name = param.name if len(fmt.parts) == 1 else f"{param.name}.p{n}"
        lead = len(param.shape) - len(fmt.dims)
        for number, level in enumerate(part.levels):
            if level.kind in ("compressed", "ragged"):
                yield f"{name}.{number + lead}.pos", _mean(part, number, stats)


def _mean(part: Part, number: int, stats: Stats) -> float:
    coord = part.levels[number].coord
    rows = max(1, prod(stats.shape[:-1]))
    if coord.op == "/":
        fill = [b for b in stats.blocks if b.columns == coord.by]
        touched = fill[0].touched / max(stats.sampled, 1e-9) if fill else stats.entries / coord.by
        height = fill[0].rows if fill else 1
        return touched * height / rows
    if part.levels[number].kind == "ragged":
        unit = part.levels[number].number("unit", 1)
        height = next((lv.coord.by for lv in part.levels if lv.coord.op == "%"), 1)
        return stats.entries * stats.padding(height, 1, unit) / rows
    return stats.entries / rows
