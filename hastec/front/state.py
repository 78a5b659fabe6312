"""What is known while one kernel is read, and what all its readers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hastec.diag import Diagnostic, Span
from hastec.front.fault import fault
from hastec.front.nodes import Nodes
from hastec.front.scope import Entry, IndexVar, Scope
from hastec.front.stored import Presence
from hastec.grammar import ast
from hastec.grammar.depth import MAX_DEPTH
from hastec.ir.graph import Index, Monoid, NodeId, Param


@dataclass(frozen=True, slots=True)
class Program:
    """The declarations a kernel may use."""

    fns: Mapping[str, ast.FnDecl]
    monoids: Mapping[str, Monoid]


@dataclass(slots=True, eq=False)
class State:
    """One kernel being read. Nothing outlives :func:`hastec.front.kernel.build_kernel`."""

    program: Program
    nodes: Nodes
    evaluate: Callable[[State, ast.Expr, Scope], NodeId]
    sizes: dict[str, Span] = field(default_factory=dict)
    params: dict[str, Param] = field(default_factory=dict)
    tables: dict[str, Entry] = field(default_factory=dict)
    open: dict[str, IndexVar] = field(default_factory=dict)
    """Indices by rank, in the order they were bound; closed ones stay."""
    inlined: dict[tuple[object, ...], NodeId] = field(default_factory=dict)
    """Functions and conditions by name at the arguments they were used with."""
    later: dict[str, Span] = field(default_factory=dict)
    """Names that statements further down define."""
    problems: list[Diagnostic] = field(default_factory=list)
    presence: Presence = field(init=False)
    """Which values may be absent."""
    in_brackets: int = 0
    """How many subscripts are being read, one inside the other."""
    in_range: int = 0
    """How many bounds of ranges are being read: there an index need only fit a table."""
    depth: int = 0

    def __post_init__(self) -> None:
        self.presence = Presence(self.nodes, self.params)

    def partial(self, node: NodeId) -> bool:
        """Return whether a table may leave entries out."""
        return self.presence.of(node, range(len(self.presence.known), node + 1))

    def value(self, expr: ast.Expr, scope: Scope) -> NodeId:
        """Return the value of an expression."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            message = f"this nests deeper than {MAX_DEPTH}, functions included"
            raise fault("HST0006", message, expr.span, "give a part of it a name of its own")
        try:
            return self.evaluate(self, expr, scope)
        finally:
            self.depth -= 1

    def new_index(self, name: str, span: Span) -> IndexVar:
        """Return a new index that no scope knows yet."""
        rank = f"{name}#{len(self.open)}"
        var = IndexVar(name, rank, self.nodes.add(Index(rank), span), span)
        self.open[rank] = var
        return var

    def bound(self, expr: ast.Expr, scope: Scope) -> NodeId:
        """Return the value of a bound of a range."""
        self.in_range += 1
        try:
            return self.value(expr, scope)
        finally:
            self.in_range -= 1
