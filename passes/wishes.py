"""What a ``schedule`` block asks for: settings by name, and how close a schedule comes to them.

Settings: ``tile(m = 64)``, how many values of an index a program handles at once; ``warps``,
``stages`` and ``unroll``. They override prices: of all schedules that can be compiled, those that
come closest are left, and the cheapest of them is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2, prod

from hastec.ir.schedule import Schedule
from hastec.target import Target


def distance(
    schedule: Schedule,
    wishes: Mapping[str, int],
    target: Target,
    ranks: Mapping[str, str],
    numbers: Mapping[str, int | None],
) -> float:
    """Return how many doublings a schedule is away from all wishes together.

    ``ranks`` tells the index of each axis, ``numbers`` how many values it has where that is known:
    a tile longer than its index is as good as one that holds all of it.
    """
    total = 0.0
    for name, wanted in wishes.items():
        match name:
            case "warps":
                mine = max(1, schedule.threads // target.lanes)
            case "stages":
                mine = schedule.stages
            case "unroll":
                mine = schedule.unroll
            case _:
                mine, wanted = _tile(schedule, name.removeprefix("tile."), wanted, ranks, numbers)
        total += abs(log2(mine / wanted))
    return total


def _tile(
    schedule: Schedule,
    rank: str,
    wanted: int,
    ranks: Mapping[str, str],
    numbers: Mapping[str, int | None],
) -> tuple[int, int]:
    """Return the tile of an index and what counts as wanted (1, 1: a region without it)."""
    axes = [a for a in schedule.axes if ranks.get(a.name) == rank]
    if not axes:
        return 1, 1
    digits = (schedule.digit(d) for a in axes for d, _ in a.digits)
    mine = prod(d.extent or 1 for d in digits if d.role not in ("grid", "loop"))
    known = [numbers.get(a.name) for a in axes]
    whole = prod(n for n in known if n) if all(known) else 0
    return (mine, min(wanted, max(mine, 1))) if 0 < whole <= min(mine, wanted) else (mine, wanted)
