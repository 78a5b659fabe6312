"""Small tables and sizes that are hard on a compiler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from hastec.ir.graph import Graph, Param
from hastec.run.demands import demands
from hastec.run.invent import Recipe, Way, invent

SMALL = (7, 5, 9, 6, 11, 3, 8, 4)
LARGER = (35, 67, 19, 33, 17, 41, 21, 37)
"""No multiples of tiles; the larger ones are more than one tile along some axis."""
MOST = 200_000
"""Points of all indices together of a larger case: it is interpreted."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A way to fill tables: how, and which share of a sparse table has an entry."""

    name: str
    way: Way
    density: float | None = None


FILLINGS = (
    Filling("small integers", "integers", 0.4),
    Filling("nearly empty", "integers", 0.05),
    Filling("full", "integers", 1.0),
    Filling("all zero", "zeros"),
    Filling("normal numbers", "random", 0.4),
)
OTHERWISE = (FILLINGS[0],)
"""What sizes beyond the first are tried with."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Tables and sizes of a call; ``whole`` says that all numbers are small integers."""

    name: str
    sizes: Mapping[str, int]
    tables: Mapping[str, Any] = field(repr=False)
    whole: bool = True

    def given(self) -> dict[str, Any]:
        """Return tables and sizes by name."""
        return {**self.sizes, **self.tables}

    def on(self, device: str, graph: Graph) -> Case:
        """Return the case with its tables on a device, less those that stay in host memory."""
        host = {p.name for p in graph.params if p.host}
        moved = {n: t if n in host else t.to(device) for n, t in self.tables.items()}
        return replace(self, tables=moved)

    def __str__(self) -> str:
        return f"{self.name}, {', '.join(f'{n} = {v}' for n, v in self.sizes.items())}"


def cases(graph: Graph, fixed: Mapping[str, int], seed: int = 0) -> Iterator[Case]:
    """Yield cases for a program; ``fixed`` are sizes that must be as they are."""
    for number, sizes in enumerate(sizes_for(graph, fixed)):
        for filling in FILLINGS if number == 0 else OTHERWISE:
            yield _case(graph, sizes, filling, seed)


def sizes_for(graph: Graph, fixed: Mapping[str, int]) -> tuple[dict[str, int], ...]:
    """Return the sizes of cases: small ones, larger ones if they can be interpreted, and ones."""
    names = graph.sizes
    found: list[dict[str, int]] = []
    for choice in (SMALL, LARGER, (1,)):
        drawn = {n: choice[at % len(choice)] for at, n in enumerate(names)}
        sizes = {**drawn, **fixed}
        points = prod(r.extent.evaluate(sizes) for r in graph.ranks if r.extent is not None)
        if sizes not in found and (choice != LARGER or points <= MOST):
            found.append(sizes)
    return tuple(found)


def _case(graph: Graph, sizes: Mapping[str, int], filling: Filling, seed: int) -> Case:
    asked = demands(graph)
    tables = {}
    for param in graph.params:
        if param.role != "out":
            recipe = Recipe(filling.way, None, _density(param, filling))
            demand = asked.get(param.name)
            tables[param.name] = invent(param, recipe, seed=seed, demand=demand, sizes=sizes)
    return Case(filling.name, sizes, tables, filling.way != "random")


def _density(param: Param, filling: Filling) -> float | None:
    """Return the share of entries: of dense tables all are there."""
    stored = param.sparse or (param.format is not None and not param.format.dense)
    return filling.density if stored else None
