"""Runs kernels on the CPU backend from NumPy arrays."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hastec.backends.cpu.backend import Cpu
from hastec.contracts import Launcher
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_verify import verify_kernel
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


ROWS = """
kernel rows {
  threads 1
  table x: f32 read align 16 numel M * N * 16
  table y: f32 write align 16 numel M * N
  size M
  size N
  digit m: grid
  digit n: grid
  digit k: loop
  digit u: reg 16
  grid m = M
  grid n = N
  state %20 acc: f32[u] = carried k 0
  state %21 acc: f32[u] = final k 0
  %0: i32 = coord m
  %1: i32 = coord n
  %2: i32 = size N
  %3: i32 = mul(%0, %2)
  %4 row: i32 = add(%3, %1)
  %5: i32 = const 16
  %6: i32 = mul(%4, %5)
  %7: i32[u] = coord u
  %8: ptr = address x + %6
  %9: ptr[u] = address %8 + %7
  %10 x: f32[u] = load x[%9] unit u align 16   # 3:5-9
  %11: i32 = const 0
  %12 zero: f32 = const 0.0
  %13: i32 = const 3
  for k in %11 .. %13 with %20 = %12 next %22 after %21 {
    %22: f32[u] = add(%20, %10)   # 4:5-9
  }
  %23 total: f32 = reduce sum %21 over u
  %24: ptr = address y + %4
  store y[%24] = %23
}
"""


def rows() -> Kernel:
    """Return a kernel whose programs each sum 16 numbers three times."""
    kernel = read_kernel(ROWS)
    verify_kernel(kernel)
    return kernel
