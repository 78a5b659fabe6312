"""Schedules of the CPU: which shapes are offered, and what of them prices foresee."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.cpu_cases import LINEAR, MATMUL
from hastec.backends.cpu.backend import Cpu
from hastec.driver import compile
from hastec.ir.schedule import Schedule
from hastec.lower.space import schedules
from hastec.options import Options
from hastec.plan import Plan
from hastec.target import CPU
from tests.unit.lower_help import PRODUCT, work

OPTIONS = Options.from_environment({}, skip_cache=1)
LANES = Cpu().lanes()
"""How many f32 a vector of this machine holds: 8 or 16 on most."""


def planned(text: str, **given: Any) -> Plan:
    """Return a plan for the CPU, nothing of it from a cache."""
    return compile(text, backend_name="cpu", options=OPTIONS).bind(tune=False, **given)


def schedule_of(plan: Plan) -> Schedule:
    (region,) = plan.run.graph.regions
    assert isinstance(region.schedule, Schedule)
    return region.schedule


def registers(schedule: Schedule) -> dict[str, int]:
    """Return how many coordinates of each axis are in registers."""
    extent = {d.name: d.extent or 1 for d in schedule.digits if d.role == "reg"}
    found = {a.name: [extent[d] for d, _ in a.digits if d in extent] for a in schedule.axes}
    return {name: sizes[0] for name, sizes in found.items() if sizes}


def weight(rows: int, columns: int, density: float) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    made = torch.randn(rows, columns, generator=draw)
    return made * (torch.rand(rows, columns, generator=draw) < density)


def test_rows_of_a_product_with_a_vector_share_it() -> None:
    plan = planned(LINEAR, W=weight(512, 512, 0.5), b=torch.ones(512), N=1)
    found = registers(schedule_of(plan))
    assert plan.formats["W"].dense
    assert found["k"] >= LANES and found["i"] >= 4, found


def test_columns_lie_along_lanes_and_positions_beside_them() -> None:
    plan = planned(LINEAR, W=weight(512, 512, 0.2), b=torch.ones(512), N=16)
    found = registers(schedule_of(plan))
    assert plan.formats["W"].name == "csr"
    assert found["n"] == 16 and found["W.1"] >= 2, found


def test_rows_of_a_dense_product_share_columns() -> None:
    plan = planned(MATMUL, M=512, K=512, N=512)
    found = registers(schedule_of(plan))
    assert found["i"] >= 4 and found["j"] >= 2 * LANES, found


def test_rows_of_different_lengths_take_turns() -> None:
    """Rows of one entry and of sixty: walked together they would all be long."""
    w = weight(2048, 512, 0.12)
    w[torch.arange(2048) % 3 != 0, 1:] = 0.0
    schedule = schedule_of(planned(LINEAR, W=w, b=torch.ones(2048), N=1))
    assert schedule.turns and registers(schedule)["i"] >= 4, schedule


def test_only_rows_whose_fibres_differ_take_turns() -> None:
    """Columns of the other factor share the fibre of a row."""
    for columns, turns in ((1, {("m_reg",)}), (16, set[tuple[str, ...]]())):
        sizes = {"M": 64, "K": 64, "N": columns}
        found = schedules(work(PRODUCT), CPU, sizes)
        assert {s.turns for s in found if s.turns} == turns


def test_a_loop_over_nothing_does_not_pay() -> None:
    """Of an empty table columns lie along the lanes: a row takes what its store takes."""
    plan = planned(LINEAR, W=weight(512, 512, 0.0), b=torch.ones(512), N=16)
    found = registers(schedule_of(plan))
    assert found.get("n", 1) >= 8 and found.get("W.1", 1) <= 4, found


@pytest.mark.parametrize("columns", [1, 4, 16])
def test_skewed_rows_are_not_walked_with_long_ones(columns: int) -> None:
    """One row in sixteen is full, the others have one entry: together they would all be long."""
    w = torch.zeros(2048, 256)
    w[torch.arange(2048), torch.arange(2048) % 256] = 1.0
    w[::16] = 1.0
    text = LINEAR.replace("sparse f32[M, K]", "f32[M, K] @ csr")
    plan = planned(text, W=w, b=torch.zeros(2048), N=columns)
    schedule = schedule_of(plan)
    assert schedule.turns or registers(schedule).get("i", 1) < 16
    x = torch.randn(256, columns)
    wanted = torch.nn.functional.silu(w.double() @ x.double())
    assert torch.allclose(plan(X=x).double(), wanted, atol=1e-4)
