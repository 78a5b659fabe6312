"""Makes object code callable and launches it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import partial
from math import prod
from time import perf_counter

from hastec.backends.cpu.entry import ENTRY, WAIT
from hastec.backends.cpu.machine import Linked, link
from hastec.backends.cpu.pool import WAKE_SECONDS, Job, Pool
from hastec.contracts import Array
from hastec.diag import InternalError
from hastec.ir.kernel import Kernel

SHARES = 16
"""Ranges a thread takes on average: many, so that long rows at one end do not hold all up."""
TRIES = 20_000
"""How often a launch looks whether the last range has finished before it waits for threads."""
EVERYTHING = 2**62

_RUN = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_int64)
_WAIT = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_STATE = ctypes.c_int64 * 16
"""The counter of programs taken and, a cache line further, of programs finished."""


class Loaded:
    """A kernel in memory; calling it runs every program of a grid, on all threads."""

    def __init__(self, code: bytes, kernel: Kernel, threads: int, pool: Pool) -> None:
        self.linked: Linked = link(code)
        self.run = _RUN(self.linked.get_function_address(ENTRY))
        self.wait = _WAIT(self.linked.get_function_address(WAIT))
        self.counts = (len(kernel.tables), len(kernel.sizes), len(kernel.grid))
        self.name = kernel.name
        self.threads = threads
        self.pool = pool
        self.addresses = ctypes.c_void_p * self.counts[0]
        self.numbers = tuple(ctypes.c_int64 * n for n in self.counts[1:])

    def __call__(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> None:
        """Run every program; returns when all have finished."""
        if (len(arrays), len(sizes), len(grid)) != self.counts:
            raise InternalError(f"kernel {self.name} takes {self.counts} arrays, sizes, extents")
        total = prod(grid)
        if total <= 0:
            return
        state = _STATE()
        call = partial(
            self.run,
            self.addresses(*[a.data_ptr() for a in arrays]),
            self.numbers[0](*sizes),
            self.numbers[1](*grid),
            state,
        )
        if self.threads == 1 or total == 1:
            call(total, 1)
        else:
            self.share(call, state, total)

    def share(self, call: partial[None], state: ctypes.Array[ctypes.c_int64], total: int) -> None:
        """Run a first range here, then the rest with as many threads as it is worth."""
        chunk = max(1, total // (self.threads * SHARES))
        start = perf_counter()
        call(chunk, 1)
        left = (perf_counter() - start) * (total - chunk) / chunk
        helpers = min(self.threads - 1, int(left / WAKE_SECONDS), (total - 1) // chunk)
        if helpers == 0:
            call(chunk, EVERYTHING)
            return
        job = Job(partial(call, chunk, EVERYTHING), self)
        self.pool.share(job, helpers)
        job.work()
        if not self.wait(state, total, TRIES):
            job.close()
