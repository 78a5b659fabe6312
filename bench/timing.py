"""Honest times: CUDA-graph replay over rotated inputs larger than the L2 cache, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch

ROTATED = 120 << 20
"""Bytes that the rotated inputs hold together at least: more than twice the L2 of a Hopper."""


def copies_for(size: int) -> int:
    """Return how many copies of inputs of ``size`` bytes must take turns."""
    return max(2, min(64, -(-ROTATED // max(1, size))))


def gpu_time(calls: Sequence[Callable[[], object]], launches: int = 40, repeats: int = 9) -> float:
    """Return the median seconds of one call, replayed in a graph, taking turns among ``calls``."""
    for call in calls:
        call()
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    count = max(launches, len(calls))
    with torch.cuda.stream(stream):
        for call in calls:
            call()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=stream):
            for n in range(count):
                calls[n % len(calls)]()
    torch.cuda.synchronize()
    graph.replay()
    found = []
    for _ in range(repeats):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        stop.record()
        stop.synchronize()
        found.append(start.elapsed_time(stop) * 1e-3 / count)
    return statistics.median(found)


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
