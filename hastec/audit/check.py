"""Runs a case through every stage, then through the kernels, and says where it goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hastec.artefact import Artefact, generate, stage_text
from hastec.audit.cases import Case
from hastec.binding import Setup, learn, passes_for, runner_for
from hastec.diag import InternalError
from hastec.ir.forms import check as check_form
from hastec.ir.graph import Graph
from hastec.ir.interp import Table
from hastec.ir.verify import verify_graph
from hastec.levels.faults import TableError
from hastec.passes import Pass
from hastec.run.compare import Difference, compare, is_exact, tolerance
from hastec.run.interpreted import Interpreted
from hastec.run.results import named
from hastec.run.simulated import Simulated
from hastec.run.tables import TableValue, take

UNFIT = ("HST4015", "HST4018")
"""Codes of tables that a declared format has no room for, or whose values it cannot hold."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a program stops meaning what it did: a stage, and what is different there."""

    stage: str
    what: str
    case: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.what} (case: {self.case})"


@dataclass(frozen=True, slots=True)
class Passed:
    """A stage that a case passed."""

    stage: str
    worst: float = 0.0


Finding = Fault | Passed


def check_case(graph: Graph, setup: Setup, case: Case, native: bool) -> Iterator[Finding]:
    """Yield how a case fares, stage by stage, up to the first fault.

    ``native``: kernels are also compiled and run on this machine. A case that does not fit the
    declared formats (more entries than ``fixed`` fibres hold) is passed over.
    """
    try:
        wanted = _meant(graph, setup, case)
        for finding in _findings(graph, setup, case, wanted, native):
            yield finding
            if isinstance(finding, Fault):
                return
    except TableError as error:
        if any(d.code not in UNFIT for d in error.diagnostics):
            raise


def _findings(
    graph: Graph, setup: Setup, case: Case, wanted: Mapping[str, Table], native: bool
) -> Iterator[Finding]:
    exact = case.whole and is_exact(graph)

    def judge(stage: str, found: Callable[[], Mapping[str, Any]]) -> Finding:
        try:
            results = found()
        except InternalError as why:
            return Fault(stage, str(why), str(case))
        return _judged(graph, stage, results, wanted, exact, case)

    now = [graph]
    known = learn(graph, _static(graph, setup, case), case.sizes)
    for number, step in enumerate(passes_for(setup, known), start=1):

        def after(step: Pass = step) -> Mapping[str, Any]:
            now[0] = _passed(now[0], step)
            return _meant(now[0], setup, case)

        yield judge(f"{number:02}-{step.name}", after)
    yield judge("kernels", lambda: _run(now[0], simulated(setup), case))
    if native:
        here = case.on(setup.device.name, graph)
        yield judge("machine code", lambda: _run(now[0], setup, here))


def _passed(graph: Graph, step: Pass) -> Graph:
    """Return a graph behind a pass, its promises checked."""
    made = step.run(graph)
    made = replace(made, passed=(*made.passed, step.name))
    verify_graph(made)
    for form in sorted(step.gives, key=lambda f: f.value):
        check_form(form, made)
    return made


def _judged(
    graph: Graph,
    stage: str,
    results: Mapping[str, Any],
    wanted: Mapping[str, Table],
    exact: bool,
    case: Case,
) -> Finding:
    worst = 0.0
    for name, table in wanted.items():
        allowed = tolerance(graph, graph.param(name).dtype, exact)
        told: Difference = compare(name, results[name], table, allowed)
        if told.wrong:
            return Fault(stage, str(told), str(case))
        worst = max(worst, told.worst)
    return Passed(stage, worst)


# --------------------------------------------------------------------------------------- running
def _meant(graph: Graph, setup: Setup, case: Case) -> dict[str, Table]:
    return Interpreted(graph, {}, {}, "cpu", setup.registry).meant(case.given())


def _run(final: Graph, setup: Setup, case: Case) -> dict[str, Any]:
    """Return what the kernels of a graph behind all passes compute with a setup."""
    static = _static(final, setup, case)
    known = learn(final, static, case.sizes)
    target = setup.device.target
    codes = generate(final, setup.backend, target, setup.registry, setup.lines)
    artefact = Artefact((("final", stage_text(final)),), codes)
    runner = runner_for(artefact, setup, known, static, True)
    told = {n for name in static for size in final.param(name).shape for n in size.names()}
    rest = {n: v for n, v in case.given().items() if n not in static and n not in told}
    return named(final, runner(**rest))


def _static(graph: Graph, setup: Setup, case: Case) -> dict[str, TableValue]:
    return {
        p.name: take(p, case.tables[p.name], copy=True, registry=setup.registry)
        for p in graph.params
        if p.role != "out" and p.time == "static"
    }


def simulated(setup: Setup) -> Setup:
    """Return a setup whose kernels the kernel interpreter runs on host tables."""
    device = replace(setup.device, name="cpu")
    return replace(setup, backend=Simulated(setup.backend), device=device)
