"""What bound tables are tuned to: choices from a search, from records, or from a lock file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import log2
from pathlib import Path

from hastec.artefact import Artefact
from hastec.binding import Known, Setup, compile_graph, passes_for
from hastec.cache import key
from hastec.cache.files import ensure_folder
from hastec.cache.identity import versions
from hastec.diag import Diagnostic, HasteError
from hastec.ir.format import Format
from hastec.ir.graph import Graph, NodeId
from hastec.ir.schedule import Schedule
from hastec.ir.show import show_format, show_graph
from hastec.levels.stats import Stats
from hastec.options import Effort, Options
from hastec.passes.bound import table_name, tables_of
from hastec.passes.choice import NOTHING, Choice, RegionChoice, read_choice, unplaced
from hastec.passes.tile import NO_SCHEDULE, Tile
from hastec.pipeline import run_passes
from hastec.run.sizes import solve_sizes
from hastec.run.tables import TableValue
from hastec.tune import lock
from hastec.tune.book import Book
from hastec.tune.problem import Problem, region_key
from hastec.tune.race import Progress, Settings
from hastec.tune.records import Record
from hastec.tune.search import Tuned, formats_of, recall, tune

NO_DEVICE = "HST6204"
PATIENCE = 60.0
"""Seconds, beside the other's budget, to wait for a process that tunes on the same device."""


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What was decided for bound tables before compiling: ``choice``, empty where the model
    decides; the records it rests on; warnings. ``problem`` makes what was, or would be, tuned.
    """

    problem: Callable[[], Problem]
    choice: Choice = NOTHING
    records: tuple[Record, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    measured: int = 0


def decide(
    graph: Graph,
    setup: Setup,
    known: Known,
    tables: Mapping[str, TableValue],
    wanted: bool | None = None,
    progress: Progress | None = None,
) -> Decided:
    """Return what is known to be best for a graph with bound tables.

    With ``wanted`` (None: as the options say) candidates are measured, unless a search of this
    effort is on record. Otherwise records are consulted, if there are any for this very problem:
    the program, its sizes, about the same patterns, the device and the version. If options say
    ``locked``, the lock file alone decides and nothing is measured.

    Raises HasteError: HST6302 and HST6303 from the lock, HST6204 if tuning is wanted and the
    device is not there, HST4005 if it is wanted and a size is not known.
    """
    options = setup.options

    def problem() -> Problem:
        # Without the tables: a plan keeps this, and holds them packed already.
        return problem_for(graph, setup, known, {})

    if options.locked:
        return Decided(problem, _locked(problem(), graph.name, options.lock_file))
    measure = options.tune if wanted is None else wanted
    if measure and wanted is None and not _measurable(setup):
        measure = False
    path = _records(graph, setup)
    if measure and options.tune_effort is not Effort.NONE:
        found = _measured(problem_for(graph, setup, known, tables), setup, path, progress)
    elif path is not None and path.exists():
        found = recall(problem(), Book(path))
    else:
        return Decided(problem)
    return Decided(problem, found.choice, found.records, found.notes, found.measured)


def compile_decided(graph: Graph, setup: Setup, known: Known, decided: Decided) -> Artefact:
    """Return the artefact of a graph under what was decided.

    A recorded choice that this version cannot lower is passed over; a locked one is an error.
    """
    try:
        return compile_graph(graph, setup, known, choice=decided.choice)
    except HasteError as error:
        codes = {d.code for d in error.diagnostics}
        if setup.options.locked or not decided.choice or codes != {NO_SCHEDULE}:
            raise
    return compile_graph(graph, setup, known)


def _measured(
    problem: Problem, setup: Setup, path: Path | None, progress: Progress | None
) -> Tuned:
    if not _measurable(setup):
        target = setup.device.target.name
        message = f"there is no {target} here whose times could be measured"
        raise HasteError(Diagnostic(NO_DEVICE, message, help="tune on the machine it is for"))
    shapes = {n: v.shape for n, v in problem.given.items()}
    solve_sizes(problem.graph.params, shapes, problem.sizes)
    settings = _settings(setup.options, progress)
    with _alone(setup, settings.budget):
        return tune(problem, Book(path), settings)


def _settings(options: Options, progress: Progress | None) -> Settings:
    return Settings(
        options.tune_effort,
        options.tune_budget,
        options.tune_seed,
        options.force_tune,
        progress=progress,
    )


def _measurable(setup: Setup) -> bool:
    """Whether kernels of a setup run natively on this machine."""
    target, on_gpu = setup.device.target, setup.device.name.startswith("cuda")
    native = setup.backend.name == target.backend and not setup.options.interpret
    return native and (on_gpu or target.threads == (1,))


# ---------------------------------------------------------------------------------------- problems
def problem_for(
    graph: Graph, setup: Setup, known: Known, tables: Mapping[str, TableValue]
) -> Problem:
    """Return what is tuned when a graph is compiled with these tables."""
    passes = passes_for(setup, known)
    at = next(n for n, step in enumerate(passes) if isinstance(step, Tile))
    tile = passes[at]
    assert isinstance(tile, Tile)
    fused = run_passes(graph, passes[:at])
    program = _program(graph, setup)
    return Problem(
        fused,
        tile,
        setup.backend,
        setup.device,
        setup.lines,
        known.sizes,
        tables,
        key(_fields(program, fused, known)),
        program,
        place_of(setup),
        _versions(setup),
    )


def place_of(setup: Setup) -> str:
    """Return what records call a device: a GPU's model; of a processor, what its schedules depend
    on (which processor it is counts as a version: its times differ, its bits do not).
    """
    target = setup.device.target
    return setup.device.model or f"{target.name} {target.lanes} lanes"


def _program(graph: Graph, setup: Setup) -> str:
    target = setup.device.target
    fields = {"graph": _bare(graph), "target": f"{target.backend} {target.name} {target.lanes}"}
    return key({**fields, "levels": repr(sorted(setup.registry.levels))})


def _bare(graph: Graph) -> str:
    """Return a graph's text without what is said about it: places in the source, decisions."""
    nodes = tuple(replace(n, span=None) for n in graph.nodes)
    params = tuple(replace(p, span=None) for p in graph.params)
    ranks = tuple(replace(r, span=None) for r in graph.ranks)
    plain = replace(graph, nodes=nodes, params=params, ranks=ranks, candidates=(), decisions=())
    return show_graph(replace(plain, passed=()))


def _fields(program: str, fused: Graph, known: Known) -> dict[str, str]:
    offered = sorted(f"{table_name(fused.node(n))}: {show_format(f)}" for n, f in fused.candidates)
    return {
        "program": program,
        "fused": _bare(fused),
        "sizes": repr(sorted(known.sizes.items())),
        "formats": "\n".join(offered),
        "given": repr(sorted((n, show_format(f)) for n, f in known.given.items())),
        "patterns": repr([(n, _about(s)) for n, s in sorted(known.stats.items())]),
    }


def _about(stats: Stats) -> tuple[object, ...]:
    """Return a pattern in round numbers, so that tables of one kind share what was tuned."""
    mean = max(stats.rows.mean, 1e-9)
    return (
        stats.shape,
        round(4 * log2(max(stats.density, 1e-12))),
        round(4 * stats.rows.variation),
        round(2 * log2(max(stats.rows.most / mean, 1.0))),
    )


def _versions(setup: Setup) -> tuple[tuple[str, str], ...]:
    found = versions()
    units = str(setup.device.target.units)
    named = {"hastec": found["hastec"], "source": found["source"][:16], "units": units}
    return tuple(sorted({**named, "backend": setup.backend.version()}.items()))


# ----------------------------------------------------------------------------------------- records
def _records(graph: Graph, setup: Setup) -> Path | None:
    """Return the file of a program's records; None where nothing is kept."""
    if setup.options.skip_cache:
        return None
    place = setup.store.place()
    if place is None:
        return None
    with contextlib.suppress(OSError):
        ensure_folder(setup.store.files, place / "tuning")
    return place / "tuning" / f"{_program(graph, setup)[:32]}.jsonl"


@contextlib.contextmanager
def _alone(setup: Setup, budget: float) -> Iterator[None]:
    """Keep other processes from tuning on the same device: they would disturb the times, and find
    all they need in the records afterwards.
    """
    place = setup.store.place()
    release: Callable[[], None] | None = None
    if place is not None:
        name = key({"device": setup.device.name, "place": place_of(setup)})
        with contextlib.suppress(OSError):
            path = place / "locks" / f"{name}.lock"
            release = setup.store.files.lock(path, budget + PATIENCE)
    try:
        yield
    finally:
        if release is not None:
            release()


# -------------------------------------------------------------------------------------------- lock
def _locked(problem: Problem, kernel: str, path: Path) -> Choice:
    """Return what a lock file says; every region must be there."""
    pins = lock.read_lock(path)
    found: list[tuple[str, RegionChoice]] = []
    settled = dict(problem.graph.formats)
    for region in problem.graph.regions:
        wanted = _pin(problem, kernel, region.name, settled, "")
        chosen = read_choice(pins.require(wanted, path).schedule, str(path))
        found.append((region.name, chosen))
        settled.update(formats_of(problem, chosen))
    return tuple(found)


def pin(decided: Decided, final: Graph, path: Path) -> lock.Lock:
    """Write the choices of a compiled graph into a lock file, and return what it now holds.

    ``final`` is the graph after all passes. Other choices in the file stay. Raises HasteError
    HST6301 if the file is no lock, HST6304 if it cannot be written.
    """
    problem = decided.problem()
    pins = lock.read_lock(path)
    settled = dict(problem.graph.formats)
    for name, chosen in _choices(problem, final):
        pins = pins.pin(_pin(problem, final.name, name, settled, str(chosen)))
        settled.update(formats_of(problem, chosen))
    lock.write_lock(path, pins)
    return pins


def _choices(problem: Problem, final: Graph) -> Iterator[tuple[str, RegionChoice]]:
    """Yield what was chosen for every region: by tuning, or by the model."""
    formats = {table_name(final.node(n)): unplaced(f) for n, f in final.formats}
    schedules = {r.name: r.schedule for r in final.regions}
    graph = problem.graph
    left = {n: table_name(graph.node(n)) for n, _ in graph.candidates}
    for region in graph.regions:
        mine = sorted(tables_of(graph, region) & set(left))
        schedule = schedules[region.name]
        assert isinstance(schedule, Schedule)
        names = [left.pop(n) for n in mine]
        yield region.name, RegionChoice(tuple((n, formats[n]) for n in names), schedule)


def _pin(
    problem: Problem,
    kernel: str,
    region: str,
    settled: Mapping[NodeId, Format],
    text: str,
) -> lock.Choice:
    found = next(r for r in problem.graph.regions if r.name == region)
    mine = region_key(problem.key, problem.graph, found, settled)
    return lock.Choice(kernel, region, problem.place, problem.backend.name, mine, text)
