"""Makes object code callable and launches it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from time import perf_counter

from hastec.backends.cpu.call import BOARD, HEAD, RUN, WANTED, WORDS, Call
from hastec.backends.cpu.entry import CHUNK, COUNTER, ENTRY, FIRST, FRONT, TOTAL
from hastec.backends.cpu.machine import Linked, link
from hastec.backends.cpu.pool import WAKE_SECONDS, Job, Pool
from hastec.backends.cpu.team import address, team
from hastec.contracts import Array
from hastec.diag import InternalError
from hastec.ir.kernel import Kernel

SHARES = 16
"""Ranges a thread takes on average: many, so that long rows at one end do not hold all up."""
LONG = 40e-6
"""Seconds from which on a launch is always shared; shorter ones run as is faster here."""
AGAIN, TRIED, FRESH = 1000, 16, 4
"""After so many short launches some run the other way, to see whether that is faster now; the
first of these say little, as threads wake up.
"""
WORTH = 3e-6
"""Seconds from which on it is tried whether others that are awake make a launch shorter."""
LOOK = 16
"""Of so many launches on one thread the time of one is taken."""
MOST = 64
"""How many kinds of launches a kernel remembers."""


NOTHING = Job(lambda order, /, *addresses: order, 0, 0, 0, 0, 0, None)
"""No launch at all."""


@dataclass(slots=True, eq=False)
class _Kind:
    """Launches at the same sizes: what they share, how many other threads may help, and about how
    many seconds one takes if it is shared with them, and alone.
    """

    job: Job
    helpers: int
    shared: float | None = None
    alone: float | None = None
    lonely: bool = False
    trial: bool = True
    left: int = TRIED
    """Launches until it is decided anew whether launches are ``lonely``; now may be a trial."""
    calm: int = 0
    """Launches on one thread before the time of one is taken."""

    @property
    def begins(self) -> bool:
        """Whether a trial of shared launches begins."""
        return self.trial and not self.lonely and self.left == TRIED - 1

    def next(self) -> bool:
        """Return whether the next launch runs on one thread."""
        if not self.helpers:
            return True
        if self.shared is None or self.shared > LONG:
            self.lonely = False
            return False
        if not self.left:
            self._decide()
        self.left -= 1
        return self.lonely

    def _decide(self) -> None:
        if self.alone is not None and self.shared is not None and self.trial:
            self.trial, self.left = False, AGAIN
            self.lonely = self.alone < self.shared
        else:
            self.trial, self.left = True, TRIED
            self.lonely = not self.lonely

    def took(self, lonely: bool, seconds: float) -> None:
        """Learn from a launch; those that somebody interrupted count less."""
        known = self.alone if lonely else self.shared
        if known is not None and not (self.trial and self.left >= TRIED - FRESH):
            seconds = known + (min(seconds, 2 * known) - known) / 4
        if lonely:
            self.alone = seconds
        else:
            self.shared = seconds


class Loaded:
    """A kernel in memory; calling it runs every program of a grid, on all threads."""

    def __init__(self, code: bytes, kernel: Kernel, threads: int, pool: Pool) -> None:
        self.linked: Linked = link(code)
        self.run = self.linked.get_function_address(ENTRY)
        self.counts = (len(kernel.tables), len(kernel.sizes), len(kernel.grid))
        self.name = kernel.name
        self.threads = threads
        self.pool = pool
        self.launch: Call = team().call
        self.kinds: dict[tuple[int, ...], _Kind] = {}
        self.last: tuple[object, object, _Kind] = (None, None, _Kind(NOTHING, 0))

    def __call__(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> None:
        """Run every program; returns when all have finished."""
        # Whoever launches again passes what it passed last time.
        known, other, kind = self.last
        if known is not sizes or other is not grid or len(arrays) != self.counts[0]:
            kind = self._kind(arrays, sizes, grid)
        # Arrays are of one library: asked by its own function, all tell their addresses faster.
        addresses = [*map(type(arrays[0]).data_ptr, arrays)]
        if kind.calm > 0:
            kind.calm -= 1
            self.launch(kind.job.alone, *addresses)
        else:
            self._timed(kind, addresses)

    def _timed(self, kind: _Kind, addresses: list[int]) -> None:
        """Run every program, and learn how long it takes."""
        lonely, start = kind.next(), perf_counter()
        known = kind.shared
        if kind.begins and (kind.alone or 0.0) > WORTH:
            # Whether it pays to have others awake shows once they are.
            known = kind.helpers * WAKE_SECONDS
        if lonely or not self.pool.run(kind.job, addresses, kind.helpers, known):
            self.launch(kind.job.alone, *addresses)
        seconds = perf_counter() - start
        if kind.trial or not lonely:
            kind.took(lonely, seconds)
        elif seconds > LONG and kind.helpers:
            kind.left = 0  # the same sizes may hold more than they did: try anew
        else:
            kind.calm = min(LOOK, kind.left) if kind.helpers else LOOK
            kind.left -= kind.calm

    def _kind(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> _Kind:
        """Return what launches at these sizes have in common."""
        if (len(arrays), len(sizes), len(grid)) != self.counts:
            raise InternalError(f"kernel {self.name} takes {self.counts} arrays, sizes, extents")
        key = (*sizes, *grid)
        kind = self.kinds.get(key)
        if kind is None:
            if len(self.kinds) >= MOST:
                self.kinds.clear()
            kind = self.kinds[key] = self._new(sizes, grid)
        if type(sizes) is tuple and type(grid) is tuple:
            self.last = sizes, grid, kind
        return kind

    def _new(self, sizes: Sequence[int], grid: Sequence[int]) -> _Kind:
        total = max(0, prod(grid))
        chunk = max(1, total // (self.threads * SHARES))
        ranges = -(-total // chunk)
        helpers = max(0, min(self.threads, ranges) - 1)
        job = self._job((*sizes, *grid), total, chunk, ranges, helpers)
        return _Kind(job, helpers, trial=helpers > 0)

    def _job(
        self, numbers: tuple[int, ...], total: int, chunk: int, ranges: int, helpers: int
    ) -> Job:
        """Return the orders of launches whose words end in these numbers."""
        board = address(self.pool.crew.board)
        words = FIRST + sum(self.counts)
        orders = (
            # what a board is there for, ranges that are taken, and what there is to take
            (0, 0, max(1, total), total),
            (board, 0, chunk, total),
            (0, 0, chunk, min(chunk, total)),
            (board, 1, chunk, total),
        )
        room = (ctypes.c_int64 * (len(orders) * (HEAD + words)))()
        for n, (where, taken, length, end) in enumerate(orders):
            head = {RUN: self.run, BOARD: where, WANTED: helpers, WORDS: words}
            mine = {COUNTER: taken, FRONT: taken, CHUNK: length, TOTAL: end}
            mine.update(enumerate(numbers, start=FIRST + self.counts[0]))
            for at, word in (*head.items(), *((HEAD + at, w) for at, w in mine.items())):
                room[n * (HEAD + words) + at] = word
        step, start = ctypes.sizeof(room) // len(orders), ctypes.addressof(room)
        alone, shared, first, rest = (start + n * step for n in range(len(orders)))
        return Job(self.launch, alone, shared, first, rest, ranges, room)
