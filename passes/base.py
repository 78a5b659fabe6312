"""What a pass is."""

from __future__ import annotations

from typing import ClassVar, Protocol

from hastec.ir.forms import Form
from hastec.ir.graph import Graph


class Pass(Protocol):
    """A frozen value that turns a graph into a graph with the same meaning.

    ``needs`` are the forms the graph must have, ``gives`` those it has afterwards; forms once
    given are kept. Options are fields. A pass raises only :class:`~hastec.diag.HasteError`.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[Form]]
    gives: ClassVar[frozenset[Form]]

    def run(self, graph: Graph) -> Graph:
        """Return the graph after the pass (the same object if nothing changed)."""
        ...
