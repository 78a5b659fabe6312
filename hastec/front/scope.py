"""What names mean: indices in brackets, tables, conditions by name, parameters of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hastec.diag import Span
from hastec.grammar import ast
from hastec.ir.graph import NodeId
from hastec.ir.types import DType
from hastec.sym.size import Size


@dataclass(slots=True, eq=False)
class IndexVar:
    """An index while its scope is open: where it stands alone, and the range it was given.

    ``guards`` are the conditions of its own brackets that mention it. ``clones`` are copies with
    the same range inside selections, each with what replaces the indices around it.
    """

    name: str
    rank: str
    node: NodeId
    span: Span
    uses: list[tuple[Size, Span]] = field(default_factory=list)
    lo: NodeId | None = None
    hi: NodeId | None = None
    guards: tuple[NodeId, ...] = ()
    clones: list[tuple[IndexVar, dict[str, NodeId]]] = field(default_factory=list)
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    ``names``: the indices it takes by name, if it was defined so; ``own`` is the one of them that
    ``x in T`` fills. ``partial``: it may leave entries out, so ``in`` can ask what is present.
    """

    name: str
    node: NodeId
    shape: tuple[Size, ...]
    dtype: DType
    span: Span
    names: tuple[str, ...] | None = None
    own: str = ""
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Closure:
    """A definition by name that is read anew at each use: ``P = j <= i and i - j < 8``.

    ``free``: the indices it takes, in order of appearance. ``tables``: what its names meant.
    """

    name: str
    body: ast.Expr
    free: tuple[str, ...]
    tables: Mapping[str, Entry]
    span: Span


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter of a function: a value computed where the function is used."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class Broken:
    """A name whose definition has an error: its uses are not reported again."""

    span: Span


Entry: TypeAlias = Table | Closure | Broken
Binding: TypeAlias = IndexVar | Value | Entry
Fill: TypeAlias = Callable[[str, Span], Binding | None]
"""Gives a meaning to a name that has none yet, or declines."""


class Scope:
    """Names visible at a place. A scope without ``parent`` sees nothing of what surrounds it."""

    def __init__(
        self,
        parent: Scope | None = None,
        *,
        names: Mapping[str, Binding] | None = None,
        tables: Mapping[str, Entry] | None = None,
        fill: Fill | None = None,
    ) -> None:
        self.parent = parent
        self.names: dict[str, Binding] = dict(names or {})
        self.tables: Mapping[str, Entry]
        self.tables = tables if tables is not None else (parent.tables if parent else {})
        self.fill: Fill | None = fill or (parent.fill if parent else None)
        self.spent: dict[str, Span] = parent.spent if parent else {}
        """Indices of reductions of this statement, and where they are bound."""

    def local(self, name: str) -> Binding | None:
        """Return the index or parameter called ``name``, if there is one in scope."""
        at: Scope | None = self
        while at is not None:
            if name in at.names:
                return at.names[name]
            at = at.parent
        return None

    def find(self, name: str) -> Binding | None:
        """Return what ``name`` means here, if it means anything yet."""
        found = self.local(name)
        return found if found is not None else self.tables.get(name)

    def known(self) -> list[str]:
        """Return all names visible here, innermost first."""
        found: dict[str, None] = {}
        at: Scope | None = self
        while at is not None:
            found.update(dict.fromkeys(at.names))
            at = at.parent
        return [*found, *self.tables]
