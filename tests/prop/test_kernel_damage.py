"""Damaged texts of kernels and schedules either read as something or are errors with a place."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.diag import HasteError
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_show import show_kernel
from hastec.ir.schedule_text import read_schedule
from tests.prop.gen_kernel import generate

SCRAPS = [
    "%",
    "{",
    "}",
    "[",
    "]",
    "..",
    "-",
    "9" * 30,
    '"',
    "#",
    ";",
    "in",
    "mask",
    "\n",
    "é",
    "(",
    ")",
]
SCHEDULE = (
    "threads 64; stages 3; digit m: grid; digit t: thread 32; axis m = 4*m + t; axis k = 0; "
    "turn n; lead 12 over m, k; lead 3; dots 5, 6; early 7"
)


def damaged(text: str, rng: np.random.Generator) -> str:
    """Return a text with a few pieces cut out, doubled or put in."""
    for _ in range(int(rng.integers(1, 4))):
        at, end = sorted(int(n) for n in rng.integers(0, len(text), 2))
        end = min(end, at + int(rng.integers(1, 12)))
        scrap = SCRAPS[int(rng.integers(len(SCRAPS)))]
        text = text[:at] + ("", scrap, text[at:end] * 2)[int(rng.integers(3))] + text[end:]
    return text


@pytest.mark.parametrize("seed", range(12))
def test_damaged_kernels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    text = show_kernel(generate(seed, steps=5).kernel)
    errors = 0
    for _ in range(40):
        try:
            kernel = read_kernel(damaged(text, rng))
        except HasteError as error:
            errors += 1
            assert error.diagnostics[0].span is not None
        else:
            assert read_kernel(show_kernel(kernel)) == kernel
    assert errors > 10


@pytest.mark.parametrize("seed", range(6))
def test_damaged_schedules(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(200):
        try:
            read_schedule(damaged(SCHEDULE, rng))
        except HasteError as error:
            assert error.diagnostics[0].span is not None
