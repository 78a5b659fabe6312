"""Three ways to run a kernel: its interpreter, the CPU backend, and Triton's interpreter.

Backends are given arrays that lie between guards of bytes 0xFF (NaN, or -1): what is read there
shows in results, and a write there is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Protocol

import numpy as np

from hastec.backends.cpu.backend import Cpu
from hastec.backends.triton.backend import TritonBackend
from hastec.contracts import Backend
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_interp import run_kernel
from hastec.ir.numeric import Array
from hastec.target import CPU, SM90, Target
from tests.agree.program import as_numpy, as_torch

GUARD = 256
"""Bytes in front of and behind every array."""


class Executor(Protocol):
    """Runs kernels; ``refuse`` says why it cannot run one ("" if it can)."""

    @property
    def name(self) -> str: ...

    def refuse(self, kernel: Kernel) -> str: ...

    def run(self, kernel: Kernel, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
        """Run every program of a kernel, writing into ``arrays``."""
        ...


@dataclass(frozen=True)
class Interpreted:
    """The kernel interpreter; every element a kernel is to write must be written once."""

    name: str = "kernel interpreter"
    written: dict[str, np.ndarray] = field(default_factory=dict)
    """How often each element of the last run's outputs was written."""

    def refuse(self, kernel: Kernel) -> str:
        return ""

    def run(self, kernel: Kernel, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
        self.written.clear()
        run_kernel(kernel, arrays, sizes, written=self.written)


@dataclass(frozen=True)
class Native:
    """A backend that runs on this machine."""

    name: str
    backend: Backend
    target: Target

    def refuse(self, kernel: Kernel) -> str:
        return self.backend.refuse(kernel, self.target)

    def run(self, kernel: Kernel, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
        emitted = self.backend.emit(kernel, {}, self.target)
        built = self.backend.build(emitted, kernel, self.target)
        launch = self.backend.load(built.files, kernel, self.target)
        mine = {t.name: guarded(arrays[t.name]) for t in kernel.tables}
        tensors = [as_torch(mine[t.name].array, t.dtype) for t in kernel.tables]
        grid = [size.evaluate(sizes) for _, size in kernel.grid]
        try:
            launch(tensors, [sizes[s] for s in kernel.sizes], grid)
        except RuntimeError as error:
            raise AssertionError(f"{error} in\n{emitted.source}") from error
        for table, tensor in zip(kernel.tables, tensors, strict=True):
            held = mine[table.name]
            assert held.intact(), f"{self.name} writes past the ends of {table.name}"
            same = np.array_equal(_bytes(as_numpy(tensor)), _bytes(arrays[table.name]))
            assert table.access != "read" or same, f"{self.name} writes {table.name}"
            arrays[table.name][...] = as_numpy(tensor)


@dataclass(frozen=True)
class Guarded:
    """An array between guards, aligned to 64 bytes."""

    room: np.ndarray
    array: Array

    def intact(self) -> bool:
        """Whether nothing was written beside the array."""
        start = self.array.ctypes.data - self.room.ctypes.data
        outside = np.ones(self.room.size, np.bool_)
        outside[start : start + self.array.nbytes] = False
        return bool((self.room[outside] == 0xFF).all())


def guarded(array: Array) -> Guarded:
    """Return a copy of an array between guards."""
    room = np.full(array.nbytes + 2 * GUARD + 64, 0xFF, np.uint8)
    start = GUARD + (-(room.ctypes.data + GUARD)) % 64
    copy: Array = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return Guarded(room, copy)


def _bytes(array: Array) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


@cache
def cpu() -> Native:
    """Return the CPU backend on two threads."""
    return Native("CPU backend", Cpu(), replace(CPU, units=2))


@cache
def triton() -> Native:
    """Return Triton's interpreter, in a process that all tests share: it takes long to start."""
    return Native("Triton interpreter", TritonBackend(interpret=True), SM90)
