"""Times for benchmarks, by the tuner's own clock (:mod:`hastec.run.timing`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hastec.run.timing import LAUNCHES, SAMPLES, copies_for, time_on_gpu

__all__ = ["copies_for", "cpu_time", "gpu_time"]


def gpu_time(
    calls: Sequence[Callable[[], object]], launches: int = LAUNCHES, repeats: int = SAMPLES
) -> float:
    """Return the median seconds of one call, replayed in a graph, taking turns among ``calls``."""
    return time_on_gpu(calls, None, launches, repeats).median


def cpu_time(call: Callable[[], object], seconds: float = 0.3) -> float:
    """Return the least seconds of one call among as many as fit."""
    call()
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best
