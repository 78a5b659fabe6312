"""Values that share words: every schedule unpacks them, bit for bit as they were packed."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.backends.triton.backend import TritonBackend
from hastec.backends.triton.pairs import pairs_of
from hastec.ir.interp import Table
from hastec.ir.kernel import Apply, Kernel, Let, statements
from hastec.ir.types import F16, F32
from hastec.lower import lower
from hastec.lower.space import schedules
from hastec.passes.ranking import Special
from hastec.target import CPU, SM90
from tests.agree.executors import cpu, triton
from tests.agree.harness import Check, agree
from tests.agree.program import Bound, bind, graph_of

CODES = ["int4(group = 32)", "int8(group = 32)", "int2(group = 32, zero = 1)", "fp8(group = 32)"]


def product(code: str, columns: int, m: int = 21, k: int = 96) -> Bound:
    """Return a product; by default K is a multiple of its groups, and of no tile."""
    graph = graph_of(
        f"kernel f(W: f16[M, K] values {code}, X: f16[K, N]) -> Y: f32[M, N] {{\n"
        "    Y[m, n] = sum[k] W[m, k] * X[k, n]\n}"
    )
    draw = np.random.default_rng(3)
    tables = {
        "W": Table(draw.integers(-3, 4, (m, k)).astype(float)),
        "X": Table(draw.integers(-2, 3, (k, columns)).astype(float)),
    }
    return bind(graph, tables, {"M": m, "K": k, "N": columns})


@pytest.mark.parametrize("columns", [1, 17])
@pytest.mark.parametrize("code", CODES)
def test_every_schedule_unpacks_the_same(code: str, columns: int) -> None:
    # Sums of products of rounded values: only their order differs.
    agree(product(code, columns), Check(CPU, 4, cpu(), 2, 1e-5))
    tally = agree(product(code, columns), Check(SM90, 12, triton(), 6, 1e-5))
    assert min(tally.ran.values()) >= 1 and len(tally.ran) == 2


def kernels_of(bound: Bound) -> list[Kernel]:
    """Return kernels that count on the sizes at hand: nothing reaches past the end."""
    (region,) = bound.graph.regions
    work = bound.work(region)
    special = Special.of(work, bound.sizes)
    return [lower(work, special.schedule(s)) for s in schedules(work, SM90, bound.sizes, 40)]


def test_a_word_is_loaded_once_for_the_values_it_holds() -> None:
    """No load of words varies along the digit that counts the values of one word."""
    found = 0
    for kernel in kernels_of(product("int4(group = 32)", 16, 64, 256)):
        words = [
            s.value
            for s in statements(kernel.body)
            if isinstance(s, Let) and getattr(s.value.op, "table", "") == "W.val"
        ]
        found += any("k_tile0" in w.digits for w in words)
        assert not any("k_tile1" in w.digits for w in words)
    assert found


def test_decoding_multiplies_halves() -> None:
    """A small whole number times a half, rounded to a half: the product in halves is the same."""
    numbers = np.arange(-128, 128, dtype=np.float16)
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    with np.errstate(over="ignore"):
        for number in numbers:
            wide = (np.float32(number) * halves.astype(np.float32)).astype(np.float16)
            np.testing.assert_array_equal(wide, number * halves)
    (kernel, *_) = kernels_of(product("int4(group = 32)", 16, 64, 256))
    values = kernel.values()
    products = [
        v for v in values.values() if isinstance(v.op, Apply) and v.op.fn == "mul" and v.digits
    ]
    assert any(v.dtype == F16 for v in products)
    rounded = [v for v in values.values() if isinstance(v.op, Apply) and v.op.fn == "cast"]
    assert not any(
        v.dtype == F16 and values[v.op.args[0]].dtype == F32
        for v in rounded
        if isinstance(v.op, Apply)
    )


@pytest.mark.parametrize(("code", "count"), [("int4(group = 32)", 8), ("int8(group = 32)", 4)])
def test_parts_of_a_word_become_floats_in_pairs(code: str, count: int) -> None:
    """On NVIDIA by packed arithmetic, elsewhere by the same in plain operations."""
    found = 0
    for kernel in kernels_of(product(code, 16, 64, 256)):
        if not pairs_of(kernel):
            continue
        found += 1
        for backend, helper in ((TritonBackend(), "_pairs"), (TritonBackend(True), "_pairs_any")):
            text = backend.emit(kernel, {}, SM90).source
            assert helper in text and ("lop3" in text) == (helper == "_pairs")
            assert f", {32 // count}, {count}, " in text
            assert "_half(" not in text
    assert found
