"""What a compilation leaves: the graph at every stage, kernels, their source and machine code.

An artefact is text and bytes by file name, so that the cache can keep it and a person can read it;
everything it is needed for is read back from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hastec.contracts import Backend
from hastec.diag import InternalError
from hastec.ir.graph import Graph, Region
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_show import show_kernel
from hastec.ir.read import read_graph
from hastec.ir.schedule import Schedule
from hastec.ir.schedule_text import read_schedule, show_schedule
from hastec.ir.show import show_graph
from hastec.levels.registry import Registry
from hastec.lower import lower
from hastec.passes.bound import layouts_of, tables_of, work_of
from hastec.target import Target


@dataclass(frozen=True, slots=True)
class Code:
    """One region's kernel: its IR, its source as a person reads it, and what a build left."""

    region: str
    kernel: Kernel
    source: str
    suffix: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A compiled program: its stages by name (the last one is final) and a kernel a region.

    ``general`` holds kernels of regions whose own may run at some sizes only.
    """

    stages: tuple[tuple[str, str], ...]
    codes: tuple[Code, ...]
    general: tuple[Code, ...] = ()

    @property
    def graph(self) -> Graph:
        """The graph after the last pass."""
        return read_graph(self.stages[-1][1], _schedule)


def stage_text(graph: Graph) -> str:
    """Return a graph as the text of a stage."""
    return show_graph(graph, lambda s: show_schedule(s) if isinstance(s, Schedule) else str(s))


def _schedule(text: str) -> object:
    return read_schedule(text)


def generate(
    graph: Graph,
    backend: Backend,
    target: Target,
    registry: Registry,
    lines: Mapping[int, str],
    build: bool = True,
) -> tuple[Code, ...]:
    """Return the code of every region of a finished graph."""
    return tuple(
        code_of(graph, region, backend, target, registry, lines, build=build)
        for region in graph.regions
    )


def code_of(
    graph: Graph,
    region: Region,
    backend: Backend,
    target: Target,
    registry: Registry,
    lines: Mapping[int, str],
    wide: bool = False,
    build: bool = True,
) -> Code:
    """Return the code of one region under its schedule."""
    if not isinstance(region.schedule, Schedule):
        raise InternalError(f"region {region.name} has no schedule")
    mine = tables_of(graph, region)
    formats = {n: f for n, f in graph.formats if n in mine}
    work = work_of(graph, region, layouts_of(graph, formats, registry))
    return code_from(region.name, lower(work, region.schedule, wide), backend, target, lines, build)


def code_from(
    name: str,
    kernel: Kernel,
    backend: Backend,
    target: Target,
    lines: Mapping[int, str],
    build: bool = True,
) -> Code:
    """Return the code of a kernel: emitted and, unless told otherwise, built."""
    emitted = backend.emit(kernel, lines, target)
    if not build:
        return Code(name, kernel, emitted.source, emitted.suffix)
    built = backend.build(emitted, kernel, target)
    return Code(name, kernel, emitted.source, emitted.suffix, built.files, built.facts)


# ------------------------------------------------------------------------------------------ files
def to_files(artefact: Artefact) -> dict[str, bytes]:
    """Return an artefact as files."""
    files: dict[str, bytes] = {}
    for name, text in artefact.stages:
        files[f"{name}.txt"] = text.encode()
    for letter, codes in (("k", artefact.codes), ("g", artefact.general)):
        for n, code in enumerate(codes):
            files.update(_code_files(code, f"{letter}{n}"))
    return files


def _code_files(code: Code, stem: str) -> dict[str, bytes]:
    about = {"region": code.region, "suffix": code.suffix, "facts": dict(code.facts)}
    return {
        f"{stem}.txt": show_kernel(code.kernel).encode(),
        f"{stem}.source{code.suffix}": code.source.encode(),
        f"{stem}.json": json.dumps(about, sort_keys=True).encode(),
        **{f"{stem}.built.{name}": content for name, content in code.files.items()},
    }


def from_files(files: Mapping[str, bytes]) -> Artefact:
    """Return the artefact that :func:`to_files` wrote."""
    stages = sorted(n for n in files if n[:2].isdigit() and n.endswith(".txt"))
    texts = tuple((n.removesuffix(".txt"), files[n].decode()) for n in stages)
    return Artefact(texts, _codes(files, "k"), _codes(files, "g"))


def _codes(files: Mapping[str, bytes], letter: str) -> tuple[Code, ...]:
    found: list[Code] = []
    while f"{letter}{len(found)}.json" in files:
        found.append(_code(files, f"{letter}{len(found)}"))
    return tuple(found)


def _code(files: Mapping[str, bytes], stem: str) -> Code:
    about = json.loads(files[f"{stem}.json"])
    start = f"{stem}.built."
    built = {n.removeprefix(start): b for n, b in files.items() if n.startswith(start)}
    source = files[f"{stem}.source{about['suffix']}"].decode()
    kernel = read_kernel(files[f"{stem}.txt"].decode())
    return Code(about["region"], kernel, source, about["suffix"], built, about["facts"])
