"""Builds graphs: types and ranks follow from operands, equal nodes are one node.

Like :mod:`hastec.ir.rewrite` this knows nothing of what a program means.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from hastec.diag import InternalError, Span
from hastec.ir.format import Format
from hastec.ir.graph import (
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
    Op,
    Param,
    Present,
    Rank,
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Update,
)
from hastec.ir.infer import const_type, dtype_of, needs, ranks_of
from hastec.ir.types import BOOL, DType
from hastec.sym.size import Size

Ids = tuple[NodeId, ...]


class GraphBuilder:
    """Adds nodes to a graph, or to nothing, under fresh ids.

    Every method that adds a node returns its id; a node that exists already is not added again.
    Existing nodes keep their ids. :meth:`build` returns the graph. With ``shared`` false, nodes
    that ``graph`` brings along are shared only after they were :meth:`put` back.
    """

    def __init__(self, graph: Graph | None = None, name: str = "", *, shared: bool = True) -> None:
        self._start = graph or Graph(name, (), (), (), ())
        self.params = list(self._start.params)
        self.monoids = list(self._start.monoids)
        self.outputs = dict(self._start.outputs)
        self.ranks = {r.name: r for r in self._start.ranks}
        self.nodes = {n.id: n for n in self._start.nodes}
        existing = reversed(self._start.nodes) if shared else ()
        self._ids = {_key(n.op, n.dtype, n.shape): n.id for n in existing}
        self._next = max(self.nodes, default=-1) + 1

    # -------------------------------------------------------------------------------- declarations
    def param(self, param: Param) -> NodeId | None:
        """Declare a table; return its node if it is given by the caller."""
        self.params.append(param)
        return None if param.role == "out" else self.input(param.name)

    def monoid(self, monoid: Monoid) -> str:
        """Declare a reduction and return its name."""
        self.monoids.append(monoid)
        return monoid.name

    def rank(
        self,
        name: str,
        hi: NodeId,
        lo: NodeId | None = None,
        extent: Size | None = None,
        span: Span | None = None,
    ) -> str:
        """Add the rank ``lo <= name < hi`` (``lo`` 0 by default) and return its name."""
        if name in self.ranks:
            raise InternalError(f"there is a rank {name} already")
        self.ranks[name] = Rank(name, self.const(0) if lo is None else lo, hi, extent, span)
        return name

    def loop(self, name: str, size: Size | int | str) -> str:
        """Add the rank ``0 <= name < size``, whose extent is ``size``, and return its name."""
        return self.rank(name, self.size(size), extent=Size.of(size))

    def fresh_rank(self, like: str) -> str:
        """Return a name for a new rank that reads like ``like``: ``j``, then ``j.1``, ``j.2`` …"""
        stem = re.sub(r"\.\d+$", "", like)
        names = (stem, *(f"{stem}.{n}" for n in range(1, len(self.ranks) + 2)))
        return next(n for n in names if n not in self.ranks)

    def output(self, name: str, node: NodeId) -> None:
        """State that the table ``node`` is the final state of the output ``name``."""
        self.outputs[name] = node

    # --------------------------------------------------------------------------------------- nodes
    def add(
        self,
        op: Op,
        dtype: DType | None = None,
        shape: tuple[Size, ...] | None = None,
        span: Span | None = None,
    ) -> NodeId:
        """Add any node; its ranks, and its type unless given, follow from its operands."""
        ruled = dtype or dtype_of(op, self.nodes, self.monoids)
        if ruled is None:
            raise InternalError(f"the type of {op} must be stated")
        key = _key(op, ruled, shape)
        found = self._ids.get(key)
        if found is None:
            found, self._next = self._next, self._next + 1
            ranks = ranks_of(op, self.nodes, self.ranks)
            self.nodes[found] = Node(found, op, ruled, ranks, shape, span)
            self._ids[key] = found
        return found

    def put(self, node: Node) -> NodeId:
        """Let ``node`` stand for the node of the same id, its ranks recomputed.

        Returns the id of another node if that one is equal.
        """
        key = _key(node.op, node.dtype, node.shape)
        found = self._ids.setdefault(key, node.id)
        if found == node.id:
            ranks = ranks_of(node.op, self.nodes, self.ranks)
            kept = node.ranks if set(ranks) == set(node.ranks) else ranks
            self.nodes[node.id] = replace(node, ranks=kept)
        return found

    def input(self, name: str) -> NodeId:
        """The table a caller gives under ``name``."""
        param = next(p for p in self.params if p.name == name)
        return self.add(Input(name), param.dtype, param.shape, param.span)

    def const(self, value: bool | int | float, dtype: DType | None = None) -> NodeId:
        """A literal, by default of type bool, i32 (i64 if it does not fit) or f32."""
        return self.add(Const(value), dtype or const_type(value))

    def size(self, size: Size | int | str) -> NodeId:
        """A size expression, i64."""
        return self.add(SizeOf(Size.of(size)))

    def index(self, rank: str, span: Span | None = None) -> NodeId:
        """The coordinate of ``rank``, i64."""
        return self.add(Index(rank), span=span)

    def map(self, fn: str, *args: NodeId, span: Span | None = None) -> NodeId:
        """A scalar function of values (conversions: :meth:`cast`)."""
        return self.add(Map(fn, args), span=span)

    def cast(self, arg: NodeId, dtype: DType, span: Span | None = None) -> NodeId:
        """A value converted to ``dtype``."""
        return self.add(Map("cast", (arg,)), dtype, span=span)

    def access(self, table: NodeId, *subs: NodeId, span: Span | None = None) -> NodeId:
        """The entry of ``table`` at ``subs``."""
        return self.add(Access(table, subs), span=span)

    def present(self, table: NodeId, *subs: NodeId, span: Span | None = None) -> NodeId:
        """Whether ``table`` stores an entry at ``subs``."""
        return self.add(Present(table, subs), span=span)

    def reduce(
        self,
        monoid: str,
        ranks: str | tuple[str, ...],
        args: NodeId | Ids,
        guards: Ids = (),
        span: Span | None = None,
    ) -> NodeId:
        """``args`` merged over all coordinates of ``ranks`` that pass ``guards``."""
        bound = (ranks,) if isinstance(ranks, str) else ranks
        merged = (args,) if isinstance(args, int) else args
        return self.add(Reduce(monoid, bound, guards, merged), span=span)

    def softmax(self, rank: str, arg: NodeId, guards: Ids = (), span: Span | None = None) -> NodeId:
        """The softmax of ``arg`` over ``rank`` where ``guards`` hold."""
        return self.add(Softmax(rank, guards, arg), span=span)

    def select(
        self,
        kind: Literal["topk", "top_p", "where"],
        ranks: tuple[str, ...],
        over: str,
        key: NodeId,
        amount: NodeId | None = None,
        guards: Ids = (),
        always: Ids = (),
        shape: tuple[Size, ...] | None = None,
        span: Span | None = None,
    ) -> NodeId:
        """A table of which candidates along ``over`` are members."""
        op = Select(kind, ranks, over, guards, key, amount, always)
        return self.add(op, BOOL, self.extents(ranks) if shape is None else shape, span)

    def define(
        self,
        name: str,
        ranks: tuple[str, ...],
        body: NodeId,
        guards: Ids = (),
        shape: tuple[Size, ...] | None = None,
        span: Span | None = None,
    ) -> NodeId:
        """A table of ``body``; type and shape are those of the output ``name``, if it is one."""
        declared = next((p for p in self.params if p.name == name and p.role == "out"), None)
        op = Define(name, ranks, guards, body)
        if declared is not None:
            return self.add(op, declared.dtype, declared.shape, span)
        stated = self.extents(ranks) if shape is None else shape
        return self.add(op, self.nodes[body].dtype, stated, span)

    def update(
        self,
        table: NodeId,
        ranks: tuple[str, ...],
        subs: Ids,
        body: NodeId,
        guards: Ids = (),
        span: Span | None = None,
    ) -> NodeId:
        """``table`` with ``body`` written at ``subs``."""
        op = Update(table, ranks, subs, guards, body)
        return self.add(op, shape=self.nodes[table].shape, span=span)

    def convert(self, table: NodeId, fmt: Format, span: Span | None = None) -> NodeId:
        """``table`` in another format."""
        return self.add(Convert(table, fmt), shape=self.nodes[table].shape, span=span)

    def extents(self, ranks: tuple[str, ...]) -> tuple[Size, ...]:
        """Return the extents of ``ranks``, which must all be known."""
        found = tuple(self.ranks[r].extent for r in ranks)
        if any(extent is None for extent in found):
            raise InternalError(f"a rank of {ranks} has no extent: state the shape")
        return tuple(extent for extent in found if extent is not None)

    # ---------------------------------------------------------------------------------------- done
    def build(self) -> Graph:
        """Return the graph, its nodes ordered so that operands come first, dead ones included."""
        return replace(
            self._start,
            params=tuple(self.params),
            monoids=tuple(self.monoids),
            ranks=tuple(self.ranks.values()),
            nodes=tuple(self._ordered()),
            outputs=tuple(self.outputs.items()),
        )

    def _ordered(self) -> list[Node]:
        """All nodes in the order they were added, except that operands go before their users."""
        done: dict[NodeId, Node] = {}
        begun: set[NodeId] = set()
        for first in self.nodes:
            stack = [first]
            while stack:
                node = self.nodes[stack[-1]]
                waits = [i for i in needs(node.op, self.ranks) if i not in done]
                begun.add(node.id)
                if begun.intersection(waits):
                    raise InternalError(f"%{node.id} depends on itself")
                stack.extend(reversed(waits))
                if not waits:
                    done.setdefault(node.id, node)
                    stack.pop()
        return list(done.values())


def _key(op: Op, dtype: DType, shape: tuple[Size, ...] | None) -> object:
    # 1, 1.0 and True are equal in Python, and nan is not: literals are told apart by their text.
    what = ("const", repr(op.value)) if isinstance(op, Const) else op
    return what, dtype, shape
