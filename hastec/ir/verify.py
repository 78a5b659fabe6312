"""What must hold of every graph, checked between passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import assert_never

from hastec.diag import InternalError
from hastec.ir.format import Format
from hastec.ir.graph import (
    BUILT_IN_MONOIDS,
    Access,
    Const,
    Convert,
    Define,
    Graph,
    Index,
    Input,
    Map,
    Monoid,
    Node,
    NodeId,
    Present,
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Update,
    binds,
    operands,
)
from hastec.ir.infer import dtype_of, monoid_types, needs, over, ranks_of
from hastec.ir.scalars import SCALARS, Result
from hastec.ir.show import show_graph, show_node
from hastec.ir.types import BOOL, Kind, compute_type
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
    checker = _Checker(graph)
    for node in graph.nodes:
        for fault in checker.node(node):
            yield f"{show_node(node)}: {fault}"
    yield from checker.ranks()
    yield from _outputs(graph)
    yield from _formats(graph)
    yield from region_faults(graph)


# ---------------------------------------------------------------------------------- names and order
def _repeated(names: Iterable[object]) -> list[object]:
    return [name for name, count in Counter(names).items() if count > 1]


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
        for name in _repeated(names):
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
    used += [i for law in graph.laws for i in (law.on, *law.reduces)]
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
    for name in _repeated((*monoid.params, *monoid.fields)):
        if name not in monoid.params or name not in monoid.fields:
            yield f"{name} is named twice"
    for part, terms in (("one", monoid.one), ("none", monoid.none), ("merge", monoid.merge)):
        if len(terms) != len(monoid.fields):
            yield f"`{part}` does not give each field"
            return
    params = [("param", n) for n in monoid.params]
    states = [("state", side, f) for side in "ab" for f in monoid.fields]
    done = [("field", f) for f in monoid.fields]
    allowed: tuple[tuple[str, Iterable[object], list[object]], ...] = (
        ("one", monoid.one, [*params]),
        ("none", monoid.none, []),
        ("merge", monoid.merge, [*states]),
        ("give", (monoid.give,), [*done]),
    )
    for part, terms, leaves in allowed:
        for term in terms:
            for fault in _term(term, leaves):
                yield f"`{part}`: {fault}"


def _term(term: object, leaves: list[object]) -> Faults:
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
    for node in _repeated(node for node, _ in graph.formats):
        yield f"%{node} has two formats"
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


# -------------------------------------------------------------------------------------------- nodes
class _Checker:
    """Checks nodes against the types and ranks of their operands."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = graph.by_id
        self.rank_of = {r.name: r for r in graph.ranks}
        self.params = {p.name: p for p in graph.params}
        self.monoids = {m.name: m for m in graph.monoids}

    def node(self, node: Node) -> Faults:
        """Yield what is wrong with one node."""
        yield from self._op(node)
        stated = ranks_of(node.op, self.nodes, self.rank_of)
        if _repeated(node.ranks) or sorted(stated) != sorted(node.ranks):
            yield f"it varies over {{{', '.join(stated)}}}"
        if node.is_table and node.ranks:
            yield "a table varies over no rank"
        yield from self._dtype(node)
        yield from self._guards(node)
        yield from self._runs(node)

    def _dtype(self, node: Node) -> Faults:
        ruled = dtype_of(node.op, self.nodes, self.graph.monoids)
        if ruled is not None and ruled != node.dtype:
            yield f"its type is {ruled}"

    def _op(self, node: Node) -> Faults:
        op = node.op
        tables = [a for a in operands(op)[:1] if isinstance(op, Access | Present | Update | Convert)]
        values = operands(op)[len(tables) :]
        yield from (f"%{t} is no table" for t in tables if not self.nodes[t].is_table)
        yield from (f"%{v} is no value" for v in values if self.nodes[v].is_table)
        if node.is_table != isinstance(op, Input | Select | Define | Update | Convert):
            yield "a table where a value is meant, or a value where a table is"
            return
        match op:
            case Input(name):
                yield from self._input(node, name)
            case Const(value):
                yield from self._const(node, value)
            case Map(fn, args):
                yield from self._map(fn, args)
            case Access(table, subs) | Present(table, subs):
                yield from self._subs(table, subs)
            case Reduce():
                yield from self._reduce(op)
            case Select():
                yield from self._select(node, op)
            case Define(name, ranks, _, body):
                yield from self._define(node, name, ranks, body)
            case Update(table, _, subs, _, _):
                yield from self._subs(table, subs)
                yield from self._same_shape(node, table)
            case Convert(table, _):
                yield from self._same_shape(node, table)
            case SizeOf() | Index() | Softmax():
                return
            case _ as never:
                assert_never(never)

    def _input(self, node: Node, name: str) -> Faults:
        param = self.params.get(name)
        if param is None or param.role == "out":
            yield f"there is no input {name}"
        elif (param.dtype, param.shape) != (node.dtype, node.shape):
            yield f"{name} is declared otherwise"

    def _const(self, node: Node, value: bool | int | float) -> Faults:
        kind = node.dtype.kind
        fits = {bool: (Kind.BOOL,), int: (Kind.INT, Kind.UINT, Kind.FLOAT), float: (Kind.FLOAT,)}
        if kind not in fits[type(value)]:
            yield f"{value!r} is no {node.dtype}"

    def _map(self, fn: str, args: tuple[NodeId, ...]) -> Faults:
        if fn not in SCALARS:
            yield f"there is no function {fn}"
        elif len(args) != SCALARS[fn].arity:
            yield f"{fn} takes {SCALARS[fn].arity} operands"
        elif SCALARS[fn].result is not Result.GIVEN:
            bits = fn in ("bitand", "bitor", "bitxor", "shl", "shr", "popc", "xor", "xnor")
            if bits and any(self.nodes[a].dtype.is_float for a in args):
                yield f"{fn} takes integers"

    def _subs(self, table: NodeId, subs: tuple[NodeId, ...]) -> Faults:
        shape = self.nodes[table].shape or ()
        if len(subs) != len(shape):
            yield f"{len(subs)} subscripts for {len(shape)} dimensions"
        yield from (f"%{s} is no integer" for s in subs if not self.nodes[s].dtype.is_integer)

    def _reduce(self, op: Reduce) -> Faults:
        declared = self.monoids.get(op.monoid)
        if op.monoid not in BUILT_IN_MONOIDS and declared is None:
            yield f"there is no monoid {op.monoid}"
            return
        wanted = len(declared.params) if declared else 1
        if len(op.args) != wanted:
            yield f"{op.monoid} takes {wanted} operands"
        elif declared:
            monoid_types(declared, tuple(self.nodes[a].dtype for a in op.args))
        if not op.ranks:
            yield "it binds no rank"
        if op.monoid in ("argmax", "argmin") and len(op.ranks) != 1:
            yield f"{op.monoid} binds one rank"

    def _select(self, node: Node, op: Select) -> Faults:
        yield from self._shape_of(node, op.ranks)
        if op.over not in op.ranks:
            yield f"{op.over} is none of its ranks"
        if (op.amount is None) != (op.kind == "where"):
            yield f"{op.kind} with or without an amount"
        if op.amount is not None and op.over in self.nodes[op.amount].ranks:
            yield f"the amount varies over {op.over}"
        if op.kind == "topk" and not self.nodes[op.amount or 0].dtype.is_integer:
            yield "k is no integer"
        if op.kind == "where" and self.nodes[op.key].dtype.kind is not Kind.BOOL:
            yield "the condition is no truth value"
        if op.always and op.kind == "where":
            yield "`where` has no `always`"

    def _define(self, node: Node, name: str, ranks: tuple[str, ...], body: NodeId) -> Faults:
        yield from self._shape_of(node, ranks)
        param, given = self.params.get(name), self.nodes[body].dtype
        if param is None and node.dtype not in (given, compute_type((given,))):
            yield f"its type is {given}"
        if param and (param.dtype, param.shape) != (node.dtype, node.shape):
            yield f"{name} is declared otherwise"

    def _shape_of(self, node: Node, ranks: tuple[str, ...]) -> Faults:
        if len(node.shape or ()) != len(ranks):
            yield f"{len(ranks)} ranks for {len(node.shape or ())} dimensions"

    def _same_shape(self, node: Node, table: NodeId) -> Faults:
        if node.shape != self.nodes[table].shape:
            yield f"its shape is not that of %{table}"

    def _guards(self, node: Node) -> Faults:
        match node.op:
            case Reduce(guards=guards) | Softmax(guards=guards) | Define(guards=guards):
                conditions = guards
            case Update(guards=guards):
                conditions = guards
            case Select(guards=guards, always=always):
                conditions = (*guards, *always)
            case _:
                conditions = ()
        for guard in conditions:
            if self.nodes[guard].dtype not in (BOOL,) and self.nodes[guard].dtype.kind != Kind.BOOL:
                yield f"%{guard} is no truth value"

    def _runs(self, node: Node) -> Faults:
        """A range may depend on ranks that stand before it, not on itself or later ones."""
        names = over(node.op)
        yield from (f"rank {name} is bound twice" for name in _repeated(names))
        for position, name in enumerate(names):
            for bound in (self.rank_of[name].lo, self.rank_of[name].hi):
                late = [r for r in self.nodes[bound].ranks if r in names[position:]]
                yield from (f"the range of {name} depends on {r}" for r in late)
        if isinstance(node.op, Define | Select | Update):
            free = {r for o in operands(node.op) for r in self.nodes[o].ranks} - set(binds(node.op))
            yield from (f"nothing binds {r}" for r in sorted(free))

    def ranks(self) -> Faults:
        """Yield what is wrong with the bounds of ranks."""
        for rank in self.rank_of.values():
            for bound in (rank.lo, rank.hi):
                node = self.nodes[bound]
                if node.is_table or not node.dtype.is_integer:
                    yield f"rank {rank.name}: %{bound} is no integer"
