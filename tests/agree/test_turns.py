"""Rows whose sums are formed one after the other, and finished together."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.ir.interp import Table
from hastec.ir.kernel import For, statements
from hastec.ir.kernel_verify import verify_kernel
from hastec.lower import Refused, lower
from hastec.lower.space import schedules
from hastec.lower.spread import in_turns
from hastec.run.device import named
from tests.agree.executors import Interpreted, cpu
from tests.agree.harness import compare, once, run
from tests.agree.program import bind, graph_of

TARGET = named("cpu").target
BODIES = {
    "one": "sum[k] W[i, k] * x[k] + b[i]",
    "several": "(sum[k] W[i, k] * x[k]) * (max[k in W[i]] W[i, k]) - (sum[k] W[i, k])",
    "dependent": "sum[k in W[i]] ((W[i, k] - (max[l in W[i]] W[i, l])) * x[k])",
    "rescaled": "sum[k] softmax[k in W[i]](W[i, k]) * x[k] + b[i]",
    "beside a whole": "(sum[k] W[i, k] * x[k]) - (sum[k] x[k])",
    "a truth": "f32(any[k in W[i]](W[i, k] > x[k]))",
    "a part": "sum[k in W[i], k < i] W[i, k] * x[k]",
}


@pytest.mark.parametrize("rows", [16, 13, 1])
@pytest.mark.parametrize("case", BODIES)
def test_rows_take_turns(case: str, rows: int) -> None:
    """Rows of very different lengths, empty ones among them; the last tile may be a part of one."""
    graph = graph_of(
        "kernel f(W: sparse f32[M, K], x: f32[K], b: f32[M]) -> y: f32[M] {\n"
        f"    y[i] = {BODIES[case]}\n}}"
    )
    draw = np.random.default_rng(rows)
    lengths = draw.integers(0, 40, rows) * draw.integers(0, 2, rows)
    there = draw.permuted(np.arange(40) < lengths[:, None], axis=1)
    values = np.where(there, draw.integers(-3, 4, (rows, 40)), 0).astype(np.float32)
    x, b = (draw.integers(-3, 4, n).astype(np.float32) for n in (40, rows))
    bound = bind(
        graph, {"W": Table(values, there), "x": Table(x), "b": Table(b)}, {"M": rows, "K": 40}
    )
    (region,) = bound.graph.regions
    found = 0
    for plain in schedules(bound.work(region), TARGET, bound.sizes):
        schedule = plain if plain.turns else in_turns(plain, "i")
        if not schedule.turns:
            continue
        try:
            kernel = lower(bound.work(region), schedule)
        except Refused:
            continue
        verify_kernel(kernel)
        oracle, wanted, tolerance = Interpreted(), bound.wanted(), 1e-5 * (case == "rescaled")
        compare(bound, region, run(bound, region, kernel, oracle), wanted, tolerance)
        once(bound, region, oracle)
        native = run(bound, region, kernel, cpu())
        compare(bound, region, native, wanted, tolerance, "cpu")
        loops = [s.digit for s in statements(kernel.body) if isinstance(s, For)]
        assert [d for d in loops if d.endswith("_turn")] == ["i_reg_turn"], loops
        found += 1
    assert found >= 3 or rows == 1
