"""A graph as a networkx graph, for drawing and analysis: the only user of networkx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hastec.ir.graph import Graph, Node, NodeId, operands
from hastec.ir.infer import needs
from hastec.ir.show import show_op

if TYPE_CHECKING:
    import networkx as nx


def to_networkx(graph: Graph) -> nx.MultiDiGraph:
    """Return a view of ``graph``: nodes by id, an edge from each operand to its user.

    Nodes have the attributes ``op``, ``dtype``, ``ranks``, ``shape``, ``table``, ``region`` and
    ``line``; edges have ``place`` (which operand, from 0; bounds of ranks come before operands)
    and ``bound`` (whether it is the bound of a rank). All are plain strings, numbers and lists, so
    ``networkx.node_link_data(view, edges="edges")`` is JSON and loads back.
    """
    import networkx as nx  # loaded only when somebody looks

    ranks = {r.name: r for r in graph.ranks}
    regions = {s: region.name for region in graph.regions for s in region.stores}
    outputs = {node: name for name, node in graph.outputs}
    view = nx.MultiDiGraph(name=graph.name)
    for node in graph.nodes:
        view.add_node(node.id, **_attributes(node, regions, outputs))
    for node in graph.nodes:
        asked = needs(node.op, ranks)
        bounds = len(asked) - len(operands(node.op))
        for place, operand in enumerate(asked):
            view.add_edge(operand, node.id, place=place, bound=place < bounds)
    return view


def node_link(graph: Graph) -> dict[str, object]:
    """Return a graph as the JSON that ``networkx.node_link_graph(data, edges="edges")`` loads."""
    import networkx as nx  # loaded only when somebody looks

    found: dict[str, object] = nx.node_link_data(to_networkx(graph), edges="edges")
    return found


def _attributes(
    node: Node, regions: dict[NodeId, str], outputs: dict[NodeId, str]
) -> dict[str, str | int | bool | list[str]]:
    return {
        "op": show_op(node.op),
        "dtype": node.dtype.name,
        "ranks": list(node.ranks),
        "shape": [str(size) for size in node.shape or ()],
        "table": node.is_table,
        "output": outputs.get(node.id, ""),
        "region": regions.get(node.id, ""),
        "line": node.span.line if node.span else 0,
    }
