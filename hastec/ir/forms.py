"""Forms: what a graph has become. Passes state which they need and which they give."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import assert_never

from hastec.diag import InternalError
from hastec.ir.graph import Graph, Input, Node, NodeId, Reduce, Softmax
from hastec.ir.infer import needs
from hastec.ir.show import show_graph, show_node
from hastec.ir.verify import faults
from hastec.ir.verify_regions import law_faults


class Form(Enum):
    """A property of a graph that a pass establishes and every later pass keeps."""

    TYPED = "typed"
    """Every promise of :mod:`hastec.ir.graph` holds."""
    NORMAL = "normal"
    """No softmax; reductions are plain monoids or the user's own (no mean, no lse)."""
    LAWS = "laws"
    """Rescale laws are stated, each on a maximum that its reductions depend on."""
    FORMATS = "formats"
    """Every table that a region reads or stores, or that a call gives or takes, has a format."""
    FUSED = "fused"
    """Every computed output is stored by one region, after all it reads."""
    SCHEDULED = "scheduled"
    """Every region has a schedule."""
    PLACED = "placed"
    """Every part of every format states the order of its positions in memory."""


NOT_NORMAL = ("mean", "lse")


def holds(form: Form, graph: Graph) -> bool:
    """Return whether ``graph`` has ``form``."""
    return next(lacks(form, graph), None) is None


def check(form: Form, graph: Graph) -> None:
    """Raise ``InternalError`` with the first reason why ``graph`` lacks ``form``."""
    for reason in lacks(form, graph):
        raise InternalError(f"not in form {form.value}: {reason}\n\n{show_graph(graph, repr)}")


def lacks(form: Form, graph: Graph) -> Iterator[str]:
    """Yield the reasons why ``graph`` lacks ``form``."""
    match form:
        case Form.TYPED:
            yield from faults(graph)
        case Form.NORMAL:
            yield from (f"{show_node(n)}: not normal" for n in graph.nodes if not _normal(n))
        case Form.LAWS:
            yield from law_faults(graph)
        case Form.FORMATS:
            have = {node for node, _ in graph.formats}
            yield from (f"%{t} has no format" for t in kept_tables(graph) if t not in have)
        case Form.FUSED:
            yield from _unfused(graph)
        case Form.SCHEDULED:
            unscheduled = (r.name for r in graph.regions if r.schedule is None)
            yield from (f"region {name} has no schedule" for name in unscheduled)
        case Form.PLACED:
            for node, fmt in graph.formats:
                if not all(part.order or not part.levels for part in fmt.parts):
                    yield f"the order of %{node} is not stated"
        case _ as never:
            assert_never(never)


def _normal(node: Node) -> bool:
    match node.op:
        case Softmax():
            return False
        case Reduce(monoid):
            return monoid not in NOT_NORMAL
        case _:
            return True


def _unfused(graph: Graph) -> Iterator[str]:
    stored = {s for region in graph.regions for s in region.stores}
    for name, node in graph.outputs:
        if node not in stored and not isinstance(graph.node(node).op, Input):
            yield f"no region stores the output {name}"


def kept_tables(graph: Graph) -> tuple[NodeId, ...]:
    """Return the tables that exist in memory: inputs in use, outputs and what regions store.

    Without regions every computed table counts as stored.
    """
    nodes, ranks = graph.by_id, {r.name: r for r in graph.ranks}
    stored = {s for region in graph.regions for s in region.stores}
    outputs = [node for _, node in graph.outputs]
    found: dict[NodeId, None] = {}
    seen: set[NodeId] = set()
    stack = [*outputs, *stored]
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        node = nodes[at]
        if node.is_table and (isinstance(node.op, Input) or at in stored or not graph.regions):
            found[at] = None
        stack.extend(needs(node.op, ranks))
    return tuple(sorted(found))
