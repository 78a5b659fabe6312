"""Makes object code callable and launches it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from math import prod

from hastec.backends.cpu.entry import ENTRY
from hastec.backends.cpu.machine import Linked, link
from hastec.backends.cpu.pool import Job, Pool
from hastec.contracts import Array
from hastec.diag import InternalError
from hastec.ir.kernel import Kernel

SHARES = 16
"""Ranges a thread takes on average: many, so that long rows at one end do not hold all up."""

_RUN = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_int64)
_STATE = ctypes.c_int64 * 1
"""The counter of programs taken."""


class Loaded:
    """A kernel in memory; calling it runs every program of a grid, on all threads."""

    def __init__(self, code: bytes, kernel: Kernel, threads: int, pool: Pool) -> None:
        self.linked: Linked = link(code)
        self.run = _RUN(self.linked.get_function_address(ENTRY))
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
        addresses = self.addresses(*[a.data_ptr() for a in arrays])
        arguments = addresses, self.numbers[0](*sizes), self.numbers[1](*grid)
        state = _STATE()
        if self.threads > 1 and total > 1:
            chunk = max(1, total // (self.threads * SHARES))
            helpers = min(self.threads, -(-total // chunk)) - 1
            if self.pool.run(Job(self.run, arguments, state, chunk, total), helpers):
                return
        self.run(*arguments, state, total, 1)
