"""Check: what the backends can compile of a graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from hastec.diag import HasteError
from hastec.ir.forms import Form
from hastec.ir.graph import Graph
from hastec.levels.missing import missing
from hastec.levels.registry import Registry, default_registry


@dataclass(frozen=True, slots=True)
class Check:
    """Refuse what has a meaning but no kernel yet; the graph is left as it is.

    Raises HasteError HST5001 with every construct that the backends cannot compile.
    """

    registry: Registry = field(default_factory=default_registry)

    name: ClassVar[str] = "check"
    needs: ClassVar[frozenset[Form]] = frozenset({Form.TYPED})
    gives: ClassVar[frozenset[Form]] = frozenset()

    def run(self, graph: Graph) -> Graph:
        """Return ``graph`` if the backends can compile all of it."""
        found = tuple(missing(graph, self.registry))
        if found:
            raise HasteError(*found)
        return graph
