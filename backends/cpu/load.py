"""Makes object code callable and launches it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from time import perf_counter

from hastec.backends.cpu.entry import CHUNK, ENTRY, EVERYTHING, FIRST, TOTAL
from hastec.backends.cpu.machine import Linked, link
from hastec.backends.cpu.pool import Job, Pool
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
MOST = 64
"""How many kinds of launches a kernel remembers."""

_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_bool)


@dataclass(slots=True, eq=False)
class _Kind:
    """Launches at the same sizes: all words but the addresses, how many other threads may help,
    and about how many seconds one takes if it is shared with them, and alone.
    """

    words: bytes
    helpers: int
    shared: float | None = None
    alone: float | None = None
    lonely: bool = False
    trial: bool = True
    left: int = TRIED
    """Launches until it is decided anew whether launches are ``lonely``; now may be a trial."""

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
        self.run: Callable[..., None] = _RUN(self.linked.get_function_address(ENTRY))
        self.counts = (len(kernel.tables), len(kernel.sizes), len(kernel.grid))
        self.name = kernel.name
        self.threads = threads
        self.pool = pool
        self.words = ctypes.c_int64 * (FIRST + sum(self.counts))
        self.kinds: dict[tuple[int, ...], _Kind] = {}

    def __call__(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> None:
        """Run every program; returns when all have finished."""
        kind = self.kinds.get((*sizes, *grid))
        if kind is None or len(arrays) != self.counts[0]:
            kind = self._kind(arrays, sizes, grid)
        launch = self.words.from_buffer_copy(kind.words)
        launch[FIRST : FIRST + len(arrays)] = [a.data_ptr() for a in arrays]
        lonely, start = kind.next(), perf_counter()
        if lonely:
            launch[CHUNK] = max(1, launch[TOTAL])
        if lonely or not self.pool.run(Job(self.run, launch, kind.shared), kind.helpers):
            self.run(launch, EVERYTHING, False)
        seconds = perf_counter() - start
        if kind.trial or not lonely:
            kind.took(lonely, seconds)
        elif seconds > LONG:
            kind.left = 0  # the same sizes may hold more than they did: try anew

    def _kind(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> _Kind:
        """Return what launches at these sizes have in common."""
        if (len(arrays), len(sizes), len(grid)) != self.counts:
            raise InternalError(f"kernel {self.name} takes {self.counts} arrays, sizes, extents")
        total = max(0, prod(grid))
        chunk = max(1, total // (self.threads * SHARES))
        helpers = max(0, min(self.threads, -(-total // chunk)) - 1)
        words = self.words(*[0] * (FIRST + len(arrays)), *sizes, *grid)
        words[CHUNK], words[TOTAL] = chunk, total
        if len(self.kinds) >= MOST:
            self.kinds.clear()
        kind = self.kinds[(*sizes, *grid)] = _Kind(bytes(words), helpers, trial=helpers > 0)
        return kind
