"""Times: of the fastest calls in a row, few samples where there is no hope, copies in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

import pytest
import torch

from hastec.run.rotation import rotated
from hastec.run.runner import Runner
from hastec.run.timing import (
    FIRST,
    MOST_COPIES,
    ROTATED,
    SAMPLES,
    copies_for,
    time_on_cpu,
    time_on_gpu,
    timer_for,
)
from tests.unit.tune_help import LINEAR, program, pruned


class Work:
    """Calls that take set times, by a clock that only they move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
        self.now = 0.0
        self.made: list[int] = []
        self.calls = [self.call(n, s) for n, s in enumerate(seconds)]
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def call(self, number: int, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds
            self.made.append(number)

        return run


def test_the_median_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    found = time_on_cpu(Work(monkeypatch, 1e-3).calls)
    assert found.median == pytest.approx(1e-3) and found.count == SAMPLES
    assert found.spread == pytest.approx(0.0, abs=1e-9)


def test_who_else_uses_the_processor_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    turn = count()

    def now_and_then_slow() -> None:
        work.now += 5e-3 if next(turn) % 3 == 0 else 1e-3

    assert time_on_cpu([now_and_then_slow]).median == pytest.approx(1e-3)


def test_hopeless_candidates_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch, 1e-2)
    assert time_on_cpu(work.calls, hopeless=5e-3).count == FIRST
    assert time_on_cpu(work.calls, hopeless=2e-2).count == SAMPLES


def test_long_calls_are_sampled_less(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_on_cpu(Work(monkeypatch, 0.3).calls).count == FIRST


def test_calls_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch, 1e-4, 1e-4, 1e-4)
    time_on_cpu(work.calls)
    assert work.made[:3] == [0, 1, 2]
    assert work.made[3:12] == [0, 1, 2] * 3


def test_real_time_passes() -> None:
    found = time_on_cpu([lambda: time.sleep(2e-3)])
    assert 2e-3 <= found.median < 0.1


def test_copies_exceed_the_cache_together() -> None:
    assert copies_for(1) == MOST_COPIES
    assert copies_for(ROTATED) == copies_for(10 * ROTATED) == 2
    assert copies_for(ROTATED // 10) == 10


def test_each_device_has_its_timer() -> None:
    assert timer_for("cpu") is time_on_cpu
    assert timer_for("cuda:0") is time_on_gpu


def test_copies_of_a_plan_compute_the_same() -> None:
    weight, x, bias = pruned(40, 24), torch.randn(24, 8), torch.randn(40)
    plan = program(LINEAR).bind(W=weight, b=bias, N=8)
    assert isinstance(plan.run, Runner)
    (call,) = rotated(plan.run, {"X": x})
    assert torch.equal(torch.as_tensor(call()), plan(X=x))


def test_on_a_gpu_copies_share_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, x, bias = pruned(40, 24), torch.randn(24, 8), torch.randn(40)
    plan = program(LINEAR).bind(W=weight, b=bias, N=8)
    assert isinstance(plan.run, Runner)
    wanted = plan(X=x)
    # What a plan on a GPU would do, on a CPU: only its name is looked at.
    plan.run.device = "cuda:0"
    calls = rotated(plan.run, {"X": x})
    assert len(calls) == MOST_COPIES
    runs = [getattr(call, "func") for call in calls]  # noqa: B009 (a partial, for the checker)
    places = {x.data_ptr() for run in runs for x in run.arrays.values()}
    assert len(places) == len(calls) * len(plan.run.arrays)
    for run in runs:
        run.device = "cpu"
    assert torch.equal(torch.as_tensor(calls[-1]()), wanted)
