"""Regions with layouts: what pricing and lowering take."""

from __future__ import annotations

from collections.abc import Mapping

from hastec.ir.format import Format
from hastec.ir.graph import (
    Access,
    Define,
    Graph,
    Index,
    Input,
    Node,
    NodeId,
    Present,
    Region,
)
from hastec.ir.infer import needs
from hastec.levels.formats import bind_format
from hastec.levels.protocol import Layout
from hastec.levels.registry import Registry
from hastec.lower import Work


def table_name(node: Node) -> str:
    """Return the name a table node has in kernels."""
    assert isinstance(node.op, Input | Define)
    return node.op.name


def tables_of(graph: Graph, region: Region) -> frozenset[NodeId]:
    """Return the tables a region reads or stores."""
    ranks, nodes = {r.name: r for r in graph.ranks}, graph.by_id
    found, seen = set(region.stores), set[NodeId]()
    stack = [n for s in region.stores for n in needs(nodes[s].op, ranks)]
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        if nodes[at].is_table:
            found.add(at)
        else:
            stack.extend(needs(nodes[at].op, ranks))
    return frozenset(found)


def layouts_of(
    graph: Graph, formats: Mapping[NodeId, Format], registry: Registry
) -> dict[NodeId, tuple[Layout, ...]]:
    """Return the layouts of every table with a format."""
    params = {p.name: p for p in graph.params}
    found = {}
    for node_id, fmt in formats.items():
        node = graph.node(node_id)
        name = table_name(node)
        param = params.get(name)
        fill = param.fill if param is not None and param.sparse else 0.0
        found[node_id] = bind_format(fmt, name, node.dtype, node.shape or (), registry, fill)
    return found


def work_of(graph: Graph, region: Region, layouts: Mapping[NodeId, tuple[Layout, ...]]) -> Work:
    """Return a region ready for lowering."""
    like = {s: model for s in region.stores if (model := model_of(graph, s)) is not None}
    return Work.of(graph, region, layouts, like)


def model_of(graph: Graph, store: NodeId) -> NodeId | None:
    """Return the access whose position an output is stored at: that of the table it is like."""
    op = graph.node(store).op
    assert isinstance(op, Define)
    like = next((p.like for p in graph.params if p.name == op.name), "")
    if not like:
        return None
    wanted = tuple(Index(r) for r in op.ranks)
    for node in graph.nodes:
        if not isinstance(node.op, Access | Present):
            continue
        found = tuple(graph.node(s).op for s in node.op.subs)
        if graph.node(node.op.table).op == Input(like) and found == wanted:
            return node.id
    return None
