"""Honest times of launches: medians over repeats, on a GPU inside a replayed graph.

On a GPU the calls take turns among copies of their inputs that together exceed the L2 cache, and
are captured into a graph first: what is timed is the kernels, from memory, without the launches of
Python. On a CPU there is one copy, as a program that runs again and again would find it in cache.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from hastec.arrays import torch_module

Call: TypeAlias = Callable[[], object]

ROTATED = 120 << 20
"""Bytes that the copies hold together at least: more than twice the L2 cache of a Hopper."""
MOST_COPIES = 64
LAUNCHES = 40
"""Launches in one captured graph."""
FIRST = 3
"""Samples after which a hopeless candidate is given up."""
SAMPLES = 9
BURST = 4e-3
"""Seconds that one sample on a CPU lasts at least: longer than another process keeps it busy."""
LONGEST = 0.4
"""Seconds after which no further sample is taken."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one call: the median and the interquartile range of ``count`` samples."""

    median: float
    spread: float
    count: int


class Timer(Protocol):
    """Measures calls that do the same work on copies of their inputs."""

    def __call__(self, calls: Sequence[Call], hopeless: float | None) -> Times:
        """Return the times of one call; after a few samples if all exceed ``hopeless`` seconds."""
        ...


def copies_for(size: int) -> int:
    """Return how many copies of inputs of ``size`` bytes must take turns on a GPU."""
    return max(2, min(MOST_COPIES, -(-ROTATED // max(1, size))))


def timer_for(device: str) -> Timer:
    """Return the timer for a device by torch's name."""
    return time_on_gpu if device.startswith("cuda") else time_on_cpu


def time_on_cpu(calls: Sequence[Call], hopeless: float | None = None) -> Times:
    """Time calls that have finished when they return.

    A sample is the fastest of calls in a row: whoever else uses the processor only adds time.
    """
    for call in calls:
        call()

    def sample() -> float:
        best, now = float("inf"), time.perf_counter()
        end, n = now + BURST, 0
        while now < end:
            start = now
            calls[n % len(calls)]()
            now = time.perf_counter()
            best, n = min(best, now - start), n + 1
        return best

    return _times(sample, hopeless)


def time_on_gpu(
    calls: Sequence[Call],
    hopeless: float | None = None,
    launches: int = LAUNCHES,
    samples: int = SAMPLES,
) -> Times:
    """Time calls that enqueue work, replayed in a CUDA graph that takes turns among them.

    The graph holds ``launches`` calls, at least one of each.
    """
    torch = torch_module()
    count = max(launches, len(calls))
    graph = _captured([calls[n % len(calls)] for n in range(count)], calls)
    graph.replay()

    def sample() -> float:
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        stop.record()
        stop.synchronize()
        return float(start.elapsed_time(stop)) * 1e-3 / count

    return _times(sample, hopeless, samples)


def _captured(order: Sequence[Call], warm: Sequence[Call]) -> Any:
    """Return a graph of calls, each of which has run before."""
    torch = torch_module()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream):
        for call in warm:
            call()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=stream):
            for call in order:
                call()
    torch.cuda.synchronize()
    return graph


def _times(sample: Callable[[], float], hopeless: float | None, samples: int = SAMPLES) -> Times:
    end = time.perf_counter() + LONGEST
    found = [sample() for _ in range(FIRST)]
    while len(found) < samples and time.perf_counter() < end:
        if hopeless is not None and min(found) > hopeless:
            break
        found.append(sample())
    low, _, high = statistics.quantiles(found, n=4)
    return Times(statistics.median(found), high - low, len(found))
