"""Choosing among tuning records: the best for a problem, or for the nearest other sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

from hastec.tune.records import Pairs, Record, Sizes, Status

Distance: TypeAlias = Callable[[Sizes, Sizes], float | None]


def best(
    records: Iterable[Record], key: str, backend: str, device: str, versions: Pairs | None = None
) -> Record | None:
    """Return the fastest right candidate for a problem, or None.

    Of several runs of one schedule the last counts, but a wrong result counts for ever. Only
    records of ``versions`` are looked at, if given.
    """
    last: dict[str, Record] = {}
    for record in records:
        if not _concerns(record, key, backend, device, versions):
            continue
        known = last.get(record.schedule)
        if known is None or known.status is not Status.WRONG:
            last[record.schedule] = record
    times = [(r.ms, r.schedule, r) for r in last.values() if r.ms is not None]
    return min(times, key=lambda item: item[:2])[2] if times else None


def tried(
    records: Iterable[Record], key: str, backend: str, device: str, versions: Pairs | None = None
) -> frozenset[str]:
    """Return the schedules that need no further run: measured, wrong, failed or refused."""
    return frozenset(
        record.schedule for record in records if _concerns(record, key, backend, device, versions)
    )


def _concerns(record: Record, key: str, backend: str, device: str, versions: Pairs | None) -> bool:
    found = (record.key, record.backend, record.device)
    return found == (key, backend, device) and versions in (None, record.versions)


def nearest(
    records: Iterable[Record],
    program: str,
    sizes: Sizes,
    backend: str,
    device: str,
    distance: Distance | None = None,
) -> tuple[Record, float] | None:
    """Return the best record of the closest sizes of one program, and how far they are.

    ``distance`` is :func:`octaves` unless given; where it returns None, sizes do not compare.
    """
    measure = distance or octaves
    everything = tuple(records)
    found: list[tuple[float, str, Record]] = []
    for problem in {(r.key, r.sizes): r for r in everything if r.program == program}.values():
        apart = measure(problem.sizes, sizes)
        winner = best(everything, problem.key, backend, device)
        if apart is not None and winner is not None:
            found.append((apart, problem.key, winner))
    if not found:
        return None
    apart, _, winner = min(found, key=lambda item: item[:2])
    return winner, apart


def octaves(left: Sizes, right: Sizes) -> float | None:
    """Return how many doublings lie between two sets of sizes; None if their names differ."""
    if [name for name, _ in left] != [name for name, _ in right]:
        return None
    pairs = zip(left, right, strict=True)
    return math.fsum(abs(math.log2(max(a, 1)) - math.log2(max(b, 1))) for (_, a), (_, b) in pairs)
