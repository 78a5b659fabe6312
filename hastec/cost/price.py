"""Seconds from counts: the slowest resource decides."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hastec.cost.caches import LAST
from hastec.cost.count import Count
from hastec.target import Target

LATENCY = 0.5e-6
"""Seconds from a load to the next iteration's, on a GPU under load."""
PROLOGUE = 1.3e-6
"""Seconds a program takes before its first and after its last iteration."""
RESIDENT = 1408
"""Threads of a multiprocessor that are in flight together, registers permitting."""
PROGRAMS = 32
"""Programs of a multiprocessor that are in flight together."""
SHARPNESS = 2
"""How little the faster resources matter: the exponent of the norm that joins all times."""
ISSUED = 0.77
"""The share of issue slots that useful instructions take at best."""
LINES = 1.5
"""Cache lines that a multiprocessor looks up in a cycle."""


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


def price(count: Count, target: Target, depth: int = 1) -> Price:
    """Return the predicted time of a launch that has ``depth`` iterations in flight.

    The constants were fitted to 600 schedules of one product, measured on an H200: of those within
    twice the best of their case half are predicted to 12 %.
    """
    if target.threads == (1,):
        return _cpu(count, target)
    mine = count.programs / target.units
    uneven = ceil(mine) / mine if mine else 1.0
    memory = count.bytes / target.bandwidth * uneven
    flops = count.flops / target.flops * uneven
    slots = count.slots / (target.issue * ISSUED) * uneven
    clock = target.issue / (target.units * 128)
    lines = count.lines / (target.units * clock * LINES) * uneven
    together = min(PROGRAMS, max(1, RESIDENT // count.threads))
    waves = max(1.0, mine / together)
    latency = waves * ceil(count.trips / depth) * LATENCY
    parts = (memory, flops, slots, lines, latency)
    joined = sum(p**SHARPNESS for p in parts) ** (1 / SHARPNESS)
    return Price(joined + PROLOGUE + target.launch, *parts)


def _cpu(count: Count, target: Target) -> Price:
    cores = min(float(target.units), max(1.0, count.programs))
    memory = count.bytes / target.bandwidth if count.bytes > LAST else 0.0
    slots = count.slots / target.issue / cores
    parts = (memory, 0.0, slots, 0.0, 0.0)
    return Price(max(parts) + target.launch, *parts)
