"""Loads made one iteration early: the same results, the places of no iteration never touched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hastec.ir.ahead import ahead
from hastec.ir.kernel import For, Kernel, Let, Load, paced, statements
from hastec.ir.kernel_interp import run_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.lower import Refused, lower
from hastec.lower.space import schedules
from hastec.target import SM90
from tests.unit.lower_help import DENSE, PROGRAMS, VECTOR, work

SIZES = {"M": 7, "K": 65, "N": 3}


def loops(kernel: Kernel) -> list[For]:
    """Return the innermost loops."""
    found = [s for s in statements(kernel.body) if isinstance(s, For)]
    return [f for f in found if not any(isinstance(s, For) for s in statements(f.body))]


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernels_stay_sound(name: str) -> None:
    count = 0
    at = work(PROGRAMS[name])
    for schedule in schedules(at, SM90, {}, 40):
        try:
            kernel = lower(at, replace(schedule, stages=2, unroll=1))
        except Refused:
            continue
        made = ahead(kernel)
        verify_kernel(made)
        assert ahead(made) == made
        count += made != kernel and len(made.carried) > len(kernel.carried)
    assert count or name in ("copy", "sampled")


def test_other_paces_are_left_alone() -> None:
    at = work(VECTOR)
    for schedule in schedules(at, SM90, {}, 40):
        if schedule.stages != 2:
            kernel = lower(at, schedule)
            assert ahead(kernel) is kernel


@pytest.mark.parametrize("columns", [0, 1, 64, 65])
def test_the_same_sums(columns: int) -> None:
    """With no iteration nothing is read; the last one reads nothing behind it."""
    rng, ran = np.random.default_rng(3), 0
    sizes = {**SIZES, "K": columns}
    w = rng.integers(-3, 4, (7, columns)).astype(np.float32)
    x = rng.integers(-3, 4, (columns, 3)).astype(np.float32)
    at = work(DENSE)
    for schedule in schedules(at, SM90, sizes, 200):
        kernel = paced(lower(at, schedule), 2, 1)
        if schedule.dots or not all(r.holds(sizes) for r in kernel.requires):
            continue
        made = ahead(kernel)
        y = np.full((7, 3), np.nan, np.float32)
        arrays = {"W.val": w, "X.val": x, "Y.val": y}
        scratch = {t.name: t for t in made.tables if t.name not in arrays}
        if scratch:
            continue
        run_kernel(made, arrays, sizes)
        assert np.array_equal(y, w @ x)
        ran += 1
        for loop in loops(made):
            kept = [s for s in loop.body if isinstance(s, Let) and isinstance(s.value.op, Load)]
            assert all(loop.stages == 1 for _ in kept)
    assert ran > 3
