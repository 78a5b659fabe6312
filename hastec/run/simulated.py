"""A backend whose kernels the kernel interpreter runs: those of any target, on any machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hastec.arrays import tensor, torch_module
from hastec.contracts import Array, Backend, Built, Emitted, Launcher
from hastec.ir import numeric
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_interp import run_kernel
from hastec.ir.types import DType
from hastec.target import Target


@dataclass(frozen=True, slots=True)
class Simulated:
    """Emits what ``generator`` emits and builds nothing; launches are interpreted."""

    generator: Backend
    name: str = "interpreter"

    def version(self) -> str:
        """Return what changes what is emitted."""
        return f"interpreted {self.generator.version()}"

    def refuse(self, kernel: Kernel, target: Target) -> str:
        """Return why the generator cannot build a kernel, or ""."""
        return self.generator.refuse(kernel, target)

    def emit(self, kernel: Kernel, lines: Mapping[int, str], target: Target) -> Emitted:
        """Return the generator's source."""
        return self.generator.emit(kernel, lines, target)

    def build(self, emitted: Emitted, kernel: Kernel, target: Target) -> Built:
        """Build nothing."""
        return Built({})

    def load(self, built: Mapping[str, bytes], kernel: Kernel, target: Target) -> Launcher:
        """Return the interpreter of a kernel."""
        return Interpreter(kernel)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A launcher that runs a kernel on tensors in host memory, one program after the other.

    A live access outside an array raises InternalError.
    """

    kernel: Kernel

    def __call__(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> None:
        """Run every program of ``grid``, writing into ``arrays``."""
        # Whoever launches has checked what the kernel requires of sizes it is not passed.
        kernel = replace(self.kernel, requires=())
        held = {t.name: carried(x, t.dtype) for t, x in zip(kernel.tables, arrays, strict=True)}
        extents = {d: n for (d, _), n in zip(kernel.grid, grid, strict=True)}
        run_kernel(kernel, held, dict(zip(kernel.sizes, sizes, strict=True)), extents)


def carried(x: Any, dtype: DType) -> numeric.Array:
    """Return a tensor in host memory as the array that carries its elements, sharing memory."""
    torch = torch_module()
    wanted = numeric.carrier(dtype)
    whole = tensor(x).reshape(-1)
    if x.dtype == torch.bfloat16:
        whole = whole.view(torch.int16)
    found: numeric.Array = np.asarray(whole.numpy()).view(wanted)
    return found
