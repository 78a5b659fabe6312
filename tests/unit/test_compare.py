"""Comparison of results: equal where arithmetic is exact, within rounding elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hastec.diag import Source
from hastec.front.build import check
from hastec.ir import types as t
from hastec.ir.graph import Graph
from hastec.ir.interp import Table
from hastec.run.compare import Tolerance, compare, is_exact, tolerance

NONE = Tolerance(0.0, 0.0)
NAN, INF = float("nan"), float("inf")


def graph(body: str, kind: str = "f32") -> Graph:
    text = f"haste 1\nkernel k(x: {kind}[N], n: i32) -> y: {kind}[N] {{ y[i] = {body} }}\n"
    return check(Source("k", text))[-1]


@pytest.mark.parametrize(
    "body", ["x[i] + 1", "sum[j](x[j] * x[i])", "max(x[i], 2)", "abs(x[i])", "x[i] * (n / 2)"]
)
def test_exact_programs(body: str) -> None:
    assert is_exact(graph(body))


@pytest.mark.parametrize(
    "body", ["exp(x[i])", "x[i] / 3", "softmax[j](x[j])[i]", "mean[j] x[j]", "sqrt(x[i])"]
)
def test_programs_that_round(body: str) -> None:
    if "softmax" in body:
        body = "sum[j] softmax[j](x[j]) * x[i]"
    assert not is_exact(graph(body))


def test_nothing_is_forgiven_where_all_is_exact() -> None:
    assert tolerance(graph("x[i] + 1"), t.F32, True) == NONE
    assert tolerance(graph("x[i] + 1", "i32"), t.I32, False) == NONE


def test_more_is_forgiven_to_narrow_types() -> None:
    body = "exp(x[i])"
    found = [tolerance(graph(body, k), t.BY_NAME[k], False) for k in ("f64", "f32", "f16", "bf16")]
    assert [f.own for f in found] == sorted(f.own for f in found)
    assert [f.whole for f in found] == sorted(f.whole for f in found)
    assert found[0].whole < 1e-12 and found[3].own == 2.0**-7


def test_equal_tables() -> None:
    found = compare("y", torch.tensor([1.0, NAN, INF]), Table(np.array([1.0, NAN, INF])), NONE)
    assert found.wrong == 0 and found.worst == 0.0 and "3 values agree" in str(found)


@pytest.mark.parametrize("wrong", [1.5, NAN, INF, -INF])
def test_a_wrong_value_is_found(wrong: float) -> None:
    found = compare("y", torch.tensor([[1.0, 2.0], [3.0, wrong]]), table(4), Tolerance(1e-3, 1e-3))
    assert found.wrong == 1 and found.at == (1, 1) and found.wanted == 4.0
    assert "y[1, 1] is" in str(found) and "1 of 4 values differ" in str(found)


def table(last: float) -> Table:
    return Table(np.array([[1.0, 2.0], [3.0, last]]))


def test_an_infinity_that_should_be_a_number_is_never_forgiven() -> None:
    found = compare("y", torch.tensor([[1.0, 2.0], [3.0, 4.0]]), table(INF), Tolerance(1.0, 1.0))
    assert found.wrong == 1


def test_slack_grows_with_the_value_and_the_table() -> None:
    wanted = Table(np.array([1000.0, 1.0]))
    near = torch.tensor([1001.0, 1.5])
    assert compare("y", near, wanted, Tolerance(2e-3, 0.0)).wrong == 1
    assert compare("y", near, wanted, Tolerance(2e-3, 1e-3)).wrong == 0


def test_absent_entries_count_as_the_fill() -> None:
    wanted = Table(np.array([5.0, 7.0]), np.array([True, False]), 0.0)
    assert compare("y", torch.tensor([5.0, 0.0]), wanted, NONE).wrong == 0
    assert compare("y", Table(np.array([5.0, 0.0])), wanted, NONE).wrong == 0


def test_single_and_no_values() -> None:
    one = compare("y", torch.tensor(2.0), Table(np.array(3.0)), NONE)
    assert str(one) == "y is 2 instead of 3; 1 of 1 values differ"
    assert compare("y", torch.zeros(0, 3), Table(np.zeros((0, 3))), NONE).wrong == 0
