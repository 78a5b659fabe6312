"""Launches of the CPU backend: every program once, on any number of threads, from anywhere."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from llvmlite import binding

from hastec.backends.cpu import team
from hastec.backends.cpu.backend import Cpu
from hastec.backends.cpu.load import AGAIN, LONG, NOTHING, TRIED, Loaded, _Kind
from hastec.diag import InternalError
from hastec.target import CPU
from tests.unit.cpu_run import aligned, launch, launcher, on_cpu, rows


@pytest.mark.parametrize("units", [1, 2, 5])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 7), (3, 1), (13, 11), (700, 300), (0, 4), (4, 0)])
def test_every_program_runs_once(m: int, n: int, units: int) -> None:
    x = np.random.default_rng(0).integers(-9, 9, (m, n, 16)).astype(np.float32)
    y = np.full((m, n), 99, np.float32)
    found = on_cpu(rows(), {"x": x, "y": y}, {"M": m, "N": n}, replace(CPU, units=units))
    assert (found["y"] == 3 * x.sum(2)).all()


def test_one_schedule_gives_the_same_bits_on_any_number_of_threads() -> None:
    x = np.random.default_rng(1).normal(size=(400, 100, 16)).astype(np.float32)
    arrays = {"x": x, "y": np.zeros((400, 100), np.float32)}
    runs = [
        on_cpu(rows(), arrays, {"M": 400, "N": 100}, replace(CPU, units=u))["y"].tobytes()
        for u in (1, 2, 2, 7)
    ]
    assert len(set(runs)) == 1


def test_launches_from_many_threads_at_once() -> None:
    kernel = rows()
    run = launcher(kernel, replace(CPU, units=4))
    x = aligned(np.random.default_rng(2).normal(size=(300, 200, 16)).astype(np.float32))
    want = aligned(np.zeros((300, 200), np.float32))
    sizes = {"M": 300, "N": 200}
    launch(run, kernel, {"x": x, "y": want}, sizes)
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(15):
            y = aligned(np.zeros((300, 200), np.float32))
            launch(run, kernel, {"x": x, "y": y}, sizes)
            if y.tobytes() != want.tobytes():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_process_starts_its_own_threads() -> None:
    kernel = rows()
    run = launcher(kernel, replace(CPU, units=2))
    x = aligned(np.ones((900, 300, 16), np.float32))
    y = aligned(np.zeros((900, 300), np.float32))
    launch(run, kernel, {"x": x, "y": y}, {"M": 900, "N": 300})
    child = os.fork()
    if child == 0:
        y[...] = 0
        launch(run, kernel, {"x": x, "y": y}, {"M": 900, "N": 300})
        os._exit(0 if (y == 48).all() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_launch_with_wrong_counts_is_refused() -> None:
    run = launcher(rows())
    with pytest.raises(InternalError, match=r"kernel rows takes \(2, 2, 2\)"):
        run([], [1, 1], [1, 1])


def test_a_pool_is_shared_by_the_kernels_of_a_backend() -> None:
    backend = Cpu()
    kernel = rows()
    runs = [launcher(kernel, replace(CPU, units=2), backend) for _ in range(2)]
    assert all(isinstance(r, Loaded) and r.pool is backend.pool for r in runs)


def test_threads_end_with_their_pool() -> None:
    def helpers() -> set[threading.Thread]:
        return {t for t in threading.enumerate() if t.name == "haste"}

    before, kernel = helpers(), rows()
    run = launcher(kernel, replace(CPU, units=4))
    x = aligned(np.ones((900, 300, 16), np.float32))
    y = aligned(np.zeros((900, 300), np.float32))
    launch(run, kernel, {"x": x, "y": y}, {"M": 900, "N": 300})
    mine = helpers() - before
    assert len(mine) == 3
    del run
    for thread in mine:
        thread.join(5)
    assert not any(t.is_alive() for t in mine)


def test_a_busy_pool_leaves_a_launch_to_its_own_thread() -> None:
    backend, kernel = Cpu(), rows()
    run = launcher(kernel, replace(CPU, units=2), backend)
    x, y = aligned(np.ones((50, 30, 16), np.float32)), aligned(np.zeros((50, 30), np.float32))
    with backend.pool.lock:
        launch(run, kernel, {"x": x, "y": y}, {"M": 50, "N": 30})
    assert (y == 48).all()


def test_sleeping_and_waking_threads_share_every_launch_once() -> None:
    kernel = rows()
    run = launcher(kernel, replace(CPU, units=3))
    x = aligned(np.random.default_rng(3).integers(-9, 9, (60, 40, 16)).astype(np.float32))
    want = 3 * x.sum(2)
    for pause in (0, 0, 1e-4, 2e-4, 3e-4, 1e-3) * 20:
        y = aligned(np.full((60, 40), 99, np.float32))
        launch(run, kernel, {"x": x, "y": y}, {"M": 60, "N": 40})
        assert (y == want).all()
        time.sleep(pause)


@pytest.mark.parametrize("triple", ["x86_64-linux-gnu", "aarch64-linux-gnu", "riscv64-linux-gnu"])
def test_what_threads_wait_with_is_text_for_any_processor(triple: str) -> None:
    module = binding.parse_assembly(team.text(triple))
    module.verify()
    assert [f.name for f in module.functions if not f.is_declaration] == [
        "haste_serve",
        "haste_launch",
        "haste_close",
    ]


def test_an_order_and_addresses_must_be_numbers() -> None:
    launch = team.team().call
    for wrong in (("x",), (1.5,), (1 << 70,)):
        with pytest.raises((TypeError, OverflowError)):
            launch(*wrong)
    assert launch(0) == 0
    run = launcher(rows())
    assert isinstance(run, Loaded)
    job = run._new((1, 1), (1, 1)).job
    nothing: list[Any] = [None, None]
    with pytest.raises(TypeError):
        launch(job.alone, *nothing)


def test_others_run_while_a_launch_does() -> None:
    kernel, spans = rows(), list[tuple[float, float]]()
    run = launcher(kernel, replace(CPU, units=1))
    x = aligned(np.ones((1000, 500, 16), np.float32))
    arrays = {"x": x, "y": aligned(np.zeros((1000, 500), np.float32))}

    def work() -> None:
        for _ in range(20):
            start = time.perf_counter()
            launch(run, kernel, arrays, {"M": 1000, "N": 500})
            spans.append((start, time.perf_counter()))

    thread = threading.Thread(target=work)
    ticks = []
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(1e-4)
    middles = [(a + (b - a) / 4, b - (b - a) / 4) for a, b in spans]
    assert any(a < t < b for a, b in middles for t in ticks)


def kind(helpers: int = 1) -> _Kind:
    """Return launches nobody has run yet."""
    return _Kind(NOTHING, helpers)


def runs(launches: _Kind, shared: float, alone: float, count: int) -> list[bool]:
    """Return which of so many launches ran on one thread, if they take these seconds."""
    found = []
    for _ in range(count):
        found.append(launches.next())
        launches.took(found[-1], alone if found[-1] else shared)
    return found


def test_long_launches_are_always_shared() -> None:
    assert not any(runs(kind(), 1e-3, 5e-4, 2 * AGAIN))


def test_launches_nobody_can_help_run_alone() -> None:
    assert all(runs(kind(helpers=0), 1e-3, 1e-3, 3))


@pytest.mark.parametrize(("shared", "alone"), [(9e-6, 15e-6), (15e-6, 9e-6)])
def test_short_launches_run_as_is_faster(shared: float, alone: float) -> None:
    launches = kind()
    assert not any(runs(launches, 30e-6, 30e-6, 1))
    tried = runs(launches, shared, alone, 2 * TRIED)
    assert tried == [False] * TRIED + [True] * TRIED
    assert runs(launches, shared, alone, AGAIN) == [alone < shared] * AGAIN
    assert runs(launches, shared, alone, TRIED) == [shared < alone] * TRIED


def test_short_launches_notice_that_threads_have_become_busy() -> None:
    launches = kind()
    runs(launches, 9e-6, 15e-6, 1 + 2 * TRIED + AGAIN + TRIED)
    runs(launches, 35e-6, 15e-6, AGAIN + TRIED)
    assert all(runs(launches, 35e-6, 15e-6, AGAIN))


def slept(seconds: float) -> int:
    """Take that long."""
    time.sleep(seconds)
    return 1


def test_launches_that_have_become_long_are_shared_again() -> None:
    kernel = rows()
    run = launcher(kernel, replace(CPU, units=2))
    assert isinstance(run, Loaded)
    x, y = aligned(np.ones((8, 4, 16), np.float32)), aligned(np.zeros((8, 4), np.float32))
    arrays = {"x": x, "y": y}
    launch(run, kernel, arrays, {"M": 8, "N": 4})
    (known,) = run.kinds.values()
    known.shared, known.alone, known.lonely, known.trial, known.left = 9e-6, 5e-6, True, False, 9
    run.launch = lambda order, /, *addresses: slept(2 * LONG)
    launch(run, kernel, arrays, {"M": 8, "N": 4})
    assert known.left == 0
    assert not known.next() and known.trial


def test_one_interrupted_launch_does_not_matter() -> None:
    launches = kind()
    runs(launches, 9e-6, 15e-6, 1 + 2 * TRIED + 5)
    launches.took(False, 5e-3)
    assert launches.shared is not None and launches.shared < 15e-6
