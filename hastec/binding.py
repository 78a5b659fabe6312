"""Binding: tables that stay are checked and packed, formats and schedules chosen, kernels made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hastec.arrays import Array
from hastec.artefact import Artefact, Code, code_of, from_files, generate, stage_text, to_files
from hastec.cache import Made, Store, key
from hastec.cache.identity import versions
from hastec.contracts import Backend
from hastec.diag import Source
from hastec.ir.format import Format
from hastec.ir.graph import Graph, Param
from hastec.ir.kernel import Kernel
from hastec.ir.show import show_format
from hastec.ir.subscripts import index_checks
from hastec.levels.protocol import Layout
from hastec.levels.registry import Registry
from hastec.levels.stats import Stats, describe
from hastec.observe import Stages
from hastec.once import Once
from hastec.options import Options
from hastec.passes import Pass, pass_line
from hastec.passes.bound import layouts_of, table_name
from hastec.passes.catalogue import BLOCKS, widths
from hastec.passes.choice import NOTHING, Choice
from hastec.passes.tile import Against, Tile
from hastec.pipeline import run_passes
from hastec.run.device import Device
from hastec.run.indices import IndexChecks
from hastec.run.outputs import Output, output_of
from hastec.run.runner import Ready, Runner, Step
from hastec.run.sizes import known_sizes
from hastec.run.tables import TableValue
from hastec.run.validate import within_reach_all


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """Everything about a compilation that is not the program: where, with what, how."""

    source: Source
    backend: Backend
    device: Device
    registry: Registry
    store: Store
    options: Options

    @property
    def lines(self) -> dict[int, str]:
        """The program's text by line number."""
        return dict(enumerate(self.source.text.split("\n"), start=1))


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What bound tables tell: sizes, statistics of sparse static ones, formats that are given.

    ``fixed`` are the sizes that bound tables show: the others are hints.
    """

    sizes: Mapping[str, int]
    stats: Mapping[str, Stats] = field(default_factory=dict)
    given: Mapping[str, Format] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()


def learn(
    graph: Graph,
    tables: Mapping[str, TableValue],
    sizes: Mapping[str, int],
) -> Known:
    """Return what tables tell. Raises TableError where their sizes disagree."""
    shapes = {n: v.shape for n, v in tables.items()}
    stats: dict[str, Stats] = {}
    given: dict[str, Format] = {}
    for name, value in tables.items():
        param = graph.param(name)
        if param.sparse and param.format is None:
            if param.time == "static" and len(param.shape) >= 2:
                entries = value.entries()
                pieces = widths(value.shape[-1])
                stats[name] = describe(entries.coords, value.shape, BLOCKS, widths=pieces)
            elif param.time != "static" and value.format is not None:
                given[name] = value.format
    found = known_sizes(graph.params, shapes, sizes)
    return Known(found, stats, given, frozenset(settled(graph, tables, found)))


def compile_graph(
    graph: Graph, setup: Setup, known: Known, build: bool = True, choice: Choice = NOTHING
) -> Artefact:
    """Return the artefact of a graph: from the cache, or made now.

    ``choice`` is what was decided beforehand, by tuning or by a lock file.
    """
    if setup.options.skip_cache or not setup.registry.own:
        return _make(graph, setup, known, build, choice)
    entry = setup.store.get_or_make(
        _key(graph, setup, known, build, choice),
        lambda: Made(to_files(_make(graph, setup, known, build, choice))),
    )
    return from_files(entry.files)


def _key(graph: Graph, setup: Setup, known: Known, build: bool, choice: Choice) -> str:
    fields = {f"version.{n}": v for n, v in versions().items()}
    fields["program"] = setup.source.text
    fields["kernel"] = graph.name
    fields["target"] = repr(setup.device.target)
    fields["model"] = setup.device.model
    fields["backend"] = setup.backend.version()
    fields["registry"] = repr(sorted(setup.registry.levels))
    fields["build"] = str(build)
    fields["sizes"] = json.dumps(dict(known.sizes), sort_keys=True)
    fields["fixed"] = json.dumps(sorted(known.fixed))
    fields["stats"] = json.dumps({n: s.json() for n, s in known.stats.items()}, sort_keys=True)
    fields["given"] = repr(sorted((n, show_format(f)) for n, f in known.given.items()))
    fields["choice"] = repr([(name, str(chosen)) for name, chosen in choice])
    return key(fields)


def passes_for(
    setup: Setup, known: Known, choice: Choice = NOTHING, against: Against | None = None
) -> tuple[Pass, ...]:
    """Return the pass line of a compilation; ``against`` builds what is about to be chosen."""
    return pass_line(
        setup.device.target,
        setup.registry,
        known.sizes,
        known.given,
        known.stats,
        setup.backend.refuse,
        choice,
        against,
    )


def _make(graph: Graph, setup: Setup, known: Known, build: bool, choice: Choice) -> Artefact:
    stages = Stages(stage_text)
    target, once = setup.device.target, Once(setup.backend, setup.lines)
    setup = replace(setup, backend=once)
    passes = passes_for(setup, known, choice, once.against if build else None)
    done = run_passes(graph, passes, (stages,))
    codes = generate(done, once, target, setup.registry, setup.lines, build)
    general = _general(done, codes, setup, known, once) if build else ()
    return Artefact(tuple(stages.found), codes, general)


def _general(
    graph: Graph, codes: tuple[Code, ...], setup: Setup, known: Known, once: Once
) -> tuple[Code, ...]:
    """Return kernels for any sizes of the regions whose own count on sizes that were hints."""
    bound = {c.region for c in codes if not _always(c.kernel, known.fixed)}
    open_ = tuple(replace(r, schedule=None) for r in graph.regions if r.name in bound)
    if not open_:
        return ()
    again = _tile(setup, known, once).run(replace(graph, regions=open_))
    return generate(again, once, setup.device.target, setup.registry, setup.lines)


def _always(kernel: Kernel, fixed: frozenset[str]) -> bool:
    return all(n in fixed or not n.isidentifier() for r in kernel.requires for n in r.size.names())


def _tile(setup: Setup, known: Known, once: Once) -> Tile:
    """Return the pass that chooses schedules for any sizes but those that are fixed."""
    sizes = {n: v for n, v in known.sizes.items() if n in known.fixed}
    given = setup.device.target, known.stats, sizes, setup.registry
    return Tile(*given, refuse=setup.backend.refuse, against=once.against)


# ------------------------------------------------------------------------------------------ runner
def runner_for(
    artefact: Artefact,
    setup: Setup,
    known: Known,
    tables: Mapping[str, TableValue],
    copy: bool,
) -> Runner:
    """Return what runs an artefact: bound tables packed, kernels loaded."""
    graph = artefact.graph
    layouts = _named_layouts(graph, setup)
    checks = IndexChecks(index_checks(graph), setup.options.check.value)
    # What is used as a subscript is checked once, so nobody else may be able to change it.
    indices = {n: v.own() for n, v in tables.items() if n in checks.tables}
    arrays: dict[str, Array] = {}
    numbers: dict[str, int] = {}
    for name, value in {**tables, **indices}.items():
        packed_arrays, packed_numbers = _packed(
            value, layouts[name], known.sizes, setup.device.name
        )
        arrays.update(packed_arrays)
        numbers.update(packed_numbers)
    return Runner(
        graph,
        tuple(_step(graph, code, artefact.general, setup, known) for code in artefact.codes),
        _outputs(graph, layouts),
        tuple(p for p in graph.params if p.role == "in" and p.name not in tables),
        {n: lay for n, lay in layouts.items() if _is_sparse(graph, n)},
        arrays,
        numbers,
        settled(graph, tables, known.sizes),
        setup.device.name,
        checks,
        indices,
        copy,
    )


def settled(
    graph: Graph, tables: Mapping[str, TableValue], sizes: Mapping[str, int]
) -> dict[str, int]:
    """Return the sizes that bound tables tell; others are hints, and every call tells its own."""
    told = {name for n in tables for s in graph.param(n).shape for name in s.names()}
    return {n: v for n, v in sizes.items() if n in told}


def _named_layouts(graph: Graph, setup: Setup) -> dict[str, tuple[Layout, ...]]:
    bound = layouts_of(graph, dict(graph.formats), setup.registry)
    return {table_name(graph.node(n)): layouts for n, layouts in bound.items()}


def _is_sparse(graph: Graph, name: str) -> bool:
    param = next((p for p in graph.params if p.name == name), None)
    packs = param is not None and (param.sparse or param.format is not None)
    return packs and param is not None and param.role == "in"


def _packed(
    value: TableValue, layouts: tuple[Layout, ...], sizes: Mapping[str, int], device: str
) -> tuple[Mapping[str, Array], Mapping[str, int]]:
    if value.dense is not None and not value.param.sparse and value.param.format is None:
        arrays = {f"{value.param.name}.val": value.dense}
        return within_reach_all(value.param, arrays, device), {}
    packed = value.in_layouts(layouts, sizes)
    return within_reach_all(value.param, packed.named(), device), packed.sizes()


def _outputs(graph: Graph, layouts: Mapping[str, tuple[Layout, ...]]) -> tuple[Output, ...]:
    """Return what is stored, public outputs in the order of their declarations."""
    order = {p.name: n for n, p in enumerate(graph.params)}
    found = []
    for region in graph.regions:
        for store in region.stores:
            (layout,) = layouts[table_name(graph.node(store))]
            found.append(output_of(graph, graph.node(store), layout))
    return tuple(sorted(found, key=lambda o: order.get(o.name, -1)))


def _step(graph: Graph, code: Code, general: tuple[Code, ...], setup: Setup, known: Known) -> Step:
    codes = (code, *(g for g in general if g.region == code.region))
    return Step(
        code.region,
        [_ready(c, setup) for c in codes],
        lambda sizes, wide: _widened(graph, code.region, setup, known, sizes, wide),
    )


def _ready(code: Code, setup: Setup) -> Ready:
    launcher = setup.backend.load(code.files, code.kernel, setup.device.target)
    return Ready(code.kernel, launcher, code.source, code.facts)


def _widened(
    graph: Graph, name: str, setup: Setup, known: Known, sizes: Mapping[str, int], wide: bool
) -> Ready:
    """Return a kernel of a region for sizes that none there is fits, formats as they are.

    The schedule stays if it fits these sizes, and only offsets must be wider.
    """
    region = next(r for r in graph.regions if r.name == name)
    target, lines = setup.device.target, setup.lines
    once = Once(setup.backend, lines)
    given = (once, target, setup.registry, lines, wide)
    same = code_of(graph, region, *given, build=False)
    if not all(r.holds(sizes) for r in same.kernel.requires):
        graph = _tile(setup, known, once).run(
            replace(graph, regions=(replace(region, schedule=None),))
        )
        region = graph.regions[0]
    return _ready(code_of(graph, region, *given), setup)


def inputs_of(graph: Graph) -> dict[str, Param]:
    """Return the inputs of a graph by name."""
    return {p.name: p for p in graph.params if p.role != "out"}
