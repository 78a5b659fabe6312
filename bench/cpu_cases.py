"""Programs the CPU benchmarks run: their text, tables, right results, and what libraries do."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

LINEAR = """kernel linear(W: static sparse f32[M, K], X: f32[K, N], b: f32[M]) -> Y: f32[M, N] {
    Y[i, n] = silu(sum[k] W[i, k] * X[k, n] + b[i])
}"""
MATMUL = """kernel matmul(A: f32[M, K], B: f32[K, N]) -> C: f32[M, N] {
    C[i, j] = sum[k] A[i, k] * B[k, j]
}"""
SOFTMAX = """kernel softmax_rows(X: f32[M, N]) -> Y: f32[M, N] {
    Y[i, j] = softmax[j](X[i, j])
}"""
CHAIN = """kernel chain(X: f32[M, N], Z: f32[M, N], b: f32[N]) -> Y: f32[M, N] {
    Y[i, j] = silu(X[i, j] * Z[i, j] + b[j]) + X[i, j]
}"""
SQUARES = """kernel squares(X: f32[M, N]) -> y: f32[M] {
    y[i] = sum[j] X[i, j] * X[i, j]
}"""
SUMS = """kernel sums(X: f32[M, N]) -> y: f32[M] {
    y[i] = sum[j] X[i, j]
}"""
MOST = """kernel most(X: f32[M, N]) -> y: f32[M] {
    y[i] = max[j] X[i, j]
}"""
COLUMNS = """kernel columns(X: f32[M, N]) -> y: f32[N] {
    y[j] = max[i] X[i, j]
}"""

KINDS: Mapping[str, tuple[torch.dtype, float]] = {
    "f32": (torch.float32, 1e-5),
    "f16": (torch.float16, 2e-3),
    "bf16": (torch.bfloat16, 2e-2),
}
"""Element types, each with the relative error that is allowed."""

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Case:
    """A program with its tables, what it should give, and what libraries do for it.

    ``bound`` are tables given to ``bind``, ``tables`` those of a call, ``sizes`` those to expect.
    ``exact`` is what libraries compute, where that is less than the whole program.
    """

    text: str
    bound: Mapping[str, Any]
    tables: Mapping[str, Any]
    sizes: Mapping[str, int]
    wanted: torch.Tensor
    others: Mapping[str, Call]
    allowed: float = 1e-5
    exact: torch.Tensor | None = None
    all: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "all", {**self.bound, **self.tables})


def read_smtx(path: str | Path) -> torch.Tensor:
    """Return the pattern of an smtx file with random values, as a CSR tensor of f32."""
    whole = Path(path).read_bytes()
    lines = (gzip.decompress(whole) if whole[:2] == b"\x1f\x8b" else whole).decode().split("\n")
    rows, columns, count = map(int, lines[0].replace(",", " ").split())
    starts, crd = (torch.from_numpy(np.array(line.split(), np.int32)) for line in lines[1:3])
    draw = torch.Generator().manual_seed(0)
    return _csr(starts, crd, torch.randn(count, generator=draw) / 8, (rows, columns))


def random_weight(shape: str) -> torch.Tensor:
    """Return a random CSR tensor for ``MxKxdensity``."""
    m, k, density = shape.split("x")
    draw = torch.Generator().manual_seed(0)
    dense = torch.randn(int(m), int(k), generator=draw) / 8
    dense[torch.rand(dense.shape, generator=draw) >= float(density)] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that CSR is new in torch
        packed = dense.to_sparse_csr()
    parts = packed.crow_indices().int(), packed.col_indices().int(), packed.values()
    return _csr(*parts, (dense.shape[0], dense.shape[1]))


def _csr(
    starts: torch.Tensor, crd: torch.Tensor, values: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that CSR is new in torch
        return torch.sparse_csr_tensor(starts, crd, values, shape, check_invariants=True)


# ------------------------------------------------------------------------------------------ cases
def linear(matrix: str, columns: str, kind: str = "f32") -> Case:
    """A pruned weight: ``matrix`` is the path of an smtx file, or ``MxKxdensity``; f32 only.

    Libraries compute the product alone.
    """
    if kind != "f32":
        raise ValueError("libraries multiply sparse matrices of f32 only")
    w = read_smtx(matrix) if Path(matrix).exists() else random_weight(matrix)
    n = int(columns)
    x, b = _randn(kind, w.shape[1], n), _randn(kind, w.shape[0])
    dense = w.to_dense()
    exact = dense.double() @ x.double()
    others = {**_products(w, x), "torch dense": lambda: dense @ x}
    wanted = torch.nn.functional.silu(exact + b.double()[:, None])
    bound, given = {"W": w, "b": b}, {"X": x}
    return Case(LINEAR, bound, given, {"N": n}, wanted, others, exact=exact)


def _products(w: torch.Tensor, x: torch.Tensor) -> dict[str, Call]:
    """Return what libraries do for a CSR tensor times a matrix, and times its only column."""
    from scipy.sparse import csr_array

    starts, crd, values = w.crow_indices().int(), w.col_indices().int(), w.values()
    parts = values.numpy(), crd.numpy(), starts.numpy()
    rows, right = csr_array(parts, w.shape), x.numpy()
    found: dict[str, Call] = {"scipy CSR": lambda: rows @ right, "torch CSR": lambda: w @ x}
    if x.shape[1] == 1:
        flat, column = right[:, 0].copy(), x[:, 0].contiguous()
        found["scipy CSR vector"] = lambda: rows @ flat
        found["torch CSR vector"] = lambda: w @ column
    return found


def matmul(m: str, k: str, n: str, kind: str = "f32") -> Case:
    """A product of dense matrices."""
    a, b = _randn(kind, int(m), int(k)), _randn(kind, int(k), int(n))
    return _dense(MATMUL, kind, {"A": a, "B": b}, lambda a, b: a @ b)


def softmax(m: str, n: str, kind: str = "f32") -> Case:
    """A softmax of every row."""
    return _dense(SOFTMAX, kind, {"X": _randn(kind, int(m), int(n))}, lambda x: x.softmax(1))


def chain(m: str, n: str, kind: str = "f32") -> Case:
    """Elementwise functions, one after the other."""
    x, z, b = _randn(kind, int(m), int(n)), _randn(kind, int(m), int(n)), _randn(kind, int(n))
    silu = torch.nn.functional.silu
    return _dense(CHAIN, kind, {"X": x, "Z": z, "b": b}, lambda x, z, b: silu(x * z + b) + x)


def squares(m: str, n: str, kind: str = "f32") -> Case:
    """The squared norm of every row."""
    x = _randn(kind, int(m), int(n))
    return _dense(SQUARES, kind, {"X": x}, lambda x: (x * x).sum(1))


def sums(m: str, n: str, kind: str = "f32") -> Case:
    """The sum of every row."""
    return _dense(SUMS, kind, {"X": _randn(kind, int(m), int(n))}, lambda x: x.sum(1))


def most(m: str, n: str, kind: str = "f32") -> Case:
    """The largest element of every row."""
    return _dense(MOST, kind, {"X": _randn(kind, int(m), int(n))}, lambda x: x.amax(1))


def columns(m: str, n: str, kind: str = "f32") -> Case:
    """The largest element of every column."""
    return _dense(COLUMNS, kind, {"X": _randn(kind, int(m), int(n))}, lambda x: x.amax(0))


CASES: Mapping[str, Callable[..., Case]] = {
    f.__name__: f for f in (linear, matmul, softmax, chain, squares, sums, most, columns)
}


def _randn(kind: str, *shape: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=draw).to(KINDS[kind][0])


def _dense(
    text: str, kind: str, tables: Mapping[str, torch.Tensor], fn: Callable[..., torch.Tensor]
) -> Case:
    given, wide = list(tables.values()), [t.double() for t in tables.values()]
    others = {"torch dense": lambda: fn(*given)}
    text = text.replace("f32", kind)
    sizes = _sizes(tables)
    return Case(text, {}, tables, sizes, fn(*wide), others, KINDS[kind][1])


def _sizes(tables: Mapping[str, torch.Tensor]) -> dict[str, int]:
    if "A" in tables:
        (m, k), n = tables["A"].shape, tables["B"].shape[1]
        return {"M": m, "K": k, "N": n}
    m, n = tables["X"].shape
    return {"M": m, "N": n}
