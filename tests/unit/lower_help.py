"""Regions of small programs, ready for lowering, for tests of leads, schedules and prices."""

from __future__ import annotations

from collections.abc import Mapping

from hastec.diag import Source
from hastec.front.build import build
from hastec.grammar.parser import parse
from hastec.ir.format import Format
from hastec.ir.forms import kept_tables
from hastec.ir.graph import Define, Graph, Input, NodeId
from hastec.levels.registry import default_registry
from hastec.lower import Work
from hastec.passes.bound import layouts_of, work_of
from hastec.passes.catalogue import compressed_format, dense_format
from hastec.passes.fuse import Fuse
from hastec.passes.normalise import Normalise
from hastec.passes.patterns import Patterns

PRODUCT = """kernel f(W: sparse f32[M, K], X: f32[K, N]) -> Y: f32[M, N] {
    Y[m, n] = sum[k] W[m, k] * X[k, n]
}"""
DENSE = PRODUCT.replace("sparse ", "")
VECTOR = """kernel f(W: sparse f32[M, K], x: f32[K]) -> y: f32[M] {
    y[m] = sum[k] W[m, k] * x[k]
}"""
COPY = "kernel f(x: f32[N]) -> y: f32[N] {\n    y[n] = 2 * x[n]\n}"
SUM = "kernel f(x: f32[N]) -> y: f32 {\n    y = sum[n] x[n]\n}"
ATTENTION = """kernel f(Q: f16[H, L, D], K: f16[H, L, D], V: f16[H, L, D]) -> O: f16[H, L, D] {
    O[h, i, e] = sum[j, j <= i] softmax[j](sum[d] Q[h, i, d] * K[h, j, d]) * V[h, j, e]
}"""
SAMPLED = """kernel f(S: sparse f32[M, N], A: f32[M, K], B: f32[N, K]) -> C: f32[M, N] like S {
    C[i, j] = S[i, j] * sum[k] A[i, k] * B[j, k]
}"""
PROGRAMS: Mapping[str, str] = {
    "product": PRODUCT, "dense": DENSE, "vector": VECTOR, "copy": COPY, "sum": SUM,
    "attention": ATTENTION, "sampled": SAMPLED,
}  # fmt: skip


def graph_of(text: str) -> Graph:
    """Return the last kernel of a program after the passes in front of schedules."""
    graph = build(parse(Source("test", f"haste 1\n{text}\n")))[-1]
    for step in (Normalise(), Patterns(), Fuse()):
        graph = step.run(graph)
    return graph


def work(text: str, region: int = 0, **formats: Format) -> Work:
    """Return a region of a program; sparse tables are CSR unless ``formats`` say otherwise."""
    graph = graph_of(text)
    chosen: dict[NodeId, Format] = {}
    for node in (graph.node(i) for i in kept_tables(graph)):
        assert isinstance(node.op, Input | Define)
        chosen[node.id] = _format(graph, node.op.name, len(node.shape or ()), formats)
    layouts = layouts_of(graph, chosen, default_registry())
    return work_of(graph, graph.regions[region], layouts)


def _format(graph: Graph, name: str, rank: int, formats: Mapping[str, Format]) -> Format:
    param = next((p for p in graph.params if p.name == name), None)
    if param is not None and param.like:
        return _format(graph, param.like, rank, formats)
    if name in formats:
        return formats[name]
    sparse = param is not None and param.sparse
    return compressed_format(rank) if sparse else dense_format(rank)
