"""Dead code: what no output needs goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hastec.ir.forms import Form
from hastec.ir.graph import Graph
from hastec.ir.rewrite import drop_dead


@dataclass(frozen=True, slots=True)
class DeadCode:
    """Remove nodes and ranks that nothing needs.

    before: ``%1 = …; %2 = …; output Y = %1``; after: ``%1 = …; output Y = %1``
    """

    name: ClassVar[str] = "dead"
    needs: ClassVar[frozenset[Form]] = frozenset({Form.SCHEDULED})
    gives: ClassVar[frozenset[Form]] = frozenset()

    def run(self, graph: Graph) -> Graph:
        """Return the graph without dead nodes."""
        return drop_dead(graph)
