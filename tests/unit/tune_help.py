"""Programs to tune in tests: bound to tables, with a book in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from hastec.backends.cpu.backend import Cpu
from hastec.binding import learn
from hastec.contracts import Array, Backend, Built, Emitted, Launcher
from hastec.driver import Program, compile
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_show import show_kernel
from hastec.options import Options
from hastec.run.timing import Call, Times
from hastec.target import CPU, Target
from hastec.tune.building import Here, Outcome
from hastec.tune.problem import Problem
from hastec.tuning import problem_for

LINEAR = """
kernel linear(W: static sparse f32[M, K], X: f32[K, N], b: f32[M]) -> Y: f32[M, N] {
    Y[m, n] = relu(sum[k] W[m, k] * X[k, n] + b[m])
}
"""


def program(text: str, cache: Path | None = None, **options: str | int | float | Path) -> Program:
    """Return a program for this processor; without a folder nothing is cached."""
    found = Options.from_environment({}, cache_dir=cache, skip_cache=int(cache is None), **options)
    return compile(f"haste 1\n{text}", backend_name="cpu", options=found)


def pruned(rows: int, columns: int, density: float = 0.3, seed: int = 0) -> torch.Tensor:
    """Return a random matrix of which a share is not zero."""
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, columns, generator=draw)
    values[torch.rand(rows, columns, generator=draw) >= density] = 0
    return values


def problem_of(
    prog: Program, given: Mapping[str, object], backend: Backend | None = None
) -> Problem:
    """Return what is tuned when these tables and sizes are bound."""
    tables, sizes = prog._given(given)
    known = learn(prog.graph, tables, sizes)
    setup = prog.setup if backend is None else replace(prog.setup, backend=backend)
    return problem_for(prog.graph, setup, known, tables)


def linear(backend: Backend | None = None, rows: int = 40, columns: int = 24) -> Problem:
    """Return a small pruned product."""
    given = {"W": pruned(rows, columns), "b": torch.randn(rows), "N": 8}
    return problem_of(program(LINEAR), given, backend)


@dataclass
class Clock:
    """A timer that gives out times in turn, in seconds, the last one for ever."""

    times: Sequence[float]
    calls: int = 0

    def __call__(self, calls: Sequence[Call], hopeless: float | None = None) -> Times:
        for call in calls:
            call()
        found = self.times[min(self.calls, len(self.times) - 1)]
        self.calls += 1
        return Times(found, 0.0, 1)


@dataclass
class Meddling:
    """The CPU backend, whose launches are followed by what ``after`` does to the arrays."""

    after: Callable[[Kernel, Mapping[str, Array]], None]
    real: Cpu = field(default_factory=Cpu)
    name: str = "cpu"
    loaded: int = 0

    def version(self) -> str:
        return self.real.version()

    def refuse(self, kernel: Kernel, target: Target) -> str:
        return self.real.refuse(kernel, target)

    def emit(self, kernel: Kernel, lines: Mapping[int, str], target: Target) -> Emitted:
        return self.real.emit(kernel, lines, target)

    def build(self, emitted: Emitted, kernel: Kernel, target: Target) -> Built:
        return self.real.build(emitted, kernel, target)

    def load(self, built: Mapping[str, bytes], kernel: Kernel, target: Target) -> Launcher:
        launch = self.real.load(built, kernel, target)
        self.loaded += 1

        def run(arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> None:
            launch(arrays, sizes, grid)
            names = [t.name for t in kernel.tables]
            self.after(kernel, dict(zip(names, arrays, strict=True)))

        return run


class Builds:
    """A builder in this process that keeps what it built: tests build the same kernels again."""

    def __init__(self) -> None:
        self.kept: dict[str, Outcome] = {}
        self.real = Cpu()

    def __call__(self, kernels: Sequence[Kernel], deadline: float) -> Iterator[tuple[int, Outcome]]:
        for number, kernel in enumerate(kernels):
            text = show_kernel(kernel)
            if text not in self.kept:
                ((_, self.kept[text]),) = Here(self.real, CPU, {})([kernel], deadline)
            yield number, self.kept[text]
