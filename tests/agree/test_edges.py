"""Whole programs on tables without rows, columns or entries, and of one element."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

import hastec
from hastec.options import Options

MATRIX = "W: static sparse f32[M, K]"
VECTOR = f"kernel f({MATRIX}, x: f32[K]) -> y: f32[M] {{\n    y[m] = sum[k] W[m, k] * x[k]\n}}\n"
PRODUCT = (
    f"kernel f({MATRIX}, X: f32[K, N]) -> Y: f32[M, N] {{\n"
    "    Y[m, n] = sum[k] W[m, k] * X[k, n]\n}\n"
)
MAXIMUM = f"kernel f({MATRIX}) -> y: f32[M] {{\n    y[m] = max[k] W[m, k]\n}}\n"
SHARES = "kernel f(s: f32[M, K]) -> p: f32[M, K] {\n    p[m, k] = softmax[k](s[m, k])\n}\n"
SCALARS = "kernel f(a: f32, n: i32) -> y: f32 {\n    y = a * n\n}\n"
on_both = pytest.mark.parametrize("on", ["cpu", "triton"])
of_shape = pytest.mark.parametrize("shape", [(0, 5), (4, 0), (1, 1)])


@cache
def program(text: str, on: str) -> hastec.Program:
    options = Options.from_environment({}, interpret=on == "triton", skip_cache=True)
    return hastec.compile(f"haste 1\n{text}", backend_name=on, options=options)


def run(text: str, on: str, **given: Any) -> Any:
    return program(text, on)(**given)


@on_both
@of_shape
def test_products(shape: tuple[int, int], on: str) -> None:
    w, x = torch.ones(shape), torch.arange(1.0, shape[1] + 1)
    assert torch.equal(run(VECTOR, on, W=w, x=x), w @ x)
    for columns in (0, 3):
        wide = torch.ones(shape[1], columns)
        assert torch.equal(run(PRODUCT, on, W=w, X=wide), w @ wide)


@on_both
@of_shape
def test_over_nothing(shape: tuple[int, int], on: str) -> None:
    least = torch.full((shape[0],), -torch.inf)
    w = torch.zeros(shape)
    assert torch.equal(run(MAXIMUM, on, W=w), w.amax(1) if shape[1] else least)
    found = run(SHARES, on, s=torch.zeros(shape))
    assert torch.allclose(found, torch.softmax(w, 1) if shape[1] else w)


@on_both
def test_scores_that_are_all_minus_infinity(on: str) -> None:
    assert torch.equal(run(SHARES, on, s=torch.full((2, 3), -torch.inf)), torch.zeros(2, 3))


@on_both
def test_scalars(on: str) -> None:
    assert run(SCALARS, on, a=2.5, n=4) == 10.0
