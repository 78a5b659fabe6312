"""Normalise: derived reductions spelled out, equal things made one thing, laws stated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hastec.ir.forms import Form
from hastec.ir.graph import Graph
from hastec.passes.algebra import spell_out
from hastec.passes.guards import settle
from hastec.passes.laws import state_laws
from hastec.passes.unify import unify


@dataclass(frozen=True, slots=True)
class Normalise:
    """Bring a graph into the form later passes read.

    before: ``sum[j; P](softmax[j; P](s) * V)``; after: ``sum[j; P](exp(s - m) * V) * inverse``
    with ``m`` the maximum, ``inverse`` one over the sum of weights, and a law that lets all three
    run in one pass over ``j``.
    """

    name: ClassVar[str] = "normalise"
    needs: ClassVar[frozenset[Form]] = frozenset({Form.TYPED})
    gives: ClassVar[frozenset[Form]] = frozenset({Form.NORMAL, Form.LAWS})

    def run(self, graph: Graph) -> Graph:
        """Return the graph in normal form."""
        return state_laws(reduced(unify(graph)))


def reduced(graph: Graph) -> Graph:
    """Apply the rules until nothing changes: each exposes work for the others."""
    for _ in range(8):
        before = graph
        graph = spell_out(settle(graph))
        if graph == before:
            return graph
    return graph
