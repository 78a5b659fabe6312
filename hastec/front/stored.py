"""Which entries of a value may be absent: a sparse output that stores all of them is an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from hastec.diag import Diagnostic
from hastec.front.nodes import Nodes
from hastec.ir.graph import (
    Access,
    Const,
    Define,
    Input,
    Map,
    NodeId,
    Param,
    Reduce,
    Select,
    Update,
)
from hastec.ir.scalars import SCALARS, Absent

_MERGES = {0.0: ("sum", "max", "min"), inf: ("min",), -inf: ("max",)}
"""Reductions whose result is absent (equal to the fill) if all of their elements are."""


def check_stored(
    nodes: Nodes,
    order: Sequence[NodeId],
    params: Mapping[str, Param],
    outputs: Mapping[str, NodeId],
) -> tuple[Diagnostic, ...]:
    """Return the sparse outputs, not ``like`` another table, that would store every entry."""
    found = []
    for name, node in outputs.items():
        param = params[name]
        if param.role != "out" or not param.sparse or param.like:
            continue
        if not Presence(nodes, params, param.fill).of(node, order):
            message = f"`{name}` is sparse, but every entry of it is stored"
            help_ = "drop `sparse`, or say which entries are meant with `for`"
            found.append(Diagnostic("HST3011", message, nodes[node].span, help_))
    return tuple(found)


class Presence:
    """Finds the values that may be absent, where absent means equal to ``fill``."""

    def __init__(self, nodes: Nodes, params: Mapping[str, Param], fill: float = 0.0) -> None:
        self.nodes = nodes
        self.params = params
        self.fill = fill
        self.known: dict[NodeId, bool] = {}

    def of(self, node: NodeId, order: Iterable[NodeId]) -> bool:
        """Return whether entries of ``node`` may be absent; ``order`` leads up to it."""
        for at in order:
            if at not in self.known:
                self.known[at] = self._partial(at, self.known)
        return self.known[node]

    def _partial(self, at: NodeId, known: Mapping[NodeId, bool]) -> bool:
        match self.nodes[at].op:
            case Input(name):
                return self.params[name].sparse and self.params[name].fill == self.fill
            case Const(value):
                return float(value) == self.fill
            case Access(table, _):
                return known[table]
            case Define(_, _, guards, body):
                return bool(guards) or known[body] or self._cut(at)
            case Select():
                return True
            case Update(table, _, _, _, _):
                return known[table]
            case Reduce(monoid, _, guards, (arg,)):
                return monoid in _MERGES.get(self.fill, ()) and (bool(guards) or known[arg])
            case Map(fn, args):
                return self._map(fn, args, known)
            case _:
                return False

    def _cut(self, at: NodeId) -> bool:
        """True for a definition whose ``for`` names a part of a dimension."""
        op = self.nodes[at].op
        assert isinstance(op, Define)
        whole = zip(op.ranks, self.nodes[at].shape or (), strict=True)
        return any(
            self.nodes.as_size(self.nodes.ranks[rank].hi) != size
            or self.nodes.as_size(self.nodes.ranks[rank].lo) is None
            or self.nodes.as_size(self.nodes.ranks[rank].lo) != size - size
            for rank, size in whole
        )

    def _map(self, fn: str, args: tuple[NodeId, ...], known: Mapping[NodeId, bool]) -> bool:
        if fn == "where":
            return known[args[1]] or known[args[2]]
        match self._rule(fn):
            case Absent.ANY:
                return any(known[a] for a in args)
            case Absent.ALL:
                return all(known[a] for a in args)
            case Absent.FIRST:
                return known[args[0]]
            case Absent.NEVER:
                return False

    def _rule(self, fn: str) -> Absent:
        if self.fill == 0:
            return SCALARS[fn].absent
        if fn == "add" and abs(self.fill) == inf:
            return Absent.ANY
        if (fn, self.fill) in (("min", inf), ("max", -inf)) or fn == "cast":
            return Absent.ALL
        return Absent.NEVER
