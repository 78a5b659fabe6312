"""What of a program has no kernel yet: it has a meaning, and runs in the interpreter."""

from __future__ import annotations

from collections.abc import Iterator

from hastec.diag import Diagnostic, Span
from hastec.ir.graph import BUILT_IN_MONOIDS, Define, Graph, Node, Param, Reduce, Select, Update
from hastec.levels.registry import Registry, default_registry

NOT_LOWERED = "HST5001"


def missing(graph: Graph, registry: Registry | None = None) -> Iterator[Diagnostic]:
    """Yield one diagnostic for each construct without a lowering; ``registry`` holds the levels
    and codes that have one (those that come with the compiler unless given).
    """
    registry = registry or default_registry()
    for node in graph.nodes:
        what = _construct(graph, node)
        if what:
            yield _diagnostic(what, node.span)
    for param in graph.params:
        what = _table(param, registry)
        if what:
            yield _diagnostic(what, param.span)


def _construct(graph: Graph, node: Node) -> str:
    match node.op:
        case Select(kind):
            return f"the selection {kind}"
        case Update():
            return "an update of a table in place"
        case Reduce(monoid, ranks) if monoid not in BUILT_IN_MONOIDS:
            return f"the reduction {monoid} of the program's own"
        case Reduce("argmax" | "argmin" as monoid, ranks) if len(ranks) > 1:
            return f"{monoid} over several indices"
        case Define(name):
            declared = next((p for p in graph.params if p.name == name and p.role == "out"), None)
            computed = declared is not None and declared.sparse and not declared.like
            return f"the sparse output {name}, whose pattern is computed" if computed else ""
        case _:
            return ""


def _table(param: Param, registry: Registry) -> str:
    if param.dtype.stores_only:
        return f"the element type {param.dtype} of {param.name}"
    fmt = param.format
    if fmt is None:
        return ""
    if fmt.cut is not None:
        return f"the run-time cut in the format of {param.name}"
    codes = [p.values.name for p in fmt.parts if p.values.name not in registry.values]
    levels = [lv.kind for p in fmt.parts for lv in p.levels if lv.kind not in registry.levels]
    if codes:
        return f"the value code {codes[0]} of {param.name}"
    return f"the level {levels[0]} of {param.name}" if levels else ""


def _diagnostic(what: str, span: Span | None) -> Diagnostic:
    return Diagnostic(
        NOT_LOWERED,
        f"{what} has no lowering yet: this program runs in the interpreter, not compiled",
        span,
        "use it for checking values at small sizes; compiled programs cannot contain it yet",
    )
