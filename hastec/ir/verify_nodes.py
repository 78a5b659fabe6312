"""What must hold of each node of a graph: types, ranks and shapes follow from its operands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import assert_never

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
    Node,
    NodeId,
    Present,
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Update,
    operands,
)
from hastec.ir.infer import dtype_of, monoid_types, over, ranks_of
from hastec.ir.scalars import SCALARS
from hastec.ir.types import Kind, compute_type

Faults = Iterator[str]
_WORDS = ("bitand", "bitor", "bitxor", "shl", "shr", "popc", "xor", "xnor")


def repeated(names: Iterable[object]) -> list[object]:
    """Return the names that occur more than once, in order."""
    return [name for name, count in Counter(names).items() if count > 1]


class Checker:
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
        if repeated(node.ranks) or sorted(stated) != sorted(node.ranks):
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
        tabled = isinstance(op, Access | Present | Update | Convert)
        tables, values = operands(op)[:tabled], operands(op)[tabled:]
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
        elif fn in _WORDS and any(self.nodes[a].dtype.is_float for a in args):
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
            if self.nodes[guard].dtype.kind is not Kind.BOOL:
                yield f"%{guard} is no truth value"

    def _runs(self, node: Node) -> Faults:
        """A range may depend on ranks that stand before it, not on itself or later ones."""
        names = over(node.op)
        yield from (f"rank {name} is bound twice" for name in repeated(names))
        for position, name in enumerate(names):
            for bound in (self.rank_of[name].lo, self.rank_of[name].hi):
                late = [r for r in self.nodes[bound].ranks if r in names[position:]]
                yield from (f"the range of {name} depends on {r}" for r in late)

    def ranks(self) -> Faults:
        """Yield what is wrong with the bounds of ranks."""
        for rank in self.rank_of.values():
            for bound in (rank.lo, rank.hi):
                node = self.nodes[bound]
                if node.is_table or not node.dtype.is_integer:
                    yield f"rank {rank.name}: %{bound} is no integer"
