"""The examples that are lowered, at fixed sizes for fixed targets, and what is kept of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import hastec
from hastec.artefact import Code, generate, stage_text
from hastec.backends import backend
from hastec.backends.cpu.code import Machine
from hastec.backends.cpu.emit import emit
from hastec.binding import compile_graph, passes_for
from hastec.ir.read import read_graph
from hastec.ir.schedule_text import read_schedule
from hastec.observe import Stages
from hastec.options import Options
from hastec.pipeline import run_passes
from hastec.run.device import Device
from hastec.target import CPU, SM90, Target

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PRICED = "tile"
"""The first pass whose result rests on predicted times."""
TARGETS = (SM90, replace(CPU, units=2))
MACHINE = Machine(half=True, fma=True, scale=True, gather=True, bits=512)
"""A processor to emit for, wherever the tests run."""


@dataclass(frozen=True)
class Example:
    """A program, and the sizes it is compiled for."""

    name: str
    sizes: Mapping[str, int]
    file: str = ""

    @property
    def folder(self) -> Path:
        return HERE / self.name

    @property
    def path(self) -> Path:
        own = self.folder / "program.haste"
        return own if own.exists() else ROOT / "examples" / f"{self.file or self.name}.haste"

    def __str__(self) -> str:
        return self.name


EXAMPLES = (
    Example("a_shape", {"H": 8, "L": 4096, "D": 64}),
    Example("blocks", {"M": 4096, "K": 4096, "N": 16}),
    Example("slices", {"M": 4096, "K": 4096, "N": 1}),
    Example("bag", {"V": 100_000, "D": 128, "N": 4096, "B": 256}),
    Example("draft", {"M": 4096, "K": 4096}),
    Example("heads", {"H": 8, "L": 4096, "D": 64}),
    Example("linear", {"M": 4096, "K": 4096, "N": 16}),
    Example("linear_vector", {"M": 4096, "K": 4096, "N": 1}, "linear"),
    Example("paged", {"B": 16, "H": 8, "D": 128, "P": 1024, "S": 16, "T": 2048}),
    Example("pq", {"H": 32, "M": 16, "W": 8, "L": 8192}),
    Example("pruned_kv", {"H": 8, "G": 4, "L": 8192, "D": 128}),
    Example("q4", {"M": 4096, "K": 4096, "N": 16}),
    Example("relax", {"N": 4096}),
    Example("scatter", {"N": 4096, "D": 128, "V": 512}),
    Example("scheduled", {"M": 4096, "K": 4096, "N": 16}),
    Example("sddmm", {"M": 2048, "N": 2048, "K": 128}),
)


def program_of(example: Example, target: Target) -> hastec.Program:
    """Return an example's program, for a target whether or not this machine has it."""
    options = Options.from_environment({}, skip_cache=True)
    program = hastec.compile(example.path, backend_name=target.backend, options=options)
    made = backend(target.backend, False)
    setup = replace(program.setup, device=Device("cpu", target), backend=made)
    return hastec.Program(program.graph, setup)


def stages(program: hastec.Program, sizes: Mapping[str, int]) -> dict[str, str]:
    """Return the text of every stage in front of those that rest on predicted times."""
    found = Stages(stage_text)
    line = passes_for(program.setup, program.known_for(sizes))
    names = [step.name for step in line]
    run_passes(program.graph, line[: names.index(PRICED)], (found,))
    return {name: unpriced(text) for name, text in found.found}


def decided(program: hastec.Program, sizes: Mapping[str, int]) -> str:
    """Return the last stage: formats and schedules are chosen."""
    known = program.known_for(sizes)
    text = compile_graph(program.graph, program.setup, known, build=False).stages[-1][1]
    return unpriced(text)


def unpriced(text: str) -> str:
    """Return a stage without what was weighed: prices have tests of their own."""
    kept = [x for x in text.splitlines() if not x.startswith(("  decision ", "  rejected "))]
    return "\n".join(kept) + "\n"


def codes(program: hastec.Program, text: str) -> tuple[Code, ...]:
    """Return the kernels of a last stage, with what a backend emits for them."""
    setup = program.setup
    given = (setup.backend, setup.device.target, setup.registry, setup.lines)
    found = generate(read_graph(text, read_schedule), *given, build=False)
    if setup.backend.name != "cpu":
        return found
    return tuple(replace(c, source=emit(c.kernel, setup.lines, MACHINE)) for c in found)
