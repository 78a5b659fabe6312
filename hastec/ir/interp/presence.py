"""Which entries of tables are stored, and where values are structurally absent.

A value is *absent* where it must equal the fill because nothing is stored there. What makes a
result absent is a fact of the scalar function (:class:`hastec.ir.scalars.Absent`) for a fill of
0; for a fill of inf or -inf it is what makes that infinity annihilate. A choice is absent where the
side that is chosen is, and a literal that equals the fill is absent: so a definition under a
condition and ``value if condition else 0`` store the same entries.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import numpy as np

from hastec.ir.graph import (
    Access,
    Const,
    Define,
    Graph,
    Map,
    Node,
    NodeId,
    Present,
    Reduce,
    Softmax,
)
from hastec.ir.interp.align import Value, choose, data_over
from hastec.ir.interp.domain import domain, live_over, over_box
from hastec.ir.interp.number import Bools, bools
from hastec.ir.interp.points import places, taken
from hastec.ir.interp.state import Run
from hastec.ir.interp.store import place
from hastec.ir.scalars import SCALARS, Absent

Key = tuple[NodeId, float]
"""A value, and the number it equals where it is absent."""


def like_table(graph: Graph, name: str) -> NodeId | None:
    """Return the computed table whose pattern the definition ``name`` has, if it has one's."""
    like = next((p.like for p in graph.params if p.name == name and p.role == "out"), "")
    return dict(graph.outputs).get(like) if like else None


class Presence:
    """Decides presence, for one interpretation."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._stored: dict[NodeId, Bools | None] = {}
        self._values: dict[Key, Value | None] = {}

    def pattern(self, name: str) -> Bools | None:
        """Return the presence that the definition ``name`` takes from another table."""
        param = self.run.params.get(name)
        if param is None or not param.like:
            return None
        table = like_table(self.run.graph, name)
        found = self.run.given[param.like].present if table is None else self.stored(table)
        shape = tuple(s.evaluate(self.run.sizes) for s in param.shape)
        return np.ones(shape, np.bool_) if found is None else found

    def stored(self, table: NodeId) -> Bools | None:
        """Return which entries of a table are stored; None if all are."""
        node = self.run.nodes[table]
        if not isinstance(node.op, Define):
            return self.run.tables[table].present
        if table not in self._stored:
            like = self.pattern(node.op.name)
            self._stored[table] = self._defined(node, node.op) if like is None else like
        return self._stored[table]

    def _defined(self, node: Node, op: Define) -> Bools | None:
        run = self.run
        found = domain(run, op.ranks, op.guards)
        body = self.value(op.body, run.tables[node.id].fill)
        live = live_over(run, found.where, op.ranks)
        if body is not None:
            live = live & bools(over_box(run, body, op.ranks))
        made = bools(place(run, node, op.ranks, live, live, np.asarray(False)))
        return None if made.all() else made

    # -------------------------------------------------------------------------------------- values
    def value(self, root: NodeId, fill: float) -> Value | None:
        """Return where a value may differ from ``fill``; None if everywhere."""
        stack: list[Key] = [(root, fill)]
        while stack:
            at = stack[-1]
            waits = [key for key in _asks(self.run.nodes[at[0]], at[1]) if key not in self._values]
            stack.extend(waits)
            if not waits:
                self._values[at] = self._decide(self.run.nodes[at[0]], at[1])
                stack.pop()
        return self._values[root, fill]

    def _decide(self, node: Node, fill: float) -> Value | None:
        parts = [self._values[key] for key in _asks(node, fill)]
        match node.op:
            case Access(table, subs):
                return self._access(node, table, subs, fill)
            case Present():
                return self.run.values[node.id] if fill == 0 else None
            case Const(value):
                return Value((), np.asarray(False)) if value == fill else None
            case Map("where", (test, _, _)):
                return _either(node.ranks, self.run.values[test], *parts)
            case Map(fn):
                rule = _rule(fn, fill)
                merged = parts[:1] if rule is Absent.FIRST else parts
                return _merge(node.ranks, merged, rule)
            case Reduce() as op:
                return self._reduce(node, op, parts[0], fill) if parts else None
            case Softmax(rank, guards):
                return domain(self.run, (rank,), guards).where if fill == 0 else None
            case _:
                return None

    def _access(
        self, node: Node, table: NodeId, subs: tuple[NodeId, ...], fill: float
    ) -> Value | None:
        stored = self.stored(table)
        if stored is None or self.run.tables[table].fill != fill:
            return None
        at, _ = places(self.run, node, table, subs)
        return Value(node.ranks, taken(self.run, node, stored, at))

    def _reduce(self, node: Node, op: Reduce, arg: Value | None, fill: float) -> Value | None:
        run, ranks = self.run, (*node.ranks, *op.ranks)
        found = domain(run, op.ranks, op.guards).where
        if found is None and arg is None:
            return None
        axes = tuple(range(len(node.ranks), len(ranks)))
        live = live_over(run, found, ranks)
        there = live_over(run, arg, ranks)
        some = (live & there).any(axis=axes)
        match _REDUCED[op.monoid, fill]:
            case "any":
                return Value(node.ranks, np.asarray(some))
            case "any or none":
                return Value(node.ranks, np.asarray(some | ~live.any(axis=axes)))
            case _:
                return Value(node.ranks, np.asarray((there | ~live).all(axis=axes)))


_INF = math.inf
_REDUCED = {
    ("sum", 0.0): "any",
    ("mean", 0.0): "any",
    ("any", 0.0): "any",
    # Over nothing these are infinite, so only absent terms make them 0.
    ("max", 0.0): "any or none",
    ("min", 0.0): "any or none",
    ("max", -_INF): "any",
    ("lse", -_INF): "any",
    ("min", _INF): "any",
    # One infinite term decides.
    ("sum", _INF): "all",
    ("sum", -_INF): "all",
    ("min", -_INF): "all",
    ("max", _INF): "all",
}
"""When a reduction is present: if any term is, if any is or there are none, if all are."""

_INFINITE = {
    ("add", _INF): Absent.ANY,
    ("add", -_INF): Absent.ANY,
    ("sub", _INF): Absent.ANY,
    ("sub", -_INF): Absent.ANY,
    ("neg", _INF): Absent.FIRST,
    ("neg", -_INF): Absent.FIRST,
    ("cast", _INF): Absent.FIRST,
    ("cast", -_INF): Absent.FIRST,
    ("min", _INF): Absent.ALL,
    ("max", -_INF): Absent.ALL,
    ("min", -_INF): Absent.ANY,
    ("max", _INF): Absent.ANY,
}


def _rule(fn: str, fill: float) -> Absent:
    if fill == 0:
        return SCALARS[fn].absent
    return _INFINITE.get((fn, fill), Absent.NEVER)


def _asks(node: Node, fill: float) -> tuple[Key, ...]:
    """Return the operands whose presence decides that of ``node``, with their fills."""
    match node.op:
        case Map("where", (_, yes, no)):
            return ((yes, fill), (no, fill))
        case Map(fn, args):
            if _rule(fn, fill) is Absent.NEVER:
                return ()
            signs = {"sub": (1, -1), "neg": (-1,)}.get(fn, (1,) * len(args))
            # 0 has no sign here, so that both fills share one key.
            return tuple((a, fill * s + 0.0) for a, s in zip(args, signs, strict=True))
        case Reduce(monoid, args=(arg,)):
            return ((arg, fill),) if (monoid, fill) in _REDUCED else ()
        case _:
            return ()


def _either(
    ranks: tuple[str, ...], test: Value, yes: Value | None, no: Value | None
) -> Value | None:
    """Presence of a choice: that of the side that is chosen."""
    if yes is None and no is None:
        return None
    always = Value((), np.asarray(True))
    taken_if, else_taken = (bools(data_over(side or always, ranks)) for side in (yes, no))
    return Value(ranks, choose(bools(data_over(test, ranks)), taken_if, else_taken))


def _merge(ranks: tuple[str, ...], parts: list[Value | None], rule: Absent) -> Value | None:
    """Combine presence: a result that is absent as soon as one operand is needs all present."""
    known = [part for part in parts if part is not None]
    needs_all = rule is Absent.ANY
    if rule is Absent.NEVER or not known or (len(known) < len(parts) and not needs_all):
        return None
    combine: Callable[[Bools, Bools], Bools] = np.logical_and if needs_all else np.logical_or
    return Value(ranks, reduce(combine, (bools(data_over(part, ranks)) for part in known)))
