"""Runs kernels on the CPU backend from NumPy arrays."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hastec.backends.cpu.backend import Cpu
from hastec.contracts import Launcher
from hastec.ir.kernel import Kernel
from hastec.ir.numeric import Array
from hastec.target import CPU, Target

X86 = platform.machine() in ("x86_64", "AMD64")
OLDER = ("x86-64", "x86-64-v3") if X86 else ("generic",)
"""Processors of this family that have less than the one here may have."""


@dataclass(frozen=True)
class Address:
    """An array as a launch takes it."""

    array: Array

    def data_ptr(self) -> int:
        """Return where it starts."""
        return int(self.array.ctypes.data)


def aligned(array: Array) -> Array:
    """Return a copy whose first element lies at a multiple of 64 bytes."""
    room = np.zeros(array.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def launcher(kernel: Kernel, target: Target = CPU, backend: Cpu | None = None) -> Launcher:
    """Return a kernel built and loaded."""
    made = backend or Cpu()
    assert made.refuse(kernel, target) == ""
    built = made.build(made.emit(kernel, {}, target), kernel, target)
    return made.load(built.files, kernel, target)


def launch(
    run: Launcher, kernel: Kernel, arrays: Mapping[str, Array], sizes: Mapping[str, int]
) -> None:
    """Run a loaded kernel on arrays as they are."""
    grid = [size.evaluate(sizes) for _, size in kernel.grid]
    addresses = [Address(arrays[t.name]) for t in kernel.tables]
    run(addresses, [sizes[s] for s in kernel.sizes], grid)


def on_cpu(
    kernel: Kernel, arrays: Mapping[str, Array], sizes: Mapping[str, int], target: Target = CPU
) -> dict[str, Array]:
    """Return the arrays after a run; those given stay as they are."""
    mine = {name: aligned(a) for name, a in arrays.items()}
    launch(launcher(kernel, target), kernel, mine, sizes)
    return mine
