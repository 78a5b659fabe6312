"""What must hold of every graph, checked between passes."""

from __future__ import annotations

from collections.abc import Iterator

from hastec.diag import InternalError
from hastec.ir.format import Format
from hastec.ir.graph import (
    BUILT_IN_MONOIDS,
    Define,
    Graph,
    Index,
    Monoid,
    NodeId,
    Term,
)
from hastec.ir.infer import needs, over
from hastec.ir.scalars import SCALARS
from hastec.ir.show import show_graph, show_node
from hastec.ir.verify_nodes import Checker, repeated
from hastec.ir.verify_regions import region_faults

Faults = Iterator[str]


def verify_graph(graph: Graph) -> None:
    """Check that ``graph`` keeps the promises of :mod:`hastec.ir.graph`.

    Raises ``InternalError`` with the first broken promise, the offending node and the whole graph.
    """
    after = f" after {graph.passed[-1]}" if graph.passed else ""
    for fault in faults(graph):
        raise InternalError(f"broken graph{after}: {fault}\n\n{show_graph(graph, repr)}")


def faults(graph: Graph) -> Faults:
    """Yield what is wrong with ``graph``, the most basic faults first.

    Later checks rely on earlier ones: only the first fault is sure to be one.
    """
    yield from _names(graph)
    yield from _order(graph)
    yield from _monoids(graph)
    checker = Checker(graph)
    for node in graph.nodes:
        for fault in checker.node(node):
            yield f"{show_node(node)}: {fault}"
    yield from checker.ranks()
    yield from _outputs(graph)
    yield from _formats(graph)
    yield from region_faults(graph)


# ---------------------------------------------------------------------------------- names and order
def _names(graph: Graph) -> Faults:
    defines = [n.op.name for n in graph.nodes if isinstance(n.op, Define)]
    for what, names in (
        ("parameter", [p.name for p in graph.params]),
        ("rank", [r.name for r in graph.ranks]),
        ("monoid", [*BUILT_IN_MONOIDS, *(m.name for m in graph.monoids)]),
        ("definition", defines),
        ("node", [f"%{n.id}" for n in graph.nodes]),
        ("output", [name for name, _ in graph.outputs]),
        ("region", [r.name for r in graph.regions]),
        ("hint", [name for name, _ in graph.hints]),
    ):
        for name in repeated(names):
            yield f"two {what}s are called {name}"
    inputs = {p.name for p in graph.params if p.role != "out"}
    for name in defines:
        if name in inputs:
            yield f"the definition {name} is called like an input"


def _order(graph: Graph) -> Faults:
    """Every operand and every bound of a rank stands before its users."""
    ranks = {r.name: r for r in graph.ranks}
    known: set[NodeId] = set()
    for node in graph.nodes:
        named = (node.op.rank,) if isinstance(node.op, Index) else over(node.op)
        for name in (*named, *node.ranks):
            if name not in ranks:
                yield f"{show_node(node)}: there is no rank {name}"
                return
        for operand in needs(node.op, ranks):
            if operand not in known:
                yield f"{show_node(node)}: %{operand} is not defined before this node"
                return
        known.add(node.id)
    used = [node for _, node in graph.outputs] + [b for r in graph.ranks for b in (r.lo, r.hi)]
    used += [i for law in graph.laws for i in (law.on, law.floor, *law.reduces)]
    used += [node for node, _ in graph.formats] + [s for r in graph.regions for s in r.stores]
    for missing in (i for i in used if i not in known):
        yield f"there is no node %{missing}"


# ------------------------------------------------------------------------------------- declarations
def _monoids(graph: Graph) -> Faults:
    for monoid in graph.monoids:
        for fault in _monoid(monoid):
            yield f"monoid {monoid.name}: {fault}"


def _monoid(monoid: Monoid) -> Faults:
    if not monoid.fields:
        yield "its state has no field"
    for name in (*repeated(monoid.params), *repeated(monoid.fields)):
        yield f"{name} is named twice"
    if not len(monoid.fields) == len(monoid.one) == len(monoid.none) == len(monoid.merge):
        yield "`one`, `none` and `merge` do not each give every field"
    params: list[Term] = [("param", n) for n in monoid.params]
    states: list[Term] = [("state", side, f) for side in "ab" for f in monoid.fields]
    done: list[Term] = [("field", f) for f in monoid.fields]
    yield from _part("one", monoid.one, params)
    yield from _part("none", monoid.none, [])
    yield from _part("merge", monoid.merge, states)
    yield from _part("give", (monoid.give,), done)


def _part(part: str, terms: tuple[Term, ...], leaves: list[Term]) -> Faults:
    for term in terms:
        yield from (f"`{part}`: {fault}" for fault in _term(term, leaves))


def _term(term: object, leaves: list[Term]) -> Faults:
    match term:
        case ("const", bool() | int() | float()):
            return
        case ("param" | "state" | "field", *_):
            if term not in leaves:
                yield f"{term} is not known here"
        case ("cast", str(), part):
            yield from _term(part, leaves)
        case (str(fn), *parts):
            if fn not in SCALARS or len(parts) != SCALARS[fn].arity:
                yield f"{fn} is no function of {len(parts)} operands"
            for part in parts:
                yield from _term(part, leaves)
        case _:
            yield f"{term!r} is no expression"


def _formats(graph: Graph) -> Faults:
    for node, fmt in graph.formats:
        shape = graph.node(node).shape
        if shape is None:
            yield f"%{node} has a format but is a value"
        else:
            yield from (f"%{node}: {fault}" for fault in _format(fmt, len(shape)))
    for twice in repeated(node for node, _ in graph.formats):
        yield f"%{twice} has two formats"
    for param in graph.params:
        if param.format is not None:
            yield from (f"{param.name}: {f}" for f in _format(param.format, len(param.shape)))


def _format(fmt: Format, dimensions: int) -> Faults:
    if len(fmt.dims) != dimensions:
        yield f"format {fmt.name} has {len(fmt.dims)} dimensions, the table {dimensions}"
    if not fmt.parts or (fmt.cut is not None and len(fmt.parts) != 2):
        yield f"format {fmt.name} has {len(fmt.parts)} parts"
    for part in fmt.parts:
        for level in part.levels:
            if level.coord.dim not in fmt.dims:
                yield f"format {fmt.name} has no dimension {level.coord.dim}"


def _outputs(graph: Graph) -> Faults:
    given = dict(graph.outputs)
    names = {p.name for p in graph.params}
    for param in graph.params:
        if param.like and (param.like not in names or param.like == param.name):
            yield f"{param.name} has the pattern of {param.like}, which is no other parameter"
    for param in graph.params:
        if param.role == "in":
            continue
        if param.name not in given:
            yield f"{param.name} is never given"
            continue
        node = graph.node(given[param.name])
        if node.shape != param.shape or node.dtype != param.dtype:
            yield f"output {param.name} is not as declared: {show_node(node)}"
    written = {p.name for p in graph.params if p.role != "in"}
    yield from (f"{name} is no output" for name in given if name not in written)
