"""Random kernels read back from their text, verify, and mean the same on the CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hastec.ir.kernel_interp import run_kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_show import show_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.numeric import Array, cast
from hastec.ir.types import BF16, F16, F32, F64, DType
from hastec.target import CPU, Target
from tests.prop.gen_kernel import generate
from tests.unit.cpu_run import OLDER, on_cpu

SEEDS = range(90)
TOLERANCE = {F16: 2e-3, BF16: 2e-2, F32: 4e-6, F64: 1e-14}


def same(found: Array, want: Array, dtype: DType, inexact: bool) -> np.ndarray:
    """Return where two arrays agree: exactly, or within the precision of their type."""
    if not dtype.is_float:
        return np.asarray(found == want)
    a, b = (cast(x, dtype, F64).astype(np.float64) for x in (found, want))
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    if not inexact:
        return np.asarray(equal)
    finite = np.abs(b[np.isfinite(b)])
    scale = max(1.0, finite.max(initial=0.0))
    with np.errstate(invalid="ignore"):
        return np.asarray(equal | (np.abs(a - b) <= TOLERANCE[dtype] * scale))


def check(seed: int, target: Target) -> None:
    case = generate(seed)
    want = {name: a.copy() for name, a in case.arrays.items()}
    run_kernel(case.kernel, want, case.sizes)
    found = on_cpu(case.kernel, case.arrays, case.sizes, target)
    for table in case.kernel.tables:
        close = same(found[table.name], want[table.name], table.dtype, table.name in case.inexact)
        assert close.all(), f"seed {seed}: {table.name}\n{show_kernel(case.kernel)}"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_text_reads_back(seed: int) -> None:
    kernel = generate(seed).kernel
    verify_kernel(kernel)
    assert read_kernel(show_kernel(kernel)) == kernel


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cpu_computes_what_the_kernel_means(seed: int) -> None:
    check(seed, replace(CPU, units=2))


@pytest.mark.parametrize("arch", OLDER)
@pytest.mark.parametrize("seed", range(8))
def test_older_processors_compute_the_same(seed: int, arch: str) -> None:
    check(seed, replace(CPU, arch=arch))
