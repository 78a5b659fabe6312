"""The graph: what a kernel computes, before any decision about how.

A graph is a list of frozen nodes in topological order. A *value* node denotes a scalar that
varies over some ranks (indices); a *table* node denotes a whole table. Nodes refer to earlier
nodes by id, and an id is never reused or renumbered by a pass. Sharing a node means sharing its
value.

Ranks carry their own range. A range whose bounds are nodes may depend on other ranks (ragged) or
on step data (run-time cuts).

Laziness: a node behind a false guard, a false ``and``/``where`` condition or outside a range is
never evaluated, so it may be out of bounds there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from hastec.diag.span import Span
from hastec.ir.format import Format
from hastec.ir.types import DType
from hastec.sym.size import Size

Time = Literal["static", "request", "step"]
NodeId: TypeAlias = int


# ------------------------------------------------------------------------------------ declarations
@dataclass(frozen=True, slots=True)
class Param:
    """A declared table: an input, an output, or both (``inout``). Rank 0 is a scalar.

    ``sparse``: absent entries equal ``fill``. ``like`` names the table whose pattern an output
    has. ``cap`` bounds the entries of a computed sparse output (0: counted first).
    """

    name: str
    dtype: DType
    shape: tuple[Size, ...]
    role: Literal["in", "out", "inout"] = "in"
    time: Time = "step"
    sparse: bool = False
    fill: float = 0.0
    host: bool = False
    format: Format | None = None
    like: str = ""
    cap: int = 0
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Rank:
    """An index: ``lo <= index < hi``, both integer nodes. Names are unique in a graph.

    ``extent`` is a size that bounds ``hi`` in every call (used for shapes and capacities); None
    if none is known.
    """

    name: str
    lo: NodeId
    hi: NodeId
    extent: Size | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Monoid:
    """A reduction of the user's own: element, empty state, associative merge, result.

    Expressions are nested tuples: ``("param", name)``, ``("state", "a" | "b", field)``,
    ``("field", name)`` (in ``give``), ``("const", number)`` or ``(function, operand …)``.
    """

    name: str
    params: tuple[str, ...]
    fields: tuple[str, ...]
    one: tuple[Term, ...]
    none: tuple[Term, ...]
    merge: tuple[Term, ...]
    give: Term
    span: Span | None = None


Term: TypeAlias = tuple[object, ...]

BUILT_IN_MONOIDS = ("sum", "prod", "max", "min", "any", "all", "mean", "lse", "argmax", "argmin")


# ------------------------------------------------------------------------------------------- nodes
@dataclass(frozen=True, slots=True)
class Input:
    """Table: the declared table ``name`` as it is given."""

    name: str


@dataclass(frozen=True, slots=True)
class Const:
    """Value: a number or truth value."""

    value: bool | int | float


@dataclass(frozen=True, slots=True)
class SizeOf:
    """Value: a size expression, i64."""

    size: Size


@dataclass(frozen=True, slots=True)
class Index:
    """Value: the coordinate of a rank, i64."""

    rank: str


@dataclass(frozen=True, slots=True)
class Map:
    """Value: a scalar function (:mod:`hastec.ir.scalars`) of values."""

    fn: str
    args: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """Value: the entry of ``table`` at ``subs``. An absent entry is the fill (bool: false)."""

    table: NodeId
    subs: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Present:
    """Value, bool: whether ``table`` stores an entry at ``subs``."""

    table: NodeId
    subs: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Reduce:
    """Value: ``args`` merged over all coordinates of ``ranks`` (outermost first) that pass
    ``guards`` (tested left to right).
    """

    monoid: str
    ranks: tuple[str, ...]
    guards: tuple[NodeId, ...]
    args: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Softmax:
    """Value over ``rank``: exp(arg - lse) where lse runs over ``rank`` under ``guards``; 0 where
    they are false, and 0 everywhere if every score is -inf.
    """

    rank: str
    guards: tuple[NodeId, ...]
    arg: NodeId


@dataclass(frozen=True, slots=True)
class Select:
    """Table, bool, over ``ranks`` of which ``over`` is selected: which candidates are members.

    ``guards`` say which coordinates are candidates. ``amount`` is k (``topk``), the mass
    (``top_p``); ``where`` has none and ``key`` is its condition. A candidate for which one of
    ``always`` holds has the key inf. Ties go to the lowest index, NaN ranks last.
    """

    kind: Literal["topk", "top_p", "where"]
    ranks: tuple[str, ...]
    over: str
    guards: tuple[NodeId, ...]
    key: NodeId
    amount: NodeId | None = None
    always: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class Define:
    """Table: ``body`` at all coordinates of ``ranks`` that pass ``guards``; absent (0) elsewhere.

    ``name`` is the statement's name, or of the output it computes; an output is rounded to its
    declared type here, and later readers see the rounded value.
    """

    name: str
    ranks: tuple[str, ...]
    guards: tuple[NodeId, ...]
    body: NodeId


@dataclass(frozen=True, slots=True)
class Update:
    """Table: ``table`` with ``body`` written at ``subs`` for every coordinate of ``ranks`` that
    passes ``guards``. No place is written twice.
    """

    table: NodeId
    ranks: tuple[str, ...]
    subs: tuple[NodeId, ...]
    guards: tuple[NodeId, ...]
    body: NodeId


@dataclass(frozen=True, slots=True)
class Convert:
    """Table: the same table in another format."""

    table: NodeId
    format: Format


Op: TypeAlias = (
    Input
    | Const
    | SizeOf
    | Index
    | Map
    | Access
    | Present
    | Reduce
    | Softmax
    | Select
    | Define
    | Update
    | Convert
)


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its id, what it does, its type and where it came from.

    ``shape`` is None for a value, the dimensions for a table. ``ranks`` are the ranks a value
    varies over (for a table: the outer ranks it would be recomputed for, always empty today).
    """

    id: NodeId
    op: Op
    dtype: DType
    ranks: tuple[str, ...] = ()
    shape: tuple[Size, ...] | None = None
    span: Span | None = None

    @property
    def is_table(self) -> bool:
        """True if this denotes a table rather than a value."""
        return self.shape is not None


@dataclass(frozen=True, slots=True)
class Law:
    """A rescale law: ``on`` (a max) may grow while the sums ``reduces`` run beside it.

    ``floor`` is ``max(on, lowest finite number)``, the form in which the sums use the maximum
    (so that no difference of infinities occurs). When it grows, the state of each sum so far is
    multiplied by ``exp(old - new)``.
    """

    on: NodeId
    floor: NodeId
    reduces: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """Nodes that become one kernel: the tables it stores, in order. Filled by the fuse pass.

    Every other table a region reads is an input or the output of an earlier region; all else is
    recomputed inside.
    """

    name: str
    stores: tuple[NodeId, ...]
    schedule: object | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A choice a pass made about ``subject``: what was taken, why, and each thing rejected with
    its reason. Kept so that the compiler can explain itself; nothing is decided by it.
    """

    subject: str
    chosen: str
    reason: str
    rejected: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A kernel's graph. ``outputs`` pairs the names of outputs (and ``inout`` tables) with the
    table node that holds the final state. ``formats`` is filled by the format pass and covers
    every table a region reads or stores.
    """

    name: str
    params: tuple[Param, ...]
    ranks: tuple[Rank, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, NodeId], ...]
    monoids: tuple[Monoid, ...] = ()
    laws: tuple[Law, ...] = ()
    formats: tuple[tuple[NodeId, Format], ...] = ()
    regions: tuple[Region, ...] = ()
    hints: tuple[tuple[str, int], ...] = ()
    """What a ``schedule`` block asks for: (``tile.m``, 64) …"""
    candidates: tuple[tuple[NodeId, Format], ...] = ()
    """Formats that may still be chosen for a table, until schedules settle which is."""
    decisions: tuple[Decision, ...] = ()
    passed: tuple[str, ...] = ()
    """Names of the passes that ran, in order."""

    def node(self, node: NodeId) -> Node:
        """Return the node with this id (KeyError if there is none)."""
        return self.by_id[node]

    @property
    def by_id(self) -> dict[NodeId, Node]:
        """All nodes by id."""
        return {n.id: n for n in self.nodes}

    def rank(self, name: str) -> Rank:
        """Return the rank called ``name``."""
        return next(r for r in self.ranks if r.name == name)

    def param(self, name: str) -> Param:
        """Return the declaration called ``name``."""
        return next(p for p in self.params if p.name == name)

    def format_of(self, table: NodeId) -> Format:
        """Return the format chosen for a table (KeyError if none is)."""
        return dict(self.formats)[table]

    @property
    def sizes(self) -> tuple[str, ...]:
        """Names of all sizes, in order of first appearance in the declarations."""
        found: dict[str, None] = {}
        for param in self.params:
            for size in param.shape:
                found.update(dict.fromkeys(size.names()))
        for node in self.nodes:
            if isinstance(node.op, SizeOf):
                found.update(dict.fromkeys(node.op.size.names()))
        return tuple(found)


def operands(op: Op) -> tuple[NodeId, ...]:
    """Return the ids of all nodes ``op`` refers to (not those its ranks' bounds refer to)."""
    match op:
        case Input() | Const() | SizeOf() | Index():
            return ()
        case Map(_, args):
            return args
        case Access(table, subs) | Present(table, subs):
            return (table, *subs)
        case Reduce(_, _, guards, args):
            return (*guards, *args)
        case Softmax(_, guards, arg):
            return (*guards, arg)
        case Select(_, _, _, guards, key, amount, always):
            return (*guards, key, *(() if amount is None else (amount,)), *always)
        case Define(_, _, guards, body):
            return (*guards, body)
        case Update(table, _, subs, guards, body):
            return (table, *subs, *guards, body)
        case Convert(table, _):
            return (table,)


def binds(op: Op) -> tuple[str, ...]:
    """Return the ranks ``op`` binds: those its operands may vary over but it does not."""
    match op:
        case Reduce(_, ranks, _, _) | Define(_, ranks, _, _) | Update(_, ranks, _, _, _):
            return ranks
        case Select(_, ranks, _, _, _, _, _):
            return ranks
        case _:
            return ()
