"""Every format in every role: read along, looked up, written, at edges; through all executors."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.ir.interp import Table
from hastec.target import CPU, SM90
from tests.agree.executors import cpu, triton
from tests.agree.formats import FORMATS, LOOKED_UP, WHOLE, Stored, dense, table
from tests.agree.harness import Check, NoSchedule, Tally, agree
from tests.agree.program import bind, graph_of
from tests.agree.reference.sums import Floats

M, K, N = 13, 37, 5
ON = ("cpu", "gpu")


def checked(
    text: str, given: dict[str, Table], sizes: dict[str, int], on: str, limit: int = 4
) -> Tally:
    """Run schedules through the kernel interpreter, some also through a backend."""
    bound = bind(graph_of(text), given, sizes)
    first = sum(map(ord, text)) % 7
    if on == "cpu":
        return agree(bound, Check(CPU, limit, cpu(), 2, first=first))
    return agree(bound, Check(SM90, limit, triton(), 4, first=first))


def program(fmt: Stored, params: str, statement: str) -> str:
    """Return a kernel whose ``W`` is stored in a format."""
    head = f"kernel f(W: static sparse f32[M, K] {fmt.at}, {params}"
    return f"{fmt.declaration}{head} {{\n    {statement}\n}}\n"


on_both = pytest.mark.parametrize("on", ON)
any_format = pytest.mark.parametrize("fmt", FORMATS, ids=str)
looked_up = pytest.mark.parametrize("fmt", LOOKED_UP, ids=str)
of_one_part = pytest.mark.parametrize("fmt", WHOLE, ids=str)

PRODUCT = "X: f32[K, N]) -> Y: f32[M, N]", "Y[m, n] = sum[k] W[m, k] * X[k, n]"
ALONG = "x: f32[M]) -> y: f32[K]", "y[k] = sum[m] W[m, k] * x[m]"
SAMPLED = (
    "A: f32[M, N], B: f32[K, N]) -> C: f32[M, K] like W",
    "C[m, k] = W[m, k] * sum[n] A[m, n] * B[k, n]",
)


@on_both
@any_format
def test_leads_a_product(fmt: Stored, on: str) -> None:
    given = {"W": Table(fmt.fit(table((M, K), 1))), "X": dense((K, N), 2)}
    tally = checked(program(fmt, *PRODUCT), given, {"M": M, "K": K, "N": N}, on, 6)
    assert len(tally.ran) == 2, tally


@on_both
@any_format
def test_leads_a_vector_product(fmt: Stored, on: str) -> None:
    text = program(fmt, "x: f32[K]) -> y: f32[M]", "y[m] = sum[k] W[m, k] * x[k] + 1")
    given = {"W": Table(fmt.fit(table((M, K), 3))), "x": dense((K,), 4)}
    tally = checked(text, given, {"M": M, "K": K}, on)
    assert len(tally.ran) == 2, tally


@on_both
@looked_up
def test_is_reduced_along_its_rows(fmt: Stored, on: str) -> None:
    given = {"W": Table(fmt.fit(table((M, K), 5))), "x": dense((M,), 6)}
    checked(program(fmt, *ALONG), given, {"M": M, "K": K}, on)


@on_both
@looked_up
def test_absent_entries_count_in_a_maximum(fmt: Stored, on: str) -> None:
    text = program(fmt, "x: f32[K]) -> y: f32[M]", "y[m] = max[k](W[m, k] - x[k])")
    given = {"W": Table(fmt.fit(table((M, K), 7))), "x": dense((K,), 8)}
    checked(text, given, {"M": M, "K": K}, on)


@on_both
@of_one_part
def test_gives_its_pattern(fmt: Stored, on: str) -> None:
    given = {"W": Table(fmt.fit(table((M, K), 9))), "A": dense((M, N), 1), "B": dense((K, N), 2)}
    checked(program(fmt, *SAMPLED), given, {"M": M, "K": K, "N": N}, on)


@on_both
@looked_up
def test_is_looked_up_by_another(fmt: Stored, on: str) -> None:
    text = program(
        fmt,
        "V: sparse f32[M, K], x: f32[K]) -> y: f32[M]",
        "y[m] = sum[k] V[m, k] * W[m, k] * x[k]",
    )
    given = {"W": Table(fmt.fit(table((M, K), 3))), "x": dense((K,), 4)}
    given["V"] = Table(table((M, K), 4))
    checked(text, given, {"M": M, "K": K}, on)


@on_both
@any_format
def test_only_what_is_stored_is_touched(fmt: Stored, on: str) -> None:
    """Rows of the other factor that nothing stored selects may hold anything."""
    text = program(
        fmt, "X: f32[K, N]) -> Y: f32[M, N]", "Y[m, n] = sum[k in W[m]] W[m, k] * X[k, n]"
    )
    w, x = fmt.fit(table((M, K), 1)), dense((K, N), 2)
    w[2], w[:, 4:20] = 0, 0
    held = bind(graph_of(text), {"W": Table(w), "X": x}, {"M": M, "K": K, "N": N}).oracle["W"]
    used = np.ones(w.shape) if held.present is None else held.present
    unused = ~used.astype(bool).any(0)
    assert unused.any() or fmt.name == "dense"
    values = np.array(x.values)
    values[unused] = np.nan
    given = {"W": Table(w), "X": Table(values)}
    checked(text, given, {"M": M, "K": K, "N": N}, on)


def test_codes_read_in_order_must_lead() -> None:
    for fmt in (f for f in FORMATS if f.in_order):
        given = {"W": Table(table((M, K), 5)), "x": dense((M,), 6)}
        with pytest.raises(NoSchedule, match="its code is read in order, so this table must lead"):
            checked(program(fmt, *ALONG), given, {"M": M, "K": K}, "cpu")


def test_a_sum_of_formats_gives_no_pattern() -> None:
    for fmt in (f for f in FORMATS if f.parts > 1):
        given = {"W": Table(table((M, K), 9)), "A": dense((M, N), 1), "B": dense((K, N), 2)}
        with pytest.raises(NoSchedule, match="in 2 parts: no output can have its pattern"):
            checked(program(fmt, *SAMPLED), given, {"M": M, "K": K, "N": N}, "cpu")


def lone(row: int | None = None, column: int | None = None) -> Floats:
    values = np.zeros((M, K))
    every = slice(None)
    values[every if row is None else row, every if column is None else column] = 2
    return values


EDGES = {
    "empty": np.zeros((M, K)),
    "full": np.ones((M, K)),
    "one_row": lone(row=M - 1),
    "one_column": lone(column=K - 1),
    "one_entry": np.full((1, 1), 3.0),
    "no_rows": np.zeros((0, K)),
}


@on_both
@any_format
def test_edges(fmt: Stored, on: str) -> None:
    text = program(fmt, *PRODUCT)
    for edge in EDGES.values():
        rows, columns = edge.shape
        given = {"W": Table(fmt.fit(edge)), "X": dense((columns, 3), rows)}
        checked(text, given, {"M": rows, "K": columns, "N": 3}, on, 2)
