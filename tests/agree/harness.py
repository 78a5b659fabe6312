"""Runs a graph through fusion and every schedule of a target, and compares with the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from hastec.ir.format import Coord, Format, LevelSpec, Part
from hastec.ir.forms import kept_tables
from hastec.ir.graph import Access, Define, Graph, Index, Input, Node, NodeId, Present, Region
from hastec.ir.interp import Table, run_graph
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_interp import run_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.schedule import Schedule
from hastec.levels.assemble import pack, unpack
from hastec.levels.formats import bind_format
from hastec.levels.packed import Entries
from hastec.levels.protocol import Layout
from hastec.levels.registry import Registry, default_registry
from hastec.lower import Refused, Work, lower
from hastec.lower.space import schedules
from hastec.passes.fuse import Fuse
from hastec.passes.normalise import Normalise
from hastec.passes.patterns import Patterns
from hastec.target import Target


def prepared(graph: Graph) -> Graph:
    """Return the graph after the passes in front of lowering."""
    for step in (Normalise(), Patterns(), Fuse()):
        graph = step.run(graph)
    return graph


def dense_format(rank: int) -> Format:
    dims = tuple(f"i{n}" for n in range(rank))
    levels = tuple(LevelSpec("dense", Coord(d)) for d in dims)
    return Format("dense", dims, (Part(levels),))


def name_of(node: Node) -> str:
    assert isinstance(node.op, Input | Define)
    return node.op.name


@dataclass
class Bound:
    """A graph with layouts, and the arrays its inputs are packed into."""

    graph: Graph
    sizes: dict[str, int]
    layouts: dict[NodeId, tuple[Layout, ...]]
    arrays: dict[str, np.ndarray]
    numbers: dict[str, int]
    oracle: dict[str, Table]
    """The inputs as the interpreter takes them: what a format holds is present."""

    def work(self, region: Region) -> Work:
        like = {}
        for store in region.stores:
            op = self.graph.node(store).op
            assert isinstance(op, Define)
            declared = {p.name: p.like for p in self.graph.params}
            if declared.get(op.name):
                like[store] = next(
                    n.id
                    for n in self.graph.nodes
                    if isinstance(n.op, Access | Present)
                    and self.graph.node(n.op.table).op == Input(declared[op.name])
                    and tuple(self.graph.node(s).op for s in n.op.subs)
                    == tuple(Index(r) for r in op.ranks)
                )
        return Work.of(self.graph, region, self.layouts, like)


def bind(
    graph: Graph,
    tables: Mapping[str, Table],
    sizes: Mapping[str, int],
    formats: Mapping[str, Format],
    registry: Registry | None = None,
) -> Bound:
    """Pack the tables of a prepared graph into formats (dense where none is given)."""
    registry = registry or default_registry()
    layouts: dict[NodeId, tuple[Layout, ...]] = {}
    arrays: dict[str, np.ndarray] = {}
    numbers: dict[str, int] = {}
    oracle = dict(tables)
    params = {p.name: p for p in graph.params}
    for node in (graph.node(i) for i in kept_tables(graph)):
        name, shape = name_of(node), node.shape or ()
        param = params.get(name)
        like = param.like if param else ""
        fmt = formats.get(like or name) or dense_format(len(shape))
        fill = param.fill if param and param.sparse else 0.0
        made = bind_format(fmt, name, node.dtype, shape, registry, fill)
        layouts[node.id] = made
        if isinstance(node.op, Input) and not shape:
            given = entries(tables[name], True, 0.0, node.dtype).values
            arrays[f"{name}.val"] = numpy(given)
        elif isinstance(node.op, Input):
            packed = pack(made, entries(tables[name], fmt.dense, fill, node.dtype), sizes)
            if not fmt.dense:
                oracle[name] = held(tables[name], unpack(packed, sizes), fill)
            arrays.update({k: numpy(v) for k, v in packed.named().items()})
            numbers.update(packed.sizes())
    return Bound(graph, {**sizes, **numbers}, layouts, arrays, numbers, oracle)


def held(table: Table, found: Entries, fill: float) -> Table:
    """Return a table with the presence its format gives it."""
    present = np.zeros(found.shape, bool)
    present[tuple(c.numpy() for c in found.coords)] = True
    values = np.asarray(table.values)
    if table.present is not None:
        values = np.where(table.present, values, np.asarray(fill, values.dtype))
    return Table(values, present, fill)


def numpy(array: torch.Tensor) -> np.ndarray:
    if array.dtype == torch.bfloat16:
        return array.view(torch.int16).numpy().view(np.uint16)
    return array.contiguous().numpy()


def entries(table: Table, dense: bool, fill: float, dtype: object) -> Entries:
    """Return the entries of an oracle table: all of them for a dense format."""
    values = np.asarray(table.values)
    if dense:
        present = np.ones(values.shape, bool)
        values = values if table.present is None else np.where(table.present, values, fill)
    else:
        present = table.present if table.present is not None else values != fill
    coords = tuple(torch.from_numpy(c.astype(np.int64)) for c in _nonzero(present))
    kind = getattr(
        torch, {"bf16": "bfloat16", "bits": "bool"}.get(str(dtype)) or _torch(str(dtype))
    )
    picked = torch.from_numpy(np.atleast_1d(values[present])).to(kind)
    return Entries(coords, picked, tuple(values.shape))


def _nonzero(present: np.ndarray) -> tuple[np.ndarray, ...]:
    return np.nonzero(present) if present.ndim else ()


def _torch(name: str) -> str:
    if name == "bool":
        return name
    return {"f": "float", "i": "int", "u": "uint"}[name[0]] + name[1:]


def kernels(
    bound: Bound, region: Region, target: Target, limit: int = 60
) -> Iterator[tuple[Schedule, Kernel]]:
    """Yield every schedule that lowers, with its verified kernel."""
    work = bound.work(region)
    refused = []
    count = 0
    for schedule in schedules(work, target, bound.sizes, limit):
        try:
            kernel = lower(work, schedule)
        except Refused as why:
            refused.append(str(why))
            continue
        verify_kernel(kernel)
        count += 1
        yield schedule, kernel
    assert count, f"no schedule lowers: {sorted(set(refused))}"


def output_arrays(bound: Bound, region: Region) -> dict[str, np.ndarray]:
    """Return arrays for what a region stores, poisoned so that unwritten elements show."""
    made = {}
    for store in region.stores:
        (layout,) = bound.layouts[store]
        count = 1
        like = next((p.like for p in bound.graph.params if p.name == layout.table), "")
        if like:
            count = bound.arrays[f"{like}.val"].size
        else:
            for extent in layout.extents:
                assert extent is not None
                count *= extent.evaluate(bound.sizes)
        kind = {"bf16": "uint16"}.get(str(layout.dtype), layout.dtype.numpy)
        poison = np.nan if np.dtype(kind).kind == "f" else 77
        if like:
            # Places past the end of a dimension are zero from the start, and stay so.
            poison = 0
        made[layout.array("val")] = (
            np.full(count, poison, kind) if kind != "bool" else np.zeros(count, bool)
        )
    return made


def values_of(array: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "bf16":
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array


def run_all(
    graph: Graph,
    tables: Mapping[str, Table],
    sizes: Mapping[str, int],
    formats: Mapping[str, Format],
    target: Target,
    limit: int = 60,
    tolerance: float = 0.0,
    registry: Registry | None = None,
) -> int:
    """Check every schedule of every region against the interpreter; return how many ran."""
    bound = bind(prepared(graph), tables, sizes, formats, registry)
    want = run_graph(graph, bound.oracle, dict(sizes))
    count = 0
    for region in bound.graph.regions:
        outputs: dict[str, np.ndarray] = {}
        for schedule, kernel in kernels(bound, region, target, limit):
            if any(r.size.evaluate(bound.sizes) > r.at_most for r in kernel.requires):
                continue
            outputs = output_arrays(bound, region)
            arrays = {**bound.arrays, **outputs}
            run_kernel(kernel, {t.name: arrays[t.name] for t in kernel.tables}, bound.sizes)
            for store in region.stores:
                (layout,) = bound.layouts[store]
                if layout.table in want:
                    got = values_of(outputs[layout.array("val")], str(layout.dtype))
                    compare(got, want[layout.table], bound, layout, schedule, tolerance)
            count += 1
        bound.arrays.update(outputs)
    return count


def compare(
    got: np.ndarray,
    want: Table,
    bound: Bound,
    layout: Layout,
    schedule: Schedule,
    tolerance: float,
) -> None:
    like = next((p.like for p in bound.graph.params if p.name == layout.table), "")
    if like:
        want_values = _stored(want, bound, layout, like)
        got = got[: want_values.size] if got.size >= want_values.size else got
    else:
        want_values = np.asarray(want.values).ravel()
    wanted = want_values.astype(np.float64)
    have = got.astype(np.float64)
    same = (have == wanted) | (np.isnan(have) & np.isnan(wanted))
    if tolerance:
        same |= np.abs(have - wanted) <= tolerance * (1 + np.abs(wanted))
    if not same.all():
        at = int(np.argmin(same))
        raise AssertionError(
            f"{layout.table}[{at}]: {have[at]} instead of {wanted[at]} "
            f"({int((~same).sum())} of {same.size}) under\n{schedule}"
        )


def _stored(want: Table, bound: Bound, layout: Layout, like: str) -> np.ndarray:
    """Return wanted values in storage order, by packing the oracle's table like its model."""
    node = next(n for n in bound.graph.nodes if n.op == Input(like))
    (model,) = bound.layouts[node.id]
    packed = pack((model,), entries(want, False, 0.0, "f64"), bound.sizes)
    return np.asarray(packed.named()[f"{like}.val"])
