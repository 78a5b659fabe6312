"""Copies of values at other coordinates: what inlining a definition and renaming an index need."""

from __future__ import annotations

from collections.abc import Mapping

from hastec.diag import InternalError
from hastec.ir.graph import (
    Access,
    Const,
    Define,
    Index,
    Node,
    NodeId,
    Op,
    Reduce,
    SizeOf,
    Softmax,
)
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.infer import needs
from hastec.ir.rewrite import map_operands
from hastec.ir.types import I64, DType

Env = tuple[tuple[str, NodeId], ...]


def substitute(builder: GraphBuilder, root: NodeId, mapping: Mapping[str, NodeId]) -> NodeId:
    """Return a value like ``root`` with the coordinate of each rank of ``mapping`` replaced.

    before: ``x[i] * sum[k < len[i]] y[k]``; after, with i → j + 1:
    ``x[j + 1] * sum[k.1 < len[j + 1]] y[k.1]``

    Ranks bound inside get fresh names where their range changes or a replacement uses them. What
    does not depend on the replaced ranks is shared, not copied.
    """
    return _Copy(builder).value(root, _env({r: _wide(builder, n) for r, n in mapping.items()}))


def inline_access(builder: GraphBuilder, access: NodeId) -> NodeId:
    """Return the value an access to a ``Define`` reads, computed in place.

    before: ``h[b, f]`` where ``h[b, f] = g[b, f] for f in A``; after:
    ``where(A[b, f], g[b, f], 0)``, converted if the definition rounds.
    """
    op = builder.nodes[access].op
    table = builder.nodes[op.table] if isinstance(op, Access) else None
    if not isinstance(op, Access) or table is None or not isinstance(table.op, Define):
        raise InternalError(f"%{access} does not read a definition")
    return _Copy(builder).definition(table, table.op, op.subs)


class _Copy:
    """Copies values under environments: which ranks are replaced, by which nodes."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.done: dict[tuple[NodeId, Env], NodeId] = {}

    def value(self, root: NodeId, env: Env) -> NodeId:
        """Copy ``root``; deep expressions are walked with a stack, only binders recurse."""
        stack = [(root, self._restrict(root, env))]
        while stack:
            at, here = stack[-1]
            if (at, here) in self.done:
                stack.pop()
                continue
            node = self.builder.nodes[at]
            simple = here and not isinstance(node.op, Reduce | Softmax | Index)
            parts = self._parts(node.op, here) if simple else ()
            waits = [part for part in parts if part not in self.done]
            stack.extend(reversed(waits))
            if not waits:
                self.done[at, here] = self._copied(node, here)
                stack.pop()
        return self.done[root, self._restrict(root, env)]

    def _restrict(self, at: NodeId, env: Env) -> Env:
        ranks = self.builder.nodes[at].ranks
        return tuple(pair for pair in env if pair[0] in ranks)

    def _parts(self, op: Op, env: Env) -> tuple[tuple[NodeId, Env], ...]:
        return tuple((i, self._restrict(i, env)) for i in needs(op, self.builder.ranks))

    def _copied(self, node: Node, env: Env) -> NodeId:
        if not env:
            return node.id
        match node.op:
            case Index(rank):
                return dict(env)[rank]
            case Reduce():
                return self._reduce(node, node.op, env)
            case Softmax():
                return self._softmax(node.op, env)
            case op:
                return self._again(node, map_operands(op, lambda i: self.value(i, env)))

    def _again(self, node: Node, op: Op) -> NodeId:
        return self.builder.add(op, node.dtype, node.shape, node.span)

    def _reduce(self, node: Node, op: Reduce, env: Env) -> NodeId:
        inside = dict(env)
        ranks = tuple(self._rebind(rank, inside, op.ranks) for rank in op.ranks)
        new = map_operands(op, lambda i: self.value(i, _env(inside)))
        if not isinstance(new, Reduce):
            raise InternalError("a reduction stays one")
        return self._again(node, Reduce(op.monoid, ranks, new.guards, new.args))

    def _rebind(self, name: str, inside: dict[str, NodeId], siblings: tuple[str, ...]) -> str:
        """Return the rank that ``name`` becomes under ``inside``, which is updated."""
        builder, rank = self.builder, self.builder.ranks[name]
        inside.pop(name, None)
        lo, hi = (self.value(bound, _env(inside)) for bound in (rank.lo, rank.hi))
        captured = any(name in builder.nodes[new].ranks for new in inside.values())
        if (lo, hi) == (rank.lo, rank.hi) and not captured:
            return name
        extent = rank.extent
        new = builder.rank(builder.fresh_rank(name), hi, lo, extent, rank.span)
        inside[name] = builder.index(new)
        return new

    def _softmax(self, op: Softmax, env: Env) -> NodeId:
        """A softmax at a coordinate: renamed if that is an index with the same range, else
        ``exp(score - lse)`` spelled out over a rank of its own.
        """
        builder, rank = self.builder, self.builder.ranks[op.rank]
        outer = tuple(pair for pair in env if pair[0] != op.rank)
        lo, hi = (self.value(bound, outer) for bound in (rank.lo, rank.hi))
        point = dict(env).get(op.rank, builder.index(op.rank))
        target = builder.nodes[point].op
        if isinstance(target, Index):
            other = builder.ranks[target.rank]
            captured = any(other.name in builder.nodes[new].ranks for _, new in outer)
            if (other.lo, other.hi) == (lo, hi) and not captured:
                guards = tuple(self.value(g, env) for g in op.guards)
                return builder.softmax(other.name, self.value(op.arg, env), guards)
        name = builder.rank(builder.fresh_rank(op.rank), hi, lo, rank.extent, rank.span)
        inside = _env({**dict(outer), op.rank: builder.index(name)})
        guards = tuple(self.value(g, inside) for g in op.guards)
        total = builder.reduce("lse", name, self.value(op.arg, inside), guards)
        here = _env({**dict(outer), op.rank: point})
        return self._share(op, here, total, (builder.map("ge", point, lo), point, hi))

    def _share(
        self, op: Softmax, env: Env, total: NodeId, within: tuple[NodeId, NodeId, NodeId]
    ) -> NodeId:
        """``exp(score - total)`` inside the range and the guards, else 0."""
        builder, score = self.builder, self.value(op.arg, env)
        nothing = builder.map("eq", total, builder.const(float("-inf")))
        zero = builder.const(0.0, builder.nodes[total].dtype)
        share = builder.map("exp", builder.map("sub", score, total))
        share = builder.map("where", nothing, zero, share)
        first, point, hi = within
        tests = [first, builder.map("lt", point, hi), *(self.value(g, env) for g in op.guards)]
        return self._where(tests, share, zero)

    def definition(self, table: Node, op: Define, subs: tuple[NodeId, ...]) -> NodeId:
        """The value of a definition at ``subs``."""
        builder = self.builder
        inside: dict[str, NodeId] = {}
        tests: list[NodeId] = []
        for position, (name, given) in enumerate(zip(op.ranks, subs, strict=True)):
            rank, sub = builder.ranks[name], _wide(builder, given)
            if not self._whole(table, position, rank.lo, rank.hi):
                lo, hi = (self.value(bound, _env(inside)) for bound in (rank.lo, rank.hi))
                tests += [builder.map("ge", sub, lo), builder.map("lt", sub, hi)]
            inside[name] = sub
        env = _env(inside)
        declared = {p.name: p for p in builder.params if p.role == "out"}.get(op.name)
        if declared is not None and declared.like:
            raise InternalError(f"{op.name} has the pattern of {declared.like}: not inlined")
        tests += [self.value(guard, env) for guard in op.guards]
        body = self.value(op.body, env)
        if builder.nodes[body].dtype != table.dtype:
            body = builder.cast(body, table.dtype)
        fill = declared.fill if declared and declared.sparse else 0.0
        return self._where(tests, body, self._fill(fill, builder.nodes[body].dtype))

    def _fill(self, fill: float, dtype: DType) -> NodeId:
        if dtype.is_float:
            return self.builder.const(float(fill), dtype)
        return self.builder.const(int(fill) if dtype.is_integer else bool(fill), dtype)

    def _whole(self, table: Node, dimension: int, lo: NodeId, hi: NodeId) -> bool:
        """Whether a range covers a whole dimension, so that every access in bounds is inside."""
        nodes, size = self.builder.nodes, (table.shape or ())[dimension]
        covers = nodes[hi].op == SizeOf(size) or nodes[hi].op == Const(size.constant or -1)
        return nodes[lo].op == Const(0) and covers

    def _where(self, tests: list[NodeId], value: NodeId, other: NodeId) -> NodeId:
        """``value`` behind ``tests``, taken from left to right."""
        if not tests:
            return value
        condition = tests[0]
        for test in tests[1:]:
            condition = self.builder.map("and", condition, test)
        return self.builder.map("where", condition, value, other)


def _env(mapping: Mapping[str, NodeId]) -> Env:
    return tuple(sorted(mapping.items()))


def _wide(builder: GraphBuilder, node: NodeId) -> NodeId:
    """A subscript as i64, the type of the coordinate it replaces."""
    return node if builder.nodes[node].dtype == I64 else builder.cast(node, I64)
