"""The interpreter agrees with a naive evaluator, scalar by scalar, on random programs."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.diag import HasteError
from hastec.ir.graph import Graph
from hastec.ir.interp import Table, run_graph
from hastec.ir.interp.number import Array, Bools, carried, convert
from tests.agree.reference.naive import Naive, OutsideError
from tests.prop.gen_graph import FEATURES, random_program


def expected(
    graph: Graph, tables: dict[str, Table], sizes: dict[str, int]
) -> dict[str, tuple[Array, Bools]]:
    """What the naive evaluator gives, rounded to the outputs' types."""
    shapes = {p.name: tuple(s.evaluate(sizes) for s in p.shape) for p in graph.params}
    types = {p.name: p.dtype for p in graph.params}
    found: dict[str, tuple[Array, Bools]] = {}
    for name, (entries, stored) in Naive(graph, tables, sizes).outputs().items():
        values = np.empty(shapes[name], np.float64)
        present: Bools = np.ones(shapes[name], np.bool_)
        for place, value in entries.items():
            values[place] = value
            present[place] = stored is None or place in stored
        found[name] = convert(carried(values, types[name]), types[name]), present
    return found


def agree(seed: int, exact: bool, features: frozenset[str] = FEATURES) -> None:
    graph, tables, sizes = random_program(seed, exact, features)
    try:
        wanted = expected(graph, tables, sizes)
    except OutsideError:
        with pytest.raises(HasteError, match="HST4901"):
            run_graph(graph, tables, sizes)
        return
    given = run_graph(graph, tables, sizes)
    assert given.keys() == wanted.keys()
    for name, (values, present) in wanted.items():
        if exact:
            np.testing.assert_array_equal(given[name].values, values, err_msg=f"seed {seed}")
        else:
            # f16 and bf16 outputs may fall on the other side of a tie.
            result = np.asarray(given[name].values, np.float64)
            np.testing.assert_allclose(result, values, 1e-2, 1e-3, err_msg=f"seed {seed}")
        stored = given[name].present
        if stored is not None:
            np.testing.assert_array_equal(stored, present, err_msg=f"seed {seed}")


@pytest.mark.parametrize("block", range(4))
def test_exact_programs_agree_to_the_bit(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        agree(seed, exact=True)


def test_rounding_programs_agree() -> None:
    for seed in range(2000, 2060):
        agree(seed, exact=False)


def test_needed_accesses_out_of_range_are_errors_and_others_are_not() -> None:
    outcomes = set()
    for seed in range(3000, 3080):
        graph, tables, sizes = random_program(seed, True, FEATURES | {"unsafe"})
        agree(seed, exact=True, features=FEATURES | {"unsafe"})
        try:
            Naive(graph, tables, sizes).outputs()
            outcomes.add("fine")
        except OutsideError:
            outcomes.add("outside")
    assert outcomes == {"fine", "outside"}
