"""Makes object code callable and launches it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from time import perf_counter

from hastec.backends.cpu.entry import COUNTER, ENTRY, EVERYTHING, FIRST, TOTAL
from hastec.backends.cpu.machine import Linked, link
from hastec.backends.cpu.pool import Job, Pool
from hastec.contracts import Array
from hastec.diag import InternalError
from hastec.ir.kernel import Kernel

SHARES = 16
"""Ranges a thread takes on average: many, so that long rows at one end do not hold all up."""
ALONE, SHARED = 6e-6, 14e-6
"""Seconds below which a launch is no longer shared with other threads, and above which it is again:
to tell them of one takes some time too.
"""
STEADY = 1.5
"""How much longer than the last one a launch can make the next one look: some are interrupted."""
MOST = 64
"""How many kinds of launches a kernel remembers."""

_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


@dataclass(slots=True, eq=False)
class _Kind:
    """Launches at the same sizes: all words but the addresses, how many other threads may help,
    whether they are over before anybody could, and about how many seconds they take.
    """

    words: bytes
    helpers: int
    alone: bool
    seconds: float | None = None

    def took(self, seconds: float) -> None:
        """Learn from a launch how to run the next one."""
        self.seconds = seconds if self.seconds is None else min(seconds, STEADY * self.seconds)
        self.alone = self.seconds < (SHARED if self.alone else ALONE)


class Loaded:
    """A kernel in memory; calling it runs every program of a grid, on all threads."""

    def __init__(self, code: bytes, kernel: Kernel, threads: int, pool: Pool) -> None:
        self.linked: Linked = link(code)
        self.run = _RUN(self.linked.get_function_address(ENTRY))
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
        start = perf_counter()
        if kind.alone or not self.pool.run(Job(self.run, launch, kind.seconds), kind.helpers):
            self.run(launch, EVERYTHING)
        if kind.helpers:
            kind.took(perf_counter() - start)

    def _kind(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> _Kind:
        """Return what launches at these sizes have in common."""
        if (len(arrays), len(sizes), len(grid)) != self.counts:
            raise InternalError(f"kernel {self.name} takes {self.counts} arrays, sizes, extents")
        total = max(0, prod(grid))
        chunk = max(1, total // (self.threads * SHARES))
        helpers = max(0, min(self.threads, -(-total // chunk)) - 1)
        words = self.words(0, chunk, total, *[0] * len(arrays), *sizes, *grid)
        assert words[COUNTER] == 0 and words[TOTAL] == total
        if len(self.kinds) >= MOST:
            self.kinds.clear()
        kind = self.kinds[(*sizes, *grid)] = _Kind(bytes(words), helpers, not helpers)
        return kind
