"""Programs without a lowering: run by the graph interpreter, on the same tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hastec.arrays import item, torch_module
from hastec.ir.graph import Graph, Param
from hastec.ir.interp import Table, run_graph
from hastec.levels.registry import Registry
from hastec.run.oracle import as_oracle
from hastec.run.sizes import solve_sizes
from hastec.run.tables import TableValue, checked_size, take
from hastec.run.validate import check_overlap, refuse


@dataclass(slots=True, eq=False)
class Interpreted:
    """A bound program that the graph interpreter runs: right, and slow. ``tables`` are bound."""

    graph: Graph
    tables: Mapping[str, TableValue]
    sizes: Mapping[str, int]
    device: str
    registry: Registry

    def __call__(self, **given: object) -> Any:
        """Run the program on the tables given by name; return its output, or a tuple of several.

        Tables that are updated are returned, not changed in place.
        """
        return self.call(given)

    def call(self, given: Mapping[str, object]) -> Any:
        """Run the program on the tables given by name."""
        found = self.meant(given)
        params = {p.name: p for p in self.graph.params}
        made = [self._tensor(params[name], found[name]) for name, _ in self.graph.outputs]
        return made[0] if len(made) == 1 else tuple(made)

    def meant(self, given: Mapping[str, object], exact: bool = False) -> dict[str, Table]:
        """Return what the program means: its outputs, spelled out, by name.

        With ``exact``, floats compute in float64 and only outputs round.
        """
        inputs = {p.name: p for p in self.graph.params if p.role != "out"}
        values = dict(self.tables)
        named: dict[str, int] = {}
        for name, value in given.items():
            if name in self.tables:
                raise refuse(
                    inputs[name], "HST4024", "was bound, and is passed again", "leave it out"
                )
            if name in inputs:
                values[name] = take(inputs[name], value, copy=True, registry=self.registry)
            else:
                named[name] = checked_size(name, value, self.graph.params)
        for name, param in inputs.items():
            if name not in values:
                rule = "is an input and was not passed"
                raise refuse(param, "HST4024", rule, f"pass {name} = …")
        check_overlap(
            {n: () if v.dense is None else (v.dense,) for n, v in values.items()},
            [n for n, p in inputs.items() if p.role == "inout"],
        )
        shapes = {n: v.shape for n, v in values.items()}
        sizes = solve_sizes(self.graph.params, shapes, named, self.sizes)
        cuts = {**sizes, **_scalars(values)}
        oracle = {n: as_oracle(inputs[n], v, self.registry, cuts) for n, v in values.items()}
        return run_graph(self.graph, oracle, sizes, exact=exact)

    def _tensor(self, param: Param, table: Table) -> Any:
        """Return a result as a dense tensor of the declared type."""
        torch = torch_module()
        kind = getattr(torch, param.dtype.numpy)
        values = table.values
        if table.present is not None:
            values = np.where(table.present, values, np.asarray(table.fill, values.dtype))
        whole = np.array(values, order="C", copy=True)
        return torch.from_numpy(whole).to(kind).to(self.device)


def _scalars(values: Mapping[str, TableValue]) -> dict[str, int]:
    """Return single integers by name: a format may change at one of them."""
    return {
        name: item(value.dense.reshape(-1))
        for name, value in values.items()
        if value.dense is not None and not value.shape and value.param.dtype.is_integer
    }
