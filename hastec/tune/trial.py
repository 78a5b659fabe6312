"""Runs candidates of one region: once on trial tables for a check, again and again for a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any, Literal, TypeAlias

from hastec.arrays import Array, array, duplicate, flat, nbytes, torch_module
from hastec.ir.arith import I32_MAX
from hastec.ir.format import Format
from hastec.ir.graph import Node, NodeId, Param
from hastec.passes.bound import layouts_of, table_name, tables_of
from hastec.run.outputs import Output, allocate, output_of, returned
from hastec.run.runner import Ready, needs_wide
from hastec.run.tables import TableValue
from hastec.run.timing import ROTATED, copies_for
from hastec.sym.size import Size
from hastec.tune.candidates import Candidate
from hastec.tune.inputs import Data
from hastec.tune.part import Part
from hastec.tune.problem import Problem

Kind: TypeAlias = Literal["real", "trial"]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Tables of a region in their formats: arrays and numbers as kernels take them."""

    arrays: Mapping[str, Array]
    sizes: Mapping[str, int]
    outputs: tuple[Output, ...]


class Bench:
    """Holds the tables of a region, packed for each combination of formats that is tried."""

    def __init__(self, problem: Problem, part: Part, data: Data) -> None:
        self.problem = problem
        self.part = part
        self.data = data
        self._placed: dict[tuple[Kind, str], Placed] = {}
        self._copies: dict[str, list[dict[str, Array]]] = {}

    def wide(self) -> bool:
        """Whether kernels must address more elements than narrow offsets reach."""
        sizes = self.problem.sizes
        read = {n: v.dense for n, v in self.data.real.items() if v.dense is not None}
        stored = (prod(x.evaluate(sizes) for x in s.shape or ()) for s in self.part.stores)
        return needs_wide(read, sizes) or any(count > I32_MAX for count in stored)

    def results(self, ready: Ready, candidate: Candidate, kind: Kind = "trial") -> dict[str, Any]:
        """Return what a candidate stores, spelled out as dense tensors by name.

        Outputs are filled with bytes 0xFF first, so that what is not written shows.
        """
        placed = self.placed(candidate.formats, kind)
        made = allocate(placed.outputs, placed.sizes, placed.arrays, self.problem.device.name)
        for output in placed.outputs:
            _poison(output, made[output.array])
        arrays = {**placed.arrays, **made}
        ready.launch(arrays, placed.sizes, self.problem.device.name)
        self.wait()
        return {o.name: _spelled(o, arrays, placed.sizes) for o in placed.outputs}

    def calls(self, ready: Ready, candidate: Candidate) -> list[Callable[[], object]]:
        """Return launches of a candidate on the real tables, on copies that take turns."""
        placed = self.placed(candidate.formats, "real")
        copies = self._rotated(str(candidate.choice.formats), placed)
        device = self.problem.device.name
        return [partial(ready.launch, arrays, placed.sizes, device) for arrays in copies]

    def wait(self) -> None:
        """Wait until the device has finished."""
        if self.problem.device.name.startswith("cuda"):
            torch_module().cuda.synchronize()

    def placed(self, formats: Mapping[NodeId, Format], kind: Kind) -> Placed:
        """Return the tables of a kind in their formats."""
        mine = tables_of(self.part.graph, self.part.region)
        chosen = {n: formats[n] for n in sorted(mine)}
        key = kind, str(chosen)
        if key not in self._placed:
            self._placed[key] = self._place(chosen, kind)
        return self._placed[key]

    def _place(self, formats: Mapping[NodeId, Format], kind: Kind) -> Placed:
        graph, problem = self.part.graph, self.problem
        layouts = layouts_of(graph, formats, problem.tile.registry)
        tables = self.data.real if kind == "real" else self.data.trial
        arrays: dict[str, Array] = {}
        sizes = dict(problem.sizes)
        for node in self.part.reads:
            name, value = table_name(node), tables[table_name(node)]
            if value.dense is not None and not value.param.sparse and value.param.format is None:
                arrays[f"{name}.val"] = value.dense
                continue
            packed = value.in_layouts(layouts[node.id], problem.sizes)
            arrays.update(packed.named())
            sizes.update(packed.sizes())
        outputs = (output_of(graph, s, layouts[s.id][0]) for s in self.part.stores)
        return Placed(arrays, sizes, tuple(replace(o, public=True) for o in outputs))

    def _rotated(self, key: str, placed: Placed) -> list[dict[str, Array]]:
        if key not in self._copies:
            device = self.problem.device.name
            stored = allocate(placed.outputs, placed.sizes, placed.arrays, device)
            first = {**placed.arrays, **stored}
            total = sum(nbytes(x) for x in first.values())
            gpu = device.startswith("cuda") and total < 2 * ROTATED
            count = copies_for(total) if gpu else 1
            more = ({n: duplicate(x) for n, x in first.items()} for _ in range(count - 1))
            self._copies[key] = [first, *more]
        return self._copies[key]


def _poison(output: Output, x: Array) -> None:
    """Fill an array that a kernel must write wholly with bytes no result has (NaN, or -1)."""
    if not output.zeroed and output.dtype.name != "bool" and x.shape:
        torch = torch_module()
        tensor: Any = flat(x)
        tensor.view(torch.uint8).fill_(0xFF)


def _spelled(output: Output, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> Any:
    found = returned((output,), arrays, sizes)
    return found.to_dense() if output.layout is not None else found


def as_table(store: Node, values: Any) -> TableValue:
    """Return what a region stored as a table that a later one reads."""
    shape = tuple(values.shape)
    param = Param(table_name(store), store.dtype, tuple(Size.of(n) for n in shape))
    return TableValue(param, shape, dense=array(values))
