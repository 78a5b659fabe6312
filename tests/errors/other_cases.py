"""One way to cause each error outside of a program's text and its tables."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch

from hastec import driver
from hastec.arrays import torch_module
from hastec.backends.triton.load_module import require_compiler
from hastec.cache import Store, key
from hastec.cache.bundle import export_bundle, import_bundle
from hastec.cli import fmt
from hastec.cli.answer import Answer
from hastec.cli.arguments import Parser
from hastec.cli.main import dispatch
from hastec.cli.results import agreement
from hastec.cli.terminal import Terminal
from hastec.diag import Diagnostic, HasteError, Source
from hastec.explain.writing import write_all
from hastec.front.build import check
from hastec.front.source import read_source
from hastec.grammar.parser import MAX_BYTES
from hastec.ir.format import Coord, Format, LevelSpec, Part
from hastec.ir.interp import Table, run_graph
from hastec.ir.kernel_read import read_kernel
from hastec.ir.read import read_graph
from hastec.ir.schedule_text import read_schedule
from hastec.options import Options
from hastec.passes.check import Check
from hastec.passes.fuse import Fuse
from hastec.passes.normalise import Normalise
from hastec.passes.tile import Tile
from hastec.run.device import named
from hastec.target import CPU
from hastec.tune import lock, records
from hastec.tune.book import Book
from hastec.tune.race import Race, Settings
from hastec.tune.search import tune
from tests.unit.tune_help import linear

KERNEL = "kernel k(x: f32[N], id: i32[N]) -> y: f32[N] {{\n    y[n] = {}\n}}\n"


def program(body: str) -> Source:
    """Return a kernel of one statement, ``y[n] = body``."""
    return Source("k.haste", f"haste 1\n{KERNEL.format(body)}")


@contextmanager
def pointing(source: Source) -> Iterator[None]:
    """Let errors point into a program, as the driver does."""
    try:
        yield
    except HasteError as error:
        raise error.at(source) from None


def run(body: str, *, x: int = 2, limit: int = 1 << 20) -> object:
    """Interpret a kernel of one statement whose index table is 1, 2 … and goes too far."""
    source = program(body)
    given = {"x": Table(np.ones(x, np.float32)), "id": Table(np.arange(1, 3, dtype=np.int32))}
    with pointing(source):
        return run_graph(check(source)[-1], given, {"N": 2}, limit=limit)


def twice() -> object:
    """Write one place twice."""
    text = "kernel k(v: i32[N], K: inout f32[L]) {\n    K[v[n]] := 1  for n < N\n}\n"
    source = Source("k.haste", f"haste 1\n{text}")
    given = {"v": Table(np.zeros(2, np.int32)), "K": Table(np.zeros(3, np.float32))}
    with pointing(source):
        return run_graph(check(source)[-1], given, {})


# ------------------------------------------------------------------------------------ compilation
def unlowered() -> object:
    """Use a construct that has no kernel yet."""
    source = program("x[n] if n in topk[j](x[j]; k = 2) else 0")
    with pointing(source):
        return Check().run(check(source)[-1])


def unscheduled() -> object:
    """Offer a backend that holds nothing."""
    source = program("x[n] + 1")
    graph = check(source)[-1]
    for step in (Normalise(), Fuse()):
        graph = step.run(graph)
    dims = ("i",)
    dense = Format("dense", dims, (Part((LevelSpec("dense", Coord("i")),)),))
    tables = tuple((n.id, dense) for n in graph.nodes if n.is_table)
    with pointing(source):
        tile = Tile(CPU, refuse=lambda *_: "it has no registers")
        return tile.run(replace(graph, formats=tables))


# ------------------------------------------------------------------------------------------ cache
def told(store: Store) -> tuple[Diagnostic, ...]:
    return tuple(store.warnings)


def degraded(folder: Path) -> tuple[Diagnostic, ...]:
    """Put a file where the cache should be."""
    (folder / "cache").write_text("")
    store = Store(folder / "cache" / "below")
    store.put(key({"a": "b"}), {"a.txt": b"a"}, {})
    return told(store)


def filled(folder: Path) -> tuple[Store, str]:
    store, name = Store(folder / "cache"), key({"a": "b"})
    store.put(name, {"a.txt": b"a"}, {})
    return store, name


def damaged(folder: Path) -> tuple[Diagnostic, ...]:
    """Change a byte of an entry."""
    _, name = filled(folder)
    (path,) = (folder / "cache").rglob("a.txt")
    path.chmod(0o600)
    path.write_bytes(b"b")
    store = Store(folder / "cache")
    store.get(name)
    return told(store)


def open_to_all(folder: Path) -> tuple[Diagnostic, ...]:
    """Let others write to the cache."""
    filled(folder)
    (folder / "cache").chmod(0o777)
    store = Store(folder / "cache")
    found = store.place()
    assert found is not None
    shutil.rmtree(found.parent, ignore_errors=True)
    return told(store)


def unnamed_bundle(folder: Path) -> object:
    """Import a bundle under another hash."""
    store, _ = filled(folder)
    made = export_bundle(store, folder / "b.tar")
    return import_bundle(store, made.path, "0" * 64)


# ---------------------------------------------------------------------------------------- tuning
def lines(folder: Path) -> tuple[Diagnostic, ...]:
    """Read a file that holds no records."""
    path = folder / "records.jsonl"
    path.write_text("{}\nnonsense\n")
    return records.read(path).warnings


def unkept(folder: Path) -> tuple[Diagnostic, ...]:
    """Append records to a folder."""
    record = records.Record("k", "p", (), "s", "cpu", "here", records.Status.FAILED, reason="no")
    found = records.append(folder, [record])
    assert found is not None
    return (found,)


CHOICE = lock.Choice("linear", "linear_Y", "H100", "triton", "ab" * 32, "threads 1")


def locked(pinned: lock.Lock) -> object:
    """Ask for a choice that is not pinned."""
    return pinned.require(CHOICE, Path("haste.lock"))


def another() -> object:
    """Ask for the choice of a program that has changed."""
    return locked(lock.Lock((replace(CHOICE, key="cd" * 32),)))


# ------------------------------------------------------------------------------------ printed IR
GRAPH = "graph k(N) {{\n  in x: f32[N]\n  %0: {}\n}}\n"


def graph(line: str) -> object:
    return read_graph(GRAPH.format(line))


def kernel(*body: str) -> object:
    return read_kernel("kernel k {\n" + "".join(f"  {line}\n" for line in body) + "}\n")


def options(**given: str) -> object:
    return Options.from_environment({}, **given)


def unopened(folder: Path) -> object:
    """Compile for a GPU that is not here and run."""
    options = Options.from_environment({"HASTE_SKIP_CACHE": "1", "HASTE_TARGET": "gfx942"})
    return driver.compile(program("x[n] + 1").text, options=options).bind(N=2)


def unmeasured() -> object:
    """Tune kernels that are interpreted."""
    made = driver.compile(program("x[n] + 1").text, backend_name="cpu").simulated()
    return made.bind(tune=True, N=2)


def wrong_candidates() -> tuple[Diagnostic, ...]:
    """End a search in which a candidate was wrong."""
    race = Race.__new__(Race)
    region = SimpleNamespace(name="linear_Y")
    book = SimpleNamespace(path=Path("records.jsonl"))
    for name, value in (
        ("part", SimpleNamespace(region=region)),
        ("entries", SimpleNamespace(best=lambda: object(), book=book)),
        ("wrong", ["Y[3, 1] is 2.0 instead of 4.0"]),
        ("notes", []),
    ):
        setattr(race, name, value)
    race._report(20)
    return tuple(race.notes)


def out_of_time() -> tuple[Diagnostic, ...]:
    """Tune with no time to build anything."""
    problem = linear()
    return tune(problem, Book(None), Settings(budget=0.0)).notes


# -------------------------------------------------------------------------------------- commands
def command(*words: str) -> object:
    """Run a command that raises, in silence."""
    return dispatch(list(words), Terminal(io.StringIO(), io.StringIO()))


def answered(verb: Callable[..., Answer], parser: Parser, *words: str) -> tuple[Diagnostic, ...]:
    """Return the problems of a command that answers."""
    return tuple(p.diagnostic for p in verb(parser.read(words)).problems)


def written(folder: Path) -> Path:
    path = folder / "k.haste"
    path.write_text(program("x[n]+1").text)
    return path


def unformatted(folder: Path) -> tuple[Diagnostic, ...]:
    parser = Parser("fmt", "")
    fmt.configure(parser)
    return answered(fmt.run, parser, "--check", str(written(folder)))


def without_torch() -> None:
    """Ask for torch where Python finds none."""
    with mock.patch.dict(sys.modules, {"torch": None}):
        torch_module()


def different() -> tuple[Diagnostic, ...]:
    """Compare a result that is not what the program means."""
    made = driver.compile(program("x[n] + 1").text, backend_name="cpu")
    given = {"x": torch.ones(2), "id": torch.zeros(2, dtype=torch.int32)}
    return agreement(made, given, {"y": torch.tensor([2.0, 3.0])}).problems


CASES: dict[str, Callable[[Path], object]] = {
    "HST0010": lambda _: check(Source("long.haste", "#" * (MAX_BYTES + 1))),
    "HST4901": lambda _: run("x[id[n]]"),
    "HST4902": lambda _: twice(),
    "HST4903": lambda _: run("sum[i, j] x[i] * x[j] * x[n]", limit=4),
    "HST4904": lambda _: run("x[n] + id[n] / (id[n] - 1)"),
    "HST4905": lambda _: run("x[n]", x=3),
    "HST5001": lambda _: unlowered(),
    "HST5002": lambda _: unscheduled(),
    "HST6001": lambda _: Options.from_environment({"HASTE_CACHE_LIMIT": "much"}),
    "HST6002": lambda _: options(cache_dirr="x"),
    "HST6003": lambda folder: read_source(folder / "none.haste"),
    "HST6004": lambda _: driver.compile(program("x[n]").text, kernel="linear"),
    "HST6005": lambda _: named("sm_91"),
    "HST6006": unopened,
    "HST6007": lambda _: without_torch(),
    "HST6008": lambda _: require_compiler(interpreting=True),
    "HST6101": degraded,
    "HST6102": damaged,
    "HST6103": open_to_all,
    "HST6104": unnamed_bundle,
    "HST6105": lambda folder: export_bundle(filled(folder)[0], folder / "b.tar", ("ab" * 32,)),
    "HST6201": lines,
    "HST6202": unkept,
    "HST6203": lambda _: wrong_candidates(),
    "HST6204": lambda _: unmeasured(),
    "HST6205": lambda _: out_of_time(),
    "HST6301": lambda _: lock.parse_lock("format = 2\n", "haste.lock"),
    "HST6302": lambda _: locked(lock.Lock()),
    "HST6303": lambda _: another(),
    "HST6304": lambda folder: lock.write_lock(folder / "none" / "haste.lock", lock.Lock()),
    "HST6401": lambda _: command("chek"),
    "HST6402": lambda _: command("check", "k.haste", "--jsn"),
    "HST6403": lambda _: command("check"),
    "HST6404": lambda folder: command("run", str(written(folder)), "--bind", "x=randm:4"),
    "HST6405": lambda folder: write_all(written(folder), {"a.txt": b"a"}),
    "HST6406": lambda folder: command("inspect", str(written(folder)), "--stage", "tiel"),
    "HST6407": unformatted,
    "HST6501": lambda _: different(),
    "HST7001": lambda _: graph("f32[N] = input x!"),
    "HST7002": lambda _: graph("f32[N] input x"),
    "HST7003": lambda _: graph("f17[N] = input x"),
    "HST7004": lambda _: graph("f32[N] = input x\n  %0: f32[N] = input x"),
    "HST7005": lambda _: graph(f"i64 = const {'9' * 500}"),
    "HST7006": lambda _: graph(f"i64 = size {'(' * 70}N"),
    "HST7201": lambda _: kernel("%1: f32 = const 1.0", "threads 2"),
    "HST7202": lambda _: kernel("digit n: lane 32"),
    "HST7203": lambda _: kernel("table x: f17 read align 16"),
    "HST7301": lambda _: read_schedule("threads 1; threads 2"),
    "HST7302": lambda _: read_schedule("threads 1; colour 2"),
}
