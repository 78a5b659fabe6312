"""What examples become by default keeps no registers in memory: read off code for sm_90."""

from __future__ import annotations

from dataclasses import replace

import pytest

import hastec
from hastec.backends import backend
from hastec.options import Options
from hastec.run.device import Device
from hastec.target import SM90
from tests.golden.examples import EXAMPLES, Example, program_of

ANY_SIZES = ("a_shape", "heads")
"""Examples whose kernels for any sizes spill, as all do that are built for them."""
LONG = (*ANY_SIZES, "linear", "pruned_kv")
ALL = [pytest.param(e, marks=pytest.mark.slow) if e.name in LONG else e for e in EXAMPLES]
ROWS = """haste 1
kernel f(W: static f16[M, K] @ nm(2, 4), X: f16[K, N]) -> Y: f32[M, N] {
    Y[m, n] = sum[k] W[m, k] * X[k, n]
}
"""


@pytest.mark.parametrize("example", ALL, ids=str)
def test_no_example_spills(example: Example) -> None:
    made = program_of(example, SM90).artefact_for(example.sizes, build=True)
    general = () if example.name in ANY_SIZES else made.general
    assert {
        c.region: c.facts["stack"] for c in (*made.codes, *general) if c.facts["stack"] != "0"
    } == {}


def test_rows_of_which_the_cheapest_schedule_is_tight_do_not_spill() -> None:
    options = Options.from_environment({}, skip_cache=True)
    plain = hastec.compile(ROWS, backend_name="triton", options=options)
    setup = replace(plain.setup, device=Device("cpu", SM90), backend=backend("triton", False))
    program = hastec.Program(plain.graph, setup)
    made = program.artefact_for({"M": 4096, "K": 4096, "N": 16}, build=True)
    assert made.codes[0].facts["stack"] == "0"
