"""Nodes of a graph while it is read from a program: equal ones are one, ranges come later.

An index has a range only once everything in its scope has been seen, so ranks are *open* here:
nodes name them, and the bounds are filled in when the scope ends. Types are those of
:mod:`hastec.ir.infer`; what a node varies over is settled when the graph is finished.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hastec.diag import Span
from hastec.front.fault import fault
from hastec.front.sizes import combine
from hastec.ir.graph import (
    Access,
    Const,
    Index,
    Map,
    Monoid,
    Node,
    NodeId,
    Op,
    Rank,
    SizeOf,
    Softmax,
    binds,
    operands,
)
from hastec.ir.infer import const_type, dtype_of
from hastec.ir.types import F64, I32, I64, DType
from hastec.sym.size import Size

MAX_NODES = 10_000

_FOLDED = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}


@dataclass(slots=True, eq=False)
class Nodes:
    """The nodes of one kernel."""

    span: Span
    """The kernel's, to report that it is too large."""
    monoids: dict[str, Monoid] = field(default_factory=dict)
    ranks: dict[str, Rank] = field(default_factory=dict)
    """Ranks whose range is known."""
    all: list[Node] = field(default_factory=list)
    ids: dict[tuple[object, DType, bool], NodeId] = field(default_factory=dict)
    typed: dict[NodeId, Node] = field(init=False)
    """The same nodes, as readers of graphs want them."""

    def __post_init__(self) -> None:
        self.typed = _ById(self.all)

    def __getitem__(self, node: NodeId) -> Node:
        return self.all[node]

    def add(
        self,
        op: Op,
        span: Span | None,
        dtype: DType | None = None,
        shape: tuple[Size, ...] | None = None,
    ) -> NodeId:
        """Return the node of ``op``: an equal one if there is one, else a new one."""
        ruled = dtype or dtype_of(op, self.typed, self.monoids.values())
        assert ruled is not None  # callers state the types that no rule gives
        key = (_key(op), ruled, shape is None)
        found = self.ids.get(key)
        if found is None:
            found = len(self.all)
            if found >= MAX_NODES:
                message = f"this kernel has more than {MAX_NODES} operations"
                raise fault("HST1022", message, self.span, "split it into several kernels")
            self.all.append(Node(found, op, ruled, self._varies(op), shape, span))
            self.ids[key] = found
        return found

    def _varies(self, op: Op) -> tuple[str, ...]:
        if isinstance(op, Index):
            return (op.rank,)
        found: dict[str, None] = {}
        for operand in operands(op):
            found.update(dict.fromkeys(self.all[operand].ranks))
        if isinstance(op, Softmax):
            found[op.rank] = None
        for rank in binds(op):
            known = self.ranks.get(rank)
            for bound in (known.lo, known.hi) if known else ():
                found.update(dict.fromkeys(self.all[bound].ranks))
        return tuple(r for r in found if r not in binds(op))

    # ----------------------------------------------------------------------------------- values
    def const(self, value: bool | int | float, span: Span | None = None) -> NodeId:
        """Return a literal: bool, i32 (i64 if it does not fit) or f32."""
        return self.add(Const(value), span, const_type(value))

    def wide(self, value: int) -> NodeId:
        """Return an integer as a bound of a range, i64."""
        return self.add(Const(value), None, I64)

    def size(self, size: Size, span: Span | None = None) -> NodeId:
        """Return a size, i64; a constant one is a constant."""
        if size.constant is not None:
            return self.add(Const(size.constant), span, I64)
        return self.add(SizeOf(size), span)

    def map(self, fn: str, args: tuple[NodeId, ...], span: Span | None = None) -> NodeId:
        """Return a function of values; arithmetic on sizes and integers is done here and now."""
        folded = self._fold(fn, args, span)
        if folded is not None:
            return folded
        dtype = dtype_of(Map(fn, args), self.typed)
        if dtype == F64:
            args = tuple(self._precise(a) for a in args)
        return self.add(Map(fn, args), span, dtype)

    def cast(self, arg: NodeId, dtype: DType, span: Span | None = None) -> NodeId:
        """Return a value converted to ``dtype``."""
        return self.add(Map("cast", (arg,)), span, dtype)

    def _precise(self, arg: NodeId) -> NodeId:
        """A literal beside f64 is read as f64."""
        op = self.all[arg].op
        if isinstance(op, Const) and isinstance(op.value, float):
            return self.add(op, self.all[arg].span, F64)
        return arg

    def _fold(self, fn: str, args: tuple[NodeId, ...], span: Span | None) -> NodeId | None:
        ops = [self.all[a].op for a in args]
        if fn == "neg" and isinstance(ops[0], Const) and not isinstance(ops[0].value, bool):
            return self.add(Const(-ops[0].value), span, self.all[args[0]].dtype)
        if fn not in _FOLDED:
            return None
        left, right = self.as_size(args[0]), self.as_size(args[1])
        if left is None or right is None:
            return None
        if fn in ("div", "mod") and right.constant is None:
            # Sizes are computed before anything else, and this one may be 0.
            return None
        found = combine(_FOLDED[fn], left, right)
        if found is None:
            return None
        if any(self.all[a].dtype == I64 for a in args):
            return self.size(found, span)
        value = found.constant
        if value is None or not -(2**31) <= value < 2**31:
            return None
        return self.add(Const(value), span, I32)

    def as_size(self, node: NodeId) -> Size | None:
        """Return a node as a size expression, if it is one."""
        match self.all[node].op:
            case SizeOf(size):
                return size
            case Const(value) if isinstance(value, int) and not isinstance(value, bool):
                return Size.of(value)
            case _:
                return None

    # ------------------------------------------------------------------------------ questions
    def is_index(self, node: NodeId) -> str:
        """Return the rank whose coordinate ``node`` is, or ""."""
        op = self.all[node].op
        return op.rank if isinstance(op, Index) else ""

    def varies(self, *nodes: NodeId) -> frozenset[str]:
        """Return the ranks any of ``nodes`` depends on."""
        return frozenset(r for n in nodes for r in self.all[n].ranks)

    def reads_by_value(self, node: NodeId) -> bool:
        """Return whether ``node`` reads a table at a place that is itself read or computed."""
        todo, seen = [node], set[NodeId]()
        while todo:
            op = self.all[todo.pop()].op
            if isinstance(op, Access) and any(not self._plain(s) for s in op.subs):
                return True
            fresh = [i for i in operands(op) if i not in seen and self.all[i].shape is None]
            seen.update(fresh)
            todo += fresh
        return False

    def _plain(self, node: NodeId) -> bool:
        match self.all[node].op:
            case Index() | Const() | SizeOf():
                return True
            case Map(_, args):
                return all(self._plain(a) for a in args)
            case _:
                return False


class _ById(dict[NodeId, Node]):
    """A list of nodes as a mapping, for readers of graphs."""

    def __init__(self, nodes: list[Node]) -> None:
        super().__init__()
        self.nodes = nodes

    def __missing__(self, key: NodeId) -> Node:
        return self.nodes[key]


def _key(op: Op) -> object:
    """Tell apart what Python calls equal: 1, 1.0 and True, 0.0 and -0.0; let nan equal itself."""
    if isinstance(op, Const):
        return ("const", type(op.value), repr(op.value))
    return op
