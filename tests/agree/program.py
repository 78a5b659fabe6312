"""Programs with inputs, ready for lowering: prepared by the passes, packed into their formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from hastec.diag import Source
from hastec.front.build import build
from hastec.front.ready import Known
from hastec.grammar.parser import parse
from hastec.ir.format import Format
from hastec.ir.forms import kept_tables
from hastec.ir.graph import Define, Graph, Input, NodeId, Param, Region
from hastec.ir.interp import Table, run_graph
from hastec.ir.numeric import Array, cast
from hastec.ir.types import BF16, BOOL, F64, I64, DType
from hastec.levels.assemble import pack, unpack
from hastec.levels.packed import Entries
from hastec.levels.protocol import Layout
from hastec.levels.registry import Registry, default_registry
from hastec.lower import Work
from hastec.passes.bound import layouts_of, table_name, work_of
from hastec.passes.catalogue import compressed_format, dense_format
from hastec.passes.fuse import Fuse
from hastec.passes.normalise import Normalise
from hastec.passes.patterns import Patterns

NONE: Mapping[str, Format] = {}


def graph_of(text: str, known: Known | None = None) -> Graph:
    """Return the last kernel of a program given as text (``haste 1`` is added)."""
    return build(parse(Source("test", f"haste 1\n{text}\n")), known)[-1]


def prepared(graph: Graph) -> Graph:
    """Return a graph after the passes in front of lowering."""
    for step in (Normalise(), Patterns(), Fuse()):
        graph = step.run(graph)
    return graph


@dataclass
class Bound:
    """A prepared graph with layouts, and the arrays its inputs are packed into.

    ``oracle`` holds the inputs as the graph interpreter takes them: what a format holds is
    present.
    """

    source: Graph
    graph: Graph
    sizes: dict[str, int]
    layouts: dict[NodeId, tuple[Layout, ...]]
    arrays: dict[str, Array] = field(default_factory=dict)
    oracle: dict[str, Table] = field(default_factory=dict)

    def param(self, name: str) -> Param | None:
        """Return the declaration of a table, if it has one."""
        return next((p for p in self.graph.params if p.name == name), None)

    def work(self, region: Region) -> Work:
        """Return a region ready for lowering."""
        return work_of(self.graph, region, self.layouts)

    def wanted(self) -> dict[str, Table]:
        """Return what the program means, from the graph as it was before any pass."""
        return run_graph(self.source, self.oracle, self.sizes)

    def layout(self, store: NodeId) -> Layout:
        """Return the layout of a table that a region stores."""
        (layout,) = self.layouts[store]
        return layout

    def model(self, layout: Layout) -> Layout | None:
        """Return the layout of the input whose pattern a stored table has."""
        param = self.param(layout.table)
        if param is None or not param.like:
            return None
        node = next(n for n in self.graph.nodes if n.op == Input(param.like))
        (model,) = self.layouts[node.id]
        return model


def bind(
    graph: Graph,
    tables: Mapping[str, Table],
    sizes: Mapping[str, int],
    formats: Mapping[str, Format] = NONE,
    registry: Registry | None = None,
) -> Bound:
    """Prepare a graph and pack its inputs: in ``formats``, as declared, or as they would be given.

    ``sizes`` are all sizes of the program.
    """
    ready, registry = prepared(graph), registry or default_registry()
    chosen: dict[NodeId, Format] = {}
    for node in (ready.node(i) for i in kept_tables(ready)):
        assert isinstance(node.op, Input | Define)
        chosen[node.id] = _format(ready, node.op.name, len(node.shape or ()), formats)
    bound = Bound(graph, ready, dict(sizes), layouts_of(ready, chosen, registry))
    bound.oracle.update(tables)
    for node_id, fmt in chosen.items():
        if isinstance(ready.node(node_id).op, Input):
            _pack(bound, node_id, fmt, tables[table_name(ready.node(node_id))])
    return bound


def _format(graph: Graph, name: str, rank: int, formats: Mapping[str, Format]) -> Format:
    param = next((p for p in graph.params if p.name == name), None)
    if param is not None and param.like:
        return _format(graph, param.like, rank, formats)
    if name in formats:
        return formats[name]
    if param is not None and param.format is not None:
        return param.format
    sparse = param is not None and param.role == "in" and param.sparse
    return compressed_format(rank) if sparse else dense_format(rank)


def _pack(bound: Bound, node: NodeId, fmt: Format, table: Table) -> None:
    layouts, dtype = bound.layouts[node], bound.graph.node(node).dtype
    name, fill = table_name(bound.graph.node(node)), layouts[0].fill
    packed = pack(layouts, entries(table, fmt.dense, fill, dtype), bound.sizes)
    bound.sizes.update(packed.sizes())
    bound.arrays.update((k, as_numpy(v)) for k, v in packed.named().items())
    coded = any(part.values.name != "raw" for part in fmt.parts)
    if coded or not fmt.dense or table.present is not None:
        bound.oracle[name] = held(unpack(packed, bound.sizes), fill, dtype)


def held(found: Entries, fill: float, dtype: DType) -> Table:
    """Return a table as its format holds it: the entries that are there, as they are coded."""
    where = tuple(as_numpy(c) for c in found.coords)
    present = np.zeros(found.shape, np.bool_)
    present[where] = True
    stored = plain(as_numpy(found.values), dtype)
    values = np.full(found.shape, fill, stored.dtype)
    values[where] = stored
    return Table(values, present, fill)


# -------------------------------------------------------------------------------------- conversions
def as_numpy(array: torch.Tensor) -> Array:
    """Return a tensor as the array that carries its elements."""
    if array.dtype == torch.bfloat16:
        found: Array = array.contiguous().view(torch.int16).numpy().view(np.uint16)
        return found
    plain: Array = array.contiguous().numpy()
    return plain


def as_torch(array: Array, dtype: DType) -> torch.Tensor:
    """Return an array as a tensor of the program's type, sharing memory."""
    if dtype == BF16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def entries(table: Table, dense: bool, fill: float, dtype: DType) -> Entries:
    """Return the entries of a table: all of them for a dense format."""
    values = np.asarray(table.values)
    present = np.ones(values.shape, np.bool_)
    if not dense:
        present = np.asarray(values != fill) if table.present is None else table.present
    elif table.present is not None:
        values = np.where(table.present, values, np.asarray(fill, values.dtype))
    coords = np.nonzero(present) if present.ndim else ()
    wide = I64 if values.dtype.kind in "iub" else F64
    whole = values.astype(np.int64 if wide == I64 else np.float64)
    picked = np.atleast_1d(cast(whole, wide, dtype)[present])
    where = tuple(torch.from_numpy(c.astype(np.int64)) for c in coords)
    return Entries(where, as_torch(picked, dtype), tuple(values.shape))


def plain(array: Array, dtype: DType) -> Array:
    """Return stored elements as numbers NumPy can compare: 64-bit floats, or integers."""
    if dtype.is_float:
        return cast(array, dtype, F64)
    return array.astype(np.bool_) if dtype == BOOL else array
