"""Code that keeps registers in memory is passed over, as long as there is other code to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

import hastec
from hastec.artefact import Artefact, to_files
from hastec.backends.triton.backend import TritonBackend
from hastec.binding import compile_graph
from hastec.contracts import Built, Emitted, Launcher
from hastec.ir.graph import Decision
from hastec.ir.kernel import Kernel
from hastec.ir.schedule import Schedule
from hastec.options import Options
from hastec.passes.choice import NOTHING, Choice, RegionChoice
from hastec.passes.tile import MOST_BUILT
from hastec.run.device import Device
from hastec.target import SM90, Target
from hastec.tune.race import _spilt_last

TEXT = """haste 1
kernel f(X: f32[M, K], W: f32[K, N]) -> Y: f32[M, N] {
    Y[m, n] = sum[k] X[m, k] * W[k, n]
}
"""
SIZES = {"M": 256, "K": 128, "N": 64}


@dataclass
class Crowded:
    """A backend whose first ``spilling`` builds keep registers in memory; it compiles nothing."""

    spilling: int
    built: list[str] = field(default_factory=list)
    name: str = "triton"
    emitter: TritonBackend = field(default_factory=TritonBackend)

    def version(self) -> str:
        return "crowded"

    def refuse(self, kernel: Kernel, target: Target) -> str:
        return self.emitter.refuse(kernel, target)

    def emit(self, kernel: Kernel, lines: Mapping[int, str], target: Target) -> Emitted:
        return self.emitter.emit(kernel, lines, target)

    def build(self, emitted: Emitted, kernel: Kernel, target: Target) -> Built:
        self.built.append(emitted.source)
        stack = 48 if len(self.built) <= self.spilling else 0
        return Built({"code": emitted.source.encode()}, {"stack": str(stack)})

    def load(self, built: Mapping[str, bytes], kernel: Kernel, target: Target) -> Launcher:
        raise AssertionError("nothing is to be launched")


def made(backend: Crowded, build: bool = True, choice: Choice = NOTHING) -> Artefact:
    options = Options.from_environment({}, skip_cache=True)
    plain = hastec.compile(TEXT, backend_name="triton", options=options)
    setup = replace(plain.setup, device=Device("cpu", SM90), backend=backend)
    program = hastec.Program(plain.graph, setup)
    sizes = program.known_for(SIZES)
    # As if a bound table showed them: no second kernel is made for any others.
    return compile_graph(
        program.graph, setup, replace(sizes, fixed=frozenset(SIZES)), build, choice
    )


def schedule(artefact: Artefact) -> Schedule:
    found = artefact.graph.regions[0].schedule
    assert isinstance(found, Schedule)
    return found


def decision(artefact: Artefact) -> Decision:
    return next(d for d in artefact.graph.decisions if d.subject.startswith("schedule of"))


def objections(artefact: Artefact) -> list[str]:
    return [why for _, why in decision(artefact).rejected if "48 bytes a thread" in why]


@pytest.mark.parametrize("spilling", range(MOST_BUILT))
def test_the_next_candidate_is_taken_and_the_reason_kept(spilling: int) -> None:
    backend = Crowded(spilling)
    found = made(backend)
    assert found.codes[0].facts["stack"] == "0"
    assert len(objections(found)) == spilling
    # Each kernel is built once, and the one that is taken is the last.
    assert len(backend.built) == len(set(backend.built)) == spilling + 1
    assert found.codes[0].files["code"].decode() == backend.built[-1]
    assert (schedule(found) == schedule(made(Crowded(0)))) == (spilling == 0)


def test_if_all_of_them_spill_the_cheapest_stays() -> None:
    backend = Crowded(99)
    found = made(backend)
    assert len(backend.built) == MOST_BUILT
    assert schedule(found) == schedule(made(Crowded(0)))
    assert "48 bytes a thread" in decision(found).reason
    assert len(objections(found)) == MOST_BUILT - 1


def test_the_same_input_gives_the_same_bytes() -> None:
    assert to_files(made(Crowded(2))) == to_files(made(Crowded(2)))


def test_nothing_is_built_to_choose_where_nothing_is_to_be_built() -> None:
    backend = Crowded(99)
    assert schedule(made(backend, build=False)) == schedule(made(Crowded(0)))
    assert not backend.built


def test_what_was_decided_beforehand_stays() -> None:
    backend = Crowded(99)
    wanted = schedule(made(Crowded(1)))
    found = made(backend, choice=(("f_Y", RegionChoice((), wanted)),))
    assert schedule(found) == wanted and len(backend.built) == 1


def test_candidates_that_spill_are_tried_last() -> None:
    builds = [(n, Built({}, {"stack": str(s)})) for n, s in enumerate((8, 0, 64, 0))]
    assert [n for n, _ in _spilt_last([*builds, (4, "no build")])] == [1, 3, 4, 0, 2]
