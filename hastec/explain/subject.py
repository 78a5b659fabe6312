"""What is explained: a plan's graph, its code, and what was known when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hastec.artefact import Artefact
from hastec.binding import Known, Setup
from hastec.cost import Facts
from hastec.cost.facts import ASSUMED_SIZE
from hastec.diag import Diagnostic
from hastec.ir.format import Format
from hastec.ir.graph import Graph, NodeId
from hastec.passes.bound import table_name
from hastec.passes.facts import facts_for


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A plan as an explanation sees it.

    ``artefact`` is None for an interpreted program. ``held`` are the bytes of bound arrays by
    name (``W.1.crd``); ``measured`` the seconds of regions that were timed.
    """

    graph: Graph
    artefact: Artefact | None
    setup: Setup
    known: Known
    held: Mapping[str, int] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[Diagnostic, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """All sizes of the program: as told, or as pricing assumes them."""
        return {**dict.fromkeys(self.graph.sizes, ASSUMED_SIZE), **self.known.sizes}

    @property
    def assumed(self) -> tuple[tuple[str, int], ...]:
        """The sizes that nobody told."""
        return tuple((n, ASSUMED_SIZE) for n in self.graph.sizes if n not in self.known.sizes)

    def facts(self, formats: Mapping[NodeId, Format]) -> Facts:
        """Return what pricing knows if tables have these formats."""
        named = {table_name(self.graph.node(n)): f for n, f in formats.items()}
        return facts_for(self.graph, self.known.stats, self.known.sizes, named)
