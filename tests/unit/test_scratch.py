"""Memory that launches bring: parts of shared sums and counters, new or used again."""

from __future__ import annotations

import pytest
import torch

from hastec.driver import compile
from hastec.ir.kernel import Kernel
from hastec.lower import lower
from hastec.lower.space import schedules
from hastec.options import Options
from hastec.run.runner import Runner
from hastec.run.scratch import Scratch
from hastec.target import SM90
from tests.unit.lower_help import SUM, work

LONG = "kernel f(x: f32[N]) -> y: f32, h: f32 {\n    y = sum[n] x[n]\n    h = max[n] x[n]\n}"
OPTIONS = Options.from_environment({}, interpret=1, skip_cache=1)


def shared(kernel: Kernel) -> list[str]:
    """Return how a kernel uses the memory of its launch."""
    return [t.access for t in kernel.tables if t.access in ("scratch", "count")]


def test_a_kernel_says_what_it_needs() -> None:
    at, sizes = work(SUM), {"N": 1 << 20}
    kernels = [lower(at, s) for s in schedules(at, SM90, sizes)]
    kernel = next(k for k in kernels if shared(k))
    made = {name: make() for name, make in Scratch(kernel).makers(sizes, "cpu")}
    assert {t.name for t in kernel.tables if t.access != "read" and t.access != "write"} == set(
        made
    )
    for table in kernel.tables:
        if table.name in made:
            assert table.numel is not None
            assert made[table.name].shape[0] >= table.numel.evaluate(sizes)
        if table.access == "count":
            assert not torch.as_tensor(made[table.name]).any()


def test_calls_of_a_plan_that_shares_sums() -> None:
    program = compile(LONG, backend_name="triton", options=OPTIONS)
    plan = program.bind(N=1 << 14)
    assert isinstance(plan.run, Runner)
    draw = torch.Generator().manual_seed(1)
    for _ in range(3):  # the second call and those after it take the short way
        x = torch.randint(-9, 9, (1 << 14,), generator=draw).float()
        y, h = plan(x=x)
        assert y.item() == x.sum().item() and h.item() == x.max().item()
    kernels = [k.kernel for step in plan.run.steps for k in step.kernels]
    assert any(shared(k) for k in kernels)


def test_counters_are_made_once() -> None:
    """Setting them to 0 takes time and a wait: no launch does it again."""
    at, sizes = work(SUM), {"N": 1 << 20}
    kernels = (lower(at, s) for s in schedules(at, SM90, sizes))
    scratch = Scratch(next(k for k in kernels if shared(k)))
    scratch.makers(sizes, "cpu")
    before = dict(scratch.counters)
    scratch.makers(sizes, "cpu")
    assert len(before) == 1
    assert all(scratch.counters[key] is one for key, one in before.items())
    # One that is thrown away would have been made all the same.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hastec.run.scratch.Counters", None)
        scratch.makers(sizes, "cpu")
