"""Sums that several programs share: every such schedule of long sums, against the interpreter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from hastec.ir.graph import Region
from hastec.ir.interp import Table
from hastec.ir.kernel import Arrive, Kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_show import show_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.schedule import Schedule
from hastec.lower import Refused, lower
from hastec.lower.space import schedules
from hastec.passes.ranking import Special
from hastec.target import SM90
from tests.agree.executors import Interpreted, triton
from tests.agree.formats import dense, table
from tests.agree.harness import compare, once, run
from tests.agree.program import Bound, bind, graph_of

PRODUCT = """kernel f(W: {of} f32[M, K]{at}, X: f32[K, N], b: f32[M]) -> Y: f32[M, N] {{
    Y[m, n] = max(0, b[m] + sum[k] W[m, k] * X[k, n])
}}
"""
LAWS = """kernel f(S: f32[M, K], V: f32[K, N]) -> Y: f32[M, N] {
    Y[m, n] = sum[k] softmax[k](S[m, k]) * V[k, n]
}
"""
TWO = """kernel f(S: f32[M, K]) -> y: f32[M], h: f32[M], a: bool[M] {
    y[m] = sum[k] S[m, k]
    h[m] = max[k] S[m, k]
    a[m] = any[k] (S[m, k] > 2)
}
"""
LONG = {"M": 5, "K": 700, "N": 3}
TILES = {"M": 20, "K": 1100, "N": 9}


MOST = 6
"""Schedules of a region that are run."""


def shared(bound: Bound, region: Region) -> list[tuple[Schedule, Kernel]]:
    """Return schedules under which programs share a sum, with their kernels."""
    work = bound.work(region)
    special = Special.of(work, bound.sizes)
    found = []
    for n, plain in enumerate(schedules(work, SM90, bound.sizes, 400)):
        if not any(d.role == "grid" and d.extent for d in plain.digits):
            continue
        try:
            kernel = lower(work, special.schedule(plain) if n % 2 else plain)
        except Refused:
            continue
        if all(r.holds(bound.sizes) for r in kernel.requires):
            found.append((plain, kernel))
    return found[:: -(-len(found) // MOST) or 1]


def check(
    text: str, given: Mapping[str, Table], sizes: Mapping[str, int], tolerance: float = 0.0
) -> int:
    """Run shared schedules in the kernel interpreter, some in Triton's; return how many."""
    bound = bind(graph_of(text), given, sizes)
    wanted, count = bound.wanted(), 0
    for region in bound.graph.regions:
        for n, (_, kernel) in enumerate(shared(bound, region)):
            verify_kernel(kernel)
            assert any(isinstance(v.op, Arrive) for v in kernel.values().values())
            assert read_kernel(show_kernel(kernel)) == kernel
            for executor in (Interpreted(), *((triton(),) if n % 3 == 0 else ())):
                if executor.refuse(kernel):
                    continue
                made = run(bound, region, kernel, executor)
                compare(bound, region, made, wanted, tolerance, executor.name)
                if isinstance(executor, Interpreted):
                    once(bound, region, executor)
            count += 1
    return count


PIECES = (
    "format pieces(i, j) = dense(i / 4), dense(j / 32), dense(i % 4), ragged(j % 32; pad = i / 4)"
)


@pytest.mark.parametrize("at", ["", " @ csr", " @ pieces index delta(4)", " @ ell"])
def test_products(at: str) -> None:
    sizes = LONG if at else TILES
    of = "static sparse" if at else "static"
    given = {
        "W": Table(table((sizes["M"], sizes["K"]), 1)),
        "X": dense((sizes["K"], sizes["N"]), 2),
        "b": dense((sizes["M"],), 3),
    }
    text = f"{PIECES}\n{PRODUCT.format(of=of, at=at)}"
    if at == " @ csr":  # the lengths of its rows are not known: nothing to share
        assert check(text, given, sizes) == 0
        return
    assert check(text, given, sizes) >= 2


def test_a_softmax_and_what_it_weighs() -> None:
    rng = np.random.default_rng(4)
    scores = Table(rng.normal(0, 4, (5, 700)).astype(np.float32))
    given = {"S": scores, "V": dense((700, 3), 5)}
    assert check(LAWS, given, LONG, 1e-5) >= 2


def test_several_reductions_at_once() -> None:
    given = {"S": dense((5, 700), 6)}
    assert check(TWO, given, {"M": 5, "K": 700}) >= 2


def test_nothing_to_sum() -> None:
    given = {"S": Table(np.zeros((0, 700), np.float32))}
    assert check(TWO, given, {"M": 0, "K": 700}) >= 2
