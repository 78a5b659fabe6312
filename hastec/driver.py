"""From a program's text to something that runs: the one place that knows the whole order.

text -> syntax tree -> graph -> passes -> kernels -> source -> machine code -> plan
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from hastec.artefact import Artefact
from hastec.backends import backend
from hastec.binding import (
    Known,
    Setup,
    compile_graph,
    inputs_of,
    learn,
    runner_for,
    settled,
)
from hastec.cache import Store, default_root
from hastec.cache.identity import versions
from hastec.diag import Diagnostic, HasteError, Source
from hastec.front.build import check
from hastec.front.ready import Known as Words
from hastec.front.source import read_source
from hastec.ir.graph import Graph
from hastec.levels.missing import missing
from hastec.levels.registry import Registry, default_registry
from hastec.options import Options
from hastec.plan import Plan
from hastec.run.device import Device, cpu, gpu, named
from hastec.run.interpreted import Interpreted
from hastec.run.marks import Mark, mark_of
from hastec.run.simulated import Simulated
from hastec.run.tables import TableValue, checked_size, take
from hastec.tune.race import Progress
from hastec.tuning import compile_decided, decide

Marks: TypeAlias = tuple[Mark, ...]
"""By which the static tables of a plan are known again."""

Rough: TypeAlias = tuple[tuple[str, int], ...]
"""Sizes by name, each as the number of its bits."""


@dataclass(slots=True, eq=False)
class Program:
    """A checked kernel. ``bind`` fixes tables and returns a plan; calling it with all tables binds
    and runs in one go.
    """

    graph: Graph
    setup: Setup
    plans: dict[Rough, list[tuple[Marks, Plan]]] = field(default_factory=dict)

    def bind(
        self, *, tune: bool | None = None, progress: Progress | None = None, **given: object
    ) -> Plan:
        """Return a plan for tables that stay, and sizes to expect, given by name.

        Tables are validated and packed, formats and schedules chosen, kernels compiled or loaded.
        With ``tune`` (None: as the options say) candidates are measured first, which needs all
        sizes; what was measured before is used in any case. ``progress`` is told how far that is.
        Raises HasteError (TableError for a table) with everything that is wrong.
        """
        try:
            tables, sizes = self._given(given)
            known = learn(self.graph, tables, sizes)
            return self._plan(tables, known, copy=False, tune=tune, progress=progress)
        except HasteError as error:
            raise error.at(self.setup.source) from None

    def __call__(self, **given: object) -> Any:
        """Run on all tables at once. Tables may be copied or converted where they do not fit as
        they are; what was decided is kept for further calls with these static tables, at sizes
        less than twice as large or small.
        """
        try:
            return self._short(given)
        except HasteError as error:
            raise error.at(self.setup.source) from None

    def _short(self, given: Mapping[str, object]) -> Any:
        tables, sizes = self._given(given)
        static = {n: v for n, v in tables.items() if v.param.time == "static"}
        known = learn(self.graph, tables, sizes)
        plan = self._again({n: given[n] for n in sorted(static)}, known)
        if plan is None:
            plan = self._plan(static, known, copy=True)
            found = (mark_of(given[n]) for n in sorted(static))
            marks = tuple(m for m in found if m is not None)
            if len(marks) == len(static):
                self._kept(known).append((marks, plan))
        return plan(**{n: v for n, v in given.items() if n not in static})

    def _kept(self, known: Known) -> list[tuple[Marks, Plan]]:
        """Return the plans kept for about these sizes, less those whose tables are gone."""
        about = tuple((n, v.bit_length()) for n, v in sorted(known.sizes.items()))
        plans = self.plans.get(about, [])
        self.plans[about] = [(m, p) for m, p in plans if all(mark.alive() for mark in m)]
        return self.plans[about]

    def _again(self, static: Mapping[str, object], known: Known) -> Plan | None:
        """Return the plan that was made for these very tables, if there is one."""
        for marks, plan in self._kept(known):
            if len(marks) == len(static):
                pairs = zip(marks, static.values(), strict=True)
                if all(mark.holds(x) for mark, x in pairs):
                    return plan
        return None

    def source_for(self, target: str = "", **sizes: int) -> Artefact:
        """Return every stage and the generated source for a target, without data or a device."""
        return self.aimed(target).artefact_for(sizes)

    def artefact_for(self, sizes: Mapping[str, int], build: bool = False) -> Artefact:
        """Return every stage and the source, at sizes, without data; with ``build`` also machine
        code, without a device.
        """
        try:
            return compile_graph(self.graph, self.setup, self.known_for(sizes), build)
        except HasteError as error:
            raise error.at(self.setup.source) from None

    def known_for(self, sizes: Mapping[str, int]) -> Known:
        """Return what is known if only sizes are."""
        return learn(self.graph, {}, sizes)

    def aimed(self, target: str) -> Program:
        """Return the program for a target by name (as it is for ""); HST6005 if there is none."""
        if not target:
            return self
        device = named(target)
        made = backend(device.target.backend, self.setup.options.interpret)
        return Program(self.graph, replace(self.setup, device=device, backend=made))

    def simulated(self) -> Program:
        """Return the program with its kernels run by the kernel interpreter, on host tables.

        Their target may be any, whether or not this machine has one; nothing is built or cached.
        """
        setup = self.setup
        options = replace(setup.options, skip_cache=True)
        device = replace(setup.device, name="cpu")
        made = replace(setup, backend=Simulated(setup.backend), device=device, options=options)
        return Program(self.graph, made)

    def _given(self, given: Mapping[str, object]) -> tuple[dict[str, TableValue], dict[str, int]]:
        inputs = inputs_of(self.graph)
        device = self.setup.device.name
        tables = {
            n: take(inputs[n], v, copy=True, device=device, registry=self.setup.registry)
            for n, v in given.items()
            if n in inputs
        }
        return tables, _sizes(self.graph, given)

    def _plan(
        self,
        tables: dict[str, TableValue],
        known: Known,
        copy: bool,
        tune: bool | None = None,
        progress: Progress | None = None,
    ) -> Plan:
        notes = tuple(
            replace(d, severity="warning") for d in missing(self.graph, self.setup.registry)
        )
        if notes:
            setup = self.setup
            sizes = settled(self.graph, tables, known.sizes)
            run = Interpreted(self.graph, tables, sizes, setup.device.name, setup.registry)
            return self._dumped(Plan(run, None, setup, known, notes))
        _require_device(self.setup)
        decided = decide(self.graph, self.setup, known, tables, tune, progress)
        artefact = compile_decided(self.graph, self.setup, known, decided)
        run_ = runner_for(artefact, self.setup, known, tables, copy)
        return self._dumped(Plan(run_, artefact, self.setup, known, decided=decided))

    def _dumped(self, plan: Plan) -> Plan:
        """Return a plan whose stages are written down, if the options say where."""
        folder = self.setup.options.dump_dir
        if folder is not None:
            plan.dump(folder / self.graph.name)
        return plan


def compile(
    program: str | Path | Source,
    *,
    kernel: str = "",
    backend_name: str = "",
    registry: Registry | None = None,
    options: Options | None = None,
) -> Program:
    """Check a program and return its kernel, ready to be bound.

    ``program`` is the path of a ``.haste`` file, or a program's text. ``kernel`` picks one of
    several kernels (the last by default). ``backend_name`` is ``cpu`` or ``triton``; by default
    the GPU is used if there is one. ``registry`` may add levels and codes, which formats then
    name. Raises HasteError with everything that is wrong.
    """
    source = read_source(program)
    registry = registry or default_registry()
    graphs = check(source, _words(registry))
    options = options or Options.from_environment()
    graph = _picked(graphs, kernel, source)
    device = _device(backend_name, options)
    setup = Setup(
        source,
        backend(device.target.backend, options.interpret),
        device,
        registry,
        _store(options),
        options,
    )
    return Program(graph, setup)


def _sizes(graph: Graph, given: Mapping[str, object]) -> dict[str, int]:
    """Return what is given by name and is no input: sizes."""
    inputs = inputs_of(graph)
    return {n: checked_size(n, v, graph.params) for n, v in given.items() if n not in inputs}


def _words(registry: Registry) -> Words:
    """Return the levels and codes a program may name."""
    words = Words()

    def with_own(
        known: Mapping[str, tuple[str, ...]], names: Iterable[str]
    ) -> Mapping[str, tuple[str, ...]]:
        return {**{n: registry.options.get(n, ()) for n in names}, **known}

    return Words(
        with_own(words.levels, registry.levels),
        with_own(words.values, registry.values),
        with_own(words.index, registry.index),
    )


def _picked(graphs: tuple[Graph, ...], kernel: str, source: Source) -> Graph:
    found = [g for g in graphs if not kernel or g.name == kernel]
    if found:
        return found[-1]
    names = ", ".join(g.name for g in graphs) or "none"
    message = f"the program has no kernel {kernel}" if kernel else "the program has no kernel"
    raise HasteError(
        Diagnostic("HST6004", message, None, f"its kernels are: {names}"), source=source
    )


def _device(backend_name: str, options: Options) -> Device:
    """Return where kernels run: as told, else the GPU if there is one, else this processor."""
    if options.target and not backend_name:
        return named(options.target)
    if backend_name == "cpu":
        return _host()
    found = gpu()
    if backend_name == "triton":
        return found or named("sm_90")
    return found or _host()


def _require_device(setup: Setup) -> None:
    """Raise HasteError HST6006 if kernels of a setup cannot run on this machine."""
    device = setup.device
    if setup.backend.name == "triton" and device.name == "cpu" and not setup.options.interpret:
        message = f"this machine has no {device.target.name} to run on"
        advice = "leave the target out to run here, or check kernels with `hastec verify --target`"
        raise HasteError(Diagnostic("HST6006", message, None, advice))


def _host() -> Device:
    from hastec.backends.cpu.backend import Cpu

    return cpu(Cpu().lanes())


def _store(options: Options) -> Store:
    root = options.cache_dir or default_root()
    return Store(
        root,
        trusted=options.cache_trust,
        limit=options.cache_limit,
        versions=versions(),
    )
