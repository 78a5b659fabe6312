"""Random programs through every executor, in formats drawn at random, against their meaning.

All numbers are small and whole, so results are equal bit for bit. Every element of an output is
written exactly once (`harness.once`), whatever the schedule.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from hastec.ir.format import Format
from hastec.ir.graph import Graph
from hastec.levels.missing import missing
from hastec.levels.registry import default_registry
from hastec.target import CPU, SM90
from tests.agree.executors import Native, cpu, triton
from tests.agree.harness import Check, agree
from tests.agree.program import bind
from tests.prop.gen_graph import FEATURES, random_program
from tests.unit import table_formats as tf

LOWERED = FEATURES - {"select", "update", "monoid"}
PLANES = tuple(
    f for f in tf.EXACT
    if f.name in {"csr", "csc", "coo", "dcsr", "ell", "sell4", "bitmap", "bsr_2_3", "block_ell",
                  "bitmap_blocks", "bitmap_rows", "dense"}
)  # fmt: skip
LINES = tuple(
    tf.fmt(kind, tf.part(tf.level(kind, tf.ROW)), dims=("i",))
    for kind in ("compressed", "bitmap", "ragged", "fixed")
)


def formats(graph: Graph, draw: random.Random) -> Mapping[str, Format]:
    """Return a format for every sparse input."""
    found = {}
    for param in graph.params:
        if param.sparse and param.role == "in":
            found[param.name] = draw.choice(LINES if len(param.shape) == 1 else PLANES)
    return found


def dense_outputs(graph: Graph) -> Graph:
    """Return a program whose outputs store everything, or what another table does."""
    params = (replace(p, sparse=p.sparse and p.role == "in") for p in graph.params)
    return replace(graph, params=tuple(params))


def check(seed: int, how: Check) -> bool:
    """Check a program; False if it needs what has no lowering."""
    graph, tables, sizes = random_program(seed, not how.tolerance, LOWERED)
    graph = dense_outputs(graph)
    if any(missing(graph, default_registry())):
        return False
    agree(bind(graph, tables, sizes, formats(graph, random.Random(seed))), how)
    return True


def check_all(
    seeds: range, native: Native, limit: int, stride: int, tolerance: float = 0.0
) -> None:
    target = CPU if native is cpu() else SM90
    ran = sum(check(s, Check(target, limit, native, stride, tolerance, s)) for s in seeds)
    assert ran >= len(seeds) // 2


@pytest.mark.parametrize("start", range(0, 100, 20))
def test_on_the_cpu(start: int) -> None:
    check_all(range(start, start + 20), cpu(), 6, 2)


@pytest.mark.parametrize("start", range(1000, 1100, 20))
def test_on_a_gpu(start: int) -> None:
    check_all(range(start, start + 20), triton(), 5, 3)


@pytest.mark.parametrize("start", [5000, 5020])
def test_functions_that_round(start: int) -> None:
    """Numbers are not whole, and some are f64; results may differ in their last digits."""
    check_all(range(start, start + 20), cpu(), 4, 2, 1e-2)
    check_all(range(start + 200, start + 220), triton(), 3, 3, 1e-2)
