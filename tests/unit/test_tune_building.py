"""Builds in child processes: the same bytes as here, whatever becomes of a child."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from hastec.backends.cpu.backend import Cpu
from hastec.backends.triton.backend import TritonBackend
from hastec.contracts import Built, Emitted
from hastec.ir.kernel import Kernel
from hastec.options import Effort
from hastec.target import CPU, SM90, Target
from hastec.tune import building
from hastec.tune.building import Children, Here, builder_for
from hastec.tune.candidates import LIMITS, candidates
from hastec.tune.worker import answered, request
from tests.unit.tune_help import Meddling, linear

SOON = 120.0


@pytest.fixture(scope="module")
def kernels() -> list[Kernel]:
    problem = linear()
    (region,) = problem.graph.regions
    settled = dict(problem.graph.formats)
    limits = replace(LIMITS[Effort.QUICK], candidates=4)
    found = candidates(problem.graph, region, settled, problem.tile, limits)
    return [c.ranked.kernel for c in found]


def test_children_build_what_this_process_builds(kernels: list[Kernel]) -> None:
    end = time.monotonic() + SOON
    here = dict(Here(Cpu(), CPU, {})(kernels, end))
    found = dict(Children(Cpu(), CPU, {}, count=2)(kernels, end))
    assert sorted(found) == [0, 1, 2, 3]
    assert found == here and all(isinstance(b, Built) for b in found.values())


class Odd(Cpu):
    """A backend whose second kernel does not compile."""

    def emit(self, kernel: Kernel, lines: Mapping[int, str], target: Target) -> Emitted:
        emitted = super().emit(kernel, lines, target)
        broken = lines.get(1) == kernel.digits[0].name
        return replace(emitted, source="no program") if broken else emitted


def test_a_kernel_that_does_not_compile_has_a_reason(kernels: list[Kernel]) -> None:
    lines = {1: kernels[0].digits[0].name}
    for builder in (Here(Odd(), CPU, lines), Children(Odd(), CPU, lines, 1)):
        found = dict(builder(kernels[:1], time.monotonic() + SOON))
        assert isinstance(found[0], str) and "InternalError" in found[0]


def child(code: str) -> subprocess.Popen[str]:
    """Start a stand-in for a child."""
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_child_that_dies_costs_one_kernel(
    kernels: list[Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, started = building._child, list[subprocess.Popen[str]]()

    def first_dies() -> subprocess.Popen[str]:
        started.append(real() if started else child("input(); raise SystemExit(7)"))
        return started[-1]

    monkeypatch.setattr(building, "_child", first_dies)
    found = dict(Children(Cpu(), CPU, {}, 1)(kernels, time.monotonic() + SOON))
    assert found[0] == "the compiler ended with code 7"
    assert all(isinstance(found[n], Built) for n in (1, 2, 3)) and len(started) == 2


def test_a_child_that_hangs_is_ended_at_the_deadline(
    kernels: list[Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []

    def hangs() -> subprocess.Popen[str]:
        started.append(child("import time; time.sleep(600)"))
        return started[-1]

    monkeypatch.setattr(building, "_child", hangs)
    start = time.monotonic()
    assert list(Children(Cpu(), CPU, {}, 2)(kernels, start + 0.3)) == []
    assert time.monotonic() - start < 10
    assert all(c.poll() is not None for c in started) and len(started) == 2


def test_children_serve_backends_that_are_known_by_name() -> None:
    assert isinstance(builder_for(Cpu(), CPU, {}), Children)
    assert isinstance(builder_for(TritonBackend(), SM90, {}), Children)
    assert isinstance(builder_for(TritonBackend(interpret=True), SM90, {}), Here)
    other = Meddling(lambda kernel, arrays: None, name="mine")
    assert isinstance(builder_for(other, CPU, {}), Here)


def test_requests_and_answers_are_lines(kernels: list[Kernel]) -> None:
    emitted = Cpu().emit(kernels[0], {}, CPU)
    line = request("cpu", emitted, kernels[0], CPU)
    assert line.count("\n") == 1 and json.loads(line)["backend"] == "cpu"
    assert answered('{"error": "too large"}') == "too large"
    built = answered('{"error": "", "files": {"a": "AAE="}, "facts": {"loops": "2"}}')
    assert built == Built({"a": b"\x00\x01"}, {"loops": "2"})
