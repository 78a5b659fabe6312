"""The whole way on a GPU: every example, every ready format, every type, against references."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hastec
from hastec.ir.graph import Param
from hastec.ir.types import DType
from tests.agree.reference.cases import Case, all_cases

pytestmark = pytest.mark.gpu

EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = tuple(all_cases(0))
TOLERANCE = {"f64": 1e-12, "f32": 2e-5, "f16": 2e-3, "bf16": 2e-2}
TORCH = {
    "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
    "i8": torch.int8, "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8,
    "u16": torch.uint16, "u32": torch.uint32, "bool": torch.bool,
    "bits": torch.bool,
}  # fmt: skip


def program_of(case: Case) -> hastec.Program:
    text = (EXAMPLES / f"{case.file}.haste").read_text()
    for old, new in case.changes:
        text = text.replace(old, new)
    return hastec.compile(text, kernel=case.kernel, backend_name="triton")


def given(case: Case, program: hastec.Program) -> dict[str, Any]:
    """Return a case's tables on the GPU, in the types the program declares."""
    found: dict[str, Any] = {}
    for name, table in case.tables.items():
        param = program.graph.param(name)
        values = np.asarray(table.values)
        if table.present is not None:
            values = np.where(table.present, values, table.fill)
        found[name] = tensor(values, param) if param.shape else values.item()
    return found


def tensor(values: np.ndarray, param: Param) -> torch.Tensor:
    made = torch.from_numpy(np.ascontiguousarray(values)).to(TORCH[param.dtype.name])
    return made.pin_memory() if param.host else made.cuda()


def dense(found: Any) -> np.ndarray:
    whole = found.to_dense() if getattr(found, "layout", None) != torch.strided else found
    return np.asarray(whole.double().cpu().numpy())


def close(found: np.ndarray, wanted: np.ndarray, dtype: DType) -> None:
    """Compare with what is wanted: equal for integers, within rounding of the type for floats."""
    slack = TOLERANCE.get(dtype.name, 0.0)
    scale = max(1.0, float(np.nanmax(np.abs(wanted[np.isfinite(wanted)]), initial=1.0)))
    np.testing.assert_allclose(found, wanted, rtol=slack, atol=slack * scale)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_example_means_its_formula(case: Case) -> None:
    program = program_of(case)
    tables = given(case, program)
    result = program(**tables, **case.sizes)
    results = result if isinstance(result, tuple) else (result,)
    outs = [p for p in program.graph.params if p.role == "out"]
    for param, found in zip(outs, results, strict=len(results) == len(outs)):
        close(dense(found), np.asarray(case.wanted[param.name], np.float64), param.dtype)


FORMATS = (
    "", " @ csr", " @ csc", " @ coo", " @ ell", " @ sell(4)", " @ sell(32)", " @ bsr(4, 8)",
    " @ bsr(16, 16)", " @ bitmap", " @ mine", " @ deltas",
)  # fmt: skip
TEXT = """haste 1
format mine(i, j) = dense(i / 8), dense(j / 16), dense(i % 8), ragged(j % 16; pad = i / 8)
format deltas(i, j) = dense(i / 4), dense(i % 4), ragged(j; pad = i / 4) index delta(4)
kernel product(W: static sparse {t}[M, K]{fmt}, X: {t}[K, N]) -> Y: {t}[M, N] {{
    Y[m, n] = {reduce}[k] ({body})
}}
"""


def weight(m: int, k: int, dtype: str) -> torch.Tensor:
    """Return a pruned table of small whole numbers with an empty and a full row."""
    random = torch.Generator().manual_seed(m + k)
    w = torch.randint(-3, 4, (m, k), generator=random)
    w[torch.rand(m, k, generator=random) < 0.7] = 0
    w[1], w[2] = 0, 1
    return (w if dtype != "bool" else w != 0).to(TORCH[dtype])


@pytest.mark.parametrize("columns", [1, 5, 33])
@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16", "i8", "i32", "i64", "bool"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_product_is_exact(fmt: str, dtype: str, columns: int) -> None:
    truth = dtype == "bool"
    reduce, body = ("any", "(W[m, k] and X[k, n])") if truth else ("sum", "W[m, k] * X[k, n]")
    text = TEXT.format(t=dtype, fmt=fmt, reduce=reduce, body=body)
    program = hastec.compile(text, backend_name="triton")
    w = weight(45, 77, dtype)
    x = torch.randint(-2, 3, (77, columns), generator=torch.Generator().manual_seed(7))
    x = (x > 0 if truth else x).to(TORCH[dtype])
    wanted = w.double() @ x.double()
    wanted = (wanted > 0).double() if truth else wanted
    if dtype == "i8":
        wanted = wanted.to(torch.int64).to(torch.int8).double()
    plan = program.bind(W=w.cuda(), N=columns)
    assert torch.equal(plan(X=x.cuda()).double().cpu(), wanted)
    # Other sizes than the one hinted run the general kernel.
    wide = torch.cat([x, x], 1).cuda()
    assert torch.equal(plan(X=wide).double().cpu(), torch.cat([wanted, wanted], 1))


def test_a_plan_is_captured_and_replayed() -> None:
    text = TEXT.format(t="f16", fmt="", reduce="sum", body="W[m, k] * X[k, n]")
    w = weight(300, 500, "f16").cuda()
    x = torch.randint(-2, 3, (500, 1)).half().cuda()
    plan = hastec.compile(text, backend_name="triton").bind(W=w, N=1)
    plan(X=x)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = plan(X=x)
    for seed in range(3):
        x.copy_(torch.randint(-2, 3, x.shape, generator=torch.Generator().manual_seed(seed)))
        graph.replay()
        torch.cuda.synchronize()
        assert torch.equal(y.float(), w.float() @ x.float())


def test_a_launch_does_not_synchronise(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TEXT.format(t="f16", fmt="", reduce="sum", body="W[m, k] * X[k, n]")
    w, x = weight(64, 128, "f16").cuda(), torch.ones(128, 1).half().cuda()
    plan = hastec.compile(text, backend_name="triton").bind(W=w, N=1)
    plan(X=x)
    with torch.cuda.device(0):
        torch.cuda.set_sync_debug_mode("error")
        try:
            y = plan(X=x)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(y.float(), w.float() @ x.float())


def test_offsets_beyond_32_bits() -> None:
    """More than 2^31 elements of one table: the wide kernel is taken."""
    rows, columns = (1 << 16) + 3, 1 << 15
    text = "haste 1\nkernel f(x: i8[M, N]) -> y: i32[M] {\n    y[m] = sum[n] x[m, n]\n}\n"
    x = torch.zeros(rows, columns, dtype=torch.int8, device="cuda")
    x[-1, -1], x[0, 5], x[rows // 2] = 3, 7, 1
    found: Mapping[str, Any] = {"y": hastec.compile(text, backend_name="triton")(x=x)}
    assert torch.equal(found["y"].long(), x.sum(1).long())
