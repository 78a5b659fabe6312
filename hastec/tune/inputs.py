"""Tables that tuning invents: for what a call would give, and for checks.

*Real* tables are those that were bound, and for the others random ones: times are taken on them.
*Trial* tables have the same sizes, and the same pattern where a sparse one was bound, but small
whole numbers for floats. Sums and products of those are exact, so that every order of summation
gives the same bits and a check needs no tolerance that an error could hide in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from hastec.arrays import Array, array, dtype_of, kind_of, torch_module
from hastec.ir.graph import Graph, Map, Param
from hastec.levels.packed import Entries
from hastec.run.demands import demands
from hastec.run.invent import LARGEST, Recipe, invent
from hastec.run.tables import TableValue
from hastec.tune.part import tables_in

POSITIVE = ("sqrt", "rsqrt", "log", "log2", "log1p", "pow")
"""Functions whose results are finite where their operands are positive."""
SMALL = 2
"""The greatest magnitude of a float in a trial table that was bound."""
EVENLY = 16
"""One in so many neighbours is an entry of a sparse table with a declared format: some of those
have room for few."""


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """All inputs of a program: for timing, and for checks."""

    real: Mapping[str, TableValue]
    trial: Mapping[str, TableValue]


def data_for(
    graph: Graph,
    given: Mapping[str, TableValue],
    sizes: Mapping[str, int],
    device: str,
    seed: int = 0,
) -> Data:
    """Return real and trial tables for all inputs; ``given`` are kept, ``sizes`` are all sizes.

    Integer tables that are not given are valid: subscripts lie within what they index, starts of
    ranges ascend.
    """
    made = _Maker(graph, sizes, device, seed)
    real: dict[str, TableValue] = {}
    trial: dict[str, TableValue] = {}
    for param in (p for p in graph.params if p.role != "out"):
        if param.name in given:
            real[param.name] = given[param.name]
            trial[param.name] = made.whole(given[param.name])
        else:
            real[param.name] = made.table(param, "random")
            trial[param.name] = made.table(param, "integers")
    return Data(real, trial)


def needs_positive(graph: Graph) -> bool:
    """Whether results are finite only if data are positive."""
    return any(
        isinstance(node.op, Map)
        and node.op.fn in POSITIVE
        and any(t.dtype.is_float for a in node.op.args for t in tables_in(graph, a))
        for node in graph.nodes
    )


class _Maker:
    """Makes random tables, the same ones for the same seed."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int], device: str, seed: int) -> None:
        self.demands = demands(graph)
        self.positive = needs_positive(graph)
        self.sizes = sizes
        self.device = device
        self.seed = seed

    def table(self, param: Param, way: str) -> TableValue:
        """Return a random table for a declaration."""
        device = "cpu" if param.host else self.device
        plain = param.dtype.is_float and not param.dtype.stores_only
        if plain and not param.sparse:
            made = self._floats(param, way, device)
        else:
            recipe = Recipe("integers" if way == "integers" else "random")
            demand = self.demands.get(param.name)
            made = invent(param, recipe, seed=self.seed, demand=demand, sizes=self.sizes)
        if plain and self.positive:
            made = made.abs() + 1
        if param.sparse and param.format is not None:
            made = _thinned(made, param.fill)
        made = made.to(device)
        if param.host and self.device.startswith("cuda"):
            made = made.pin_memory()
        return TableValue(param, tuple(made.shape), dense=array(made))

    def _floats(self, param: Param, way: str, device: str) -> Any:
        """Return a dense table, made where it will lie: it may be large."""
        torch = torch_module()
        shape = tuple(s.evaluate(self.sizes) for s in param.shape)
        given = {"generator": self._draw(param.name, device), "device": device}
        if way == "integers":
            made = torch.randint(-LARGEST, LARGEST + 1, shape, **given)
        else:
            made = torch.randn(shape, **given)
        return made.to(dtype_of(param.dtype.numpy))

    def _draw(self, name: str, device: object) -> Any:
        """Return a source of random numbers of a table's own."""
        return torch_module().Generator(device).manual_seed(self.seed ^ crc32(name.encode()))

    def whole(self, value: TableValue) -> TableValue:
        """Return a table like one that was bound, whose floats are small whole numbers."""
        param = value.param
        if not param.dtype.is_float or param.dtype.stores_only:
            return value
        if value.dense is not None and not param.sparse:
            return replace(value, dense=self._small(param.name, value.dense, zero=True))
        entries = value.entries()
        small = self._small(param.name, entries.values, zero=False)
        loose = Entries(entries.coords, small, entries.shape)
        return TableValue(param, value.shape, loose=loose)

    def _small(self, name: str, like: Array, zero: bool) -> Array:
        """Return -2 … 2 in the shape of ``like``; without 0, an entry that is missed shows."""
        torch = torch_module()
        given = {"generator": self._draw(name, like.device), "device": like.device}
        size = torch.randint(0 if zero else 1, SMALL + 1, like.shape, **given)
        sign = 1 if self.positive else torch.randint(0, 2, like.shape, **given) * 2 - 1
        return array((size * sign).to(dtype_of(kind_of(like))))


def _thinned(values: Any, fill: float) -> Any:
    """Return a table of which only one in so many neighbours may differ from the fill."""
    torch = torch_module()
    kept = torch.arange(values.shape[-1], device=values.device) % EVENLY == 0
    return torch.where(kept, values, torch.full_like(values, fill))
