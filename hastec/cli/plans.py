"""Plans from what a command line binds, and what their calls are given."""

from __future__ import annotations

from typing import Any

from hastec.cli.answer import Problem
from hastec.cli.bindings import Bindings
from hastec.driver import Program
from hastec.ir.graph import Graph, Param
from hastec.plan import Plan
from hastec.tune.race import Progress


def bound(
    made: Program, given: Bindings, tune: bool | None = None, progress: Progress | None = None
) -> Plan:
    """Return the plan for what is given: static tables bound, all sizes told."""
    stays = {p.name for p in made.graph.params if p.time == "static"}
    # The names of tables are the program's own, so nothing is known of these keywords' types.
    named: dict[str, Any] = {n: v for n, v in given.tables.items() if n in stays}
    named.update(given.known(made.graph))
    return made.bind(tune=tune, progress=progress, **named)


def rest(graph: Graph, given: Bindings) -> dict[str, object]:
    """Return what a call is given: tables that are not bound, and sizes no bound one tells."""
    stays = {p.name: p for p in graph.params if p.time == "static"}
    told = {n for name in given.tables if name in stays for n in _names(stays[name])}
    sizes = {n: v for n, v in given.sizes.items() if n not in told}
    return {**sizes, **{n: v for n, v in given.tables.items() if n not in stays}}


def _names(param: Param) -> tuple[str, ...]:
    return tuple(n for size in param.shape for n in size.names())


def told(plan: Plan) -> tuple[Problem, ...]:
    """Return everything a plan warns of: why it is interpreted, records, the cache."""
    setup = plan.setup
    decided = plan.decided.notes if plan.decided is not None else ()
    notes = (*plan.notes, *decided)
    return (
        *(Problem(note, setup.source) for note in notes),
        *(Problem(warning) for warning in setup.store.warnings),
    )
