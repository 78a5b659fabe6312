"""Seconds from counts: the slowest resource decides."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.cost.caches import LAST
from hastec.cost.count import Count
from hastec.target import Target

LATENCY = 0.6e-6
"""Seconds from a dependent load to its use, on a GPU under load."""
RESIDENT = 1536
"""Threads of a multiprocessor that are in flight together, registers permitting."""


@dataclass(frozen=True, slots=True)
class Price:
    """Predicted seconds of one launch, and of each resource alone."""

    seconds: float
    bytes: float
    flops: float
    slots: float
    lines: float
    latency: float

    @property
    def bound(self) -> str:
        """The resource that decides."""
        parts = {n: getattr(self, n) for n in ("bytes", "flops", "slots", "lines", "latency")}
        return max(parts, key=lambda n: parts[n])


def price(count: Count, target: Target, stages: int = 1) -> Price:
    """Return the predicted time of a launch on a target."""
    if target.threads == (1,):
        return _cpu(count, target)
    busy = min(1.0, count.programs * count.threads / (target.units * 512))
    memory = count.bytes / target.bandwidth
    flops = count.flops / target.flops / max(busy, 0.05)
    slots = count.slots / target.issue / max(busy, 0.05)
    clock = target.issue / (target.units * 128)
    lines = count.lines / (target.units * clock) / max(busy, 0.05)
    waves = max(1.0, count.programs * count.threads / (target.units * RESIDENT))
    latency = count.trips * LATENCY / min(4, max(1, stages)) * waves
    parts = (memory, flops, slots, lines, latency)
    return Price(max(parts) + 0.2 * (sum(parts) - max(parts)) + target.launch, *parts)


def _cpu(count: Count, target: Target) -> Price:
    cores = min(float(target.units), max(1.0, count.programs))
    memory = count.bytes / target.bandwidth if count.bytes > LAST else 0.0
    slots = count.slots / target.issue / cores
    parts = (memory, 0.0, slots, 0.0, 0.0)
    return Price(max(parts) + target.launch, *parts)
