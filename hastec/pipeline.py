"""Runs passes in order, checks what they promise, and tells observers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from hastec.diag import HasteError, InternalError
from hastec.ir.forms import Form, check
from hastec.ir.graph import Graph
from hastec.ir.verify import verify_graph
from hastec.passes.base import Pass


class Observer(Protocol):
    """Sees every stage of a compilation, in order."""

    def __call__(self, number: int, name: str, graph: Graph) -> None:
        """Look at the graph after the pass ``name`` (number 0: as it was built)."""
        ...


def check_order(passes: Sequence[Pass]) -> None:
    """Refuse an order in which a pass runs before what it needs is given."""
    have = {Form.TYPED}
    for step in passes:
        lacking = sorted(f.value for f in step.needs - have)
        if lacking:
            raise InternalError(f"pass {step.name} needs {', '.join(lacking)} first")
        have |= step.gives


def run_passes(
    graph: Graph, passes: Sequence[Pass], observers: Sequence[Observer] = (), verify: bool = True
) -> Graph:
    """Return the graph after all passes; every stage is verified and shown to observers."""
    check_order(passes)
    for observer in observers:
        observer(0, "build", graph)
    for number, step in enumerate(passes, start=1):
        graph = _behind(step, graph, verify)
        for observer in observers:
            observer(number, step.name, graph)
    return graph


def _behind(step: Pass, graph: Graph, verify: bool) -> Graph:
    """Return the graph behind a pass; what goes wrong inside is told to be there."""
    try:
        made = step.run(graph)
        made = replace(made, passed=(*made.passed, step.name))
        if verify:
            verify_graph(made)
            for form in sorted(step.gives, key=lambda f: f.value):
                check(form, made)
    except HasteError:
        raise
    except Exception as error:
        error.add_note(f"in pass {step.name}, on kernel {graph.name}")
        raise
    return made
