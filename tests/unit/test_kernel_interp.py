"""The kernel interpreter against NumPy, and the accesses it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.diag import InternalError
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_interp import run_kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_verify import verify_kernel

SPMV = """
kernel spmv {
  threads 2
  table pos: i32 read align 16 numel M + 1
  table crd: i32 read align 16
  table val: f16 read align 16
  table x: f32 read align 16
  table y: f32 write align 16 numel M
  size M
  digit m: grid
  digit k: loop
  digit t: thread 2
  digit u: reg 3
  grid m = M
  state %20: f32[t, u] = carried k 0
  state %21: f32[t, u] = final k 0
  %0: i32 = coord m
  %1: ptr = address pos + %0
  %2: i32 = load pos[%1]
  %3: i32 = const 1
  %4: ptr = address %1 + %3
  %5: i32 = load pos[%4]
  %6: i32[t] = coord t
  %7: i32[u] = coord u
  %8: i32 = const 3
  %9: i32[t] = mul(%6, %8)
  %10: i32[t, u] = add(%9, %7)
  %11: f32 = const 0.0
  %12: i32 = const 6
  %13: i32 = sub(%5, %2)
  %16: i32 = const 5
  %14: i32 = add(%13, %16)
  %15: i32 = div(%14, %12)
  %17: i32 = const 0
  for k in %17 .. %15 with %20 = %11 next %36 after %21 {
    %30: i32 = coord k
    %31: i32 = mul(%30, %12)
    %32: i32[t, u] = add(%31, %10)
    %33: bool[t, u] = lt(%32, %13)
    %39: i32[t, u] = add(%2, %32)
    %34: ptr[t, u] = address crd + %39
    %35: i32[t, u] = load crd[%34] mask %33 unit u
    %40: ptr[t, u] = address x + %35
    %41: f32[t, u] = load x[%40] mask %33
    %42: ptr[t, u] = address val + %39
    %43: f16[t, u] = load val[%42] mask %33 other 0.0 unit u
    %44: f32[t, u] = cast(%43)
    %45: f32[t, u] = mul(%44, %41)
    %36: f32[t, u] = add(%20, %45)
  }
  %22: f32 = reduce sum %21 over t, u
  %23: ptr = address y + %0
  store y[%23] = %22
}
"""


def csr(
    rows: int, columns: int, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    dense = rng.integers(-4, 5, (rows, columns)) * (rng.random((rows, columns)) < 0.3)
    at = np.nonzero(dense)
    arrays: dict[str, np.ndarray] = {
        "pos": np.searchsorted(at[0], np.arange(rows + 1)).astype(np.int32),
        "crd": at[1].astype(np.int32),
        "val": dense[at].astype(np.float16),
    }
    return dense, arrays


def test_rows_of_a_sparse_matrix() -> None:
    rng = np.random.default_rng(0)
    kernel = read_kernel(SPMV)
    verify_kernel(kernel)
    dense, arrays = csr(17, 31, rng)
    arrays |= {"x": rng.integers(-4, 5, 31).astype(np.float32), "y": np.full(17, 99, np.float32)}
    written: dict[str, np.ndarray] = {}
    run_kernel(kernel, arrays, {"M": 17}, None, written)
    assert (arrays["y"] == dense @ arrays["x"]).all()
    assert (written["y"] == 1).all()


def test_a_part_of_the_grid() -> None:
    rng = np.random.default_rng(1)
    dense, arrays = csr(9, 12, rng)
    arrays |= {"x": np.ones(12, np.float32), "y": np.full(9, 99, np.float32)}
    run_kernel(read_kernel(SPMV), arrays, {"M": 9}, {"m": 4})
    assert (arrays["y"] == np.where(np.arange(9) < 4, dense.sum(1), 99)).all()


def test_a_live_access_outside_its_array_is_named() -> None:
    rng = np.random.default_rng(2)
    _, arrays = csr(5, 12, rng)
    arrays |= {"x": np.ones(12, np.float32), "y": np.zeros(5, np.float32)}
    broken = arrays | {"crd": arrays["crd"] + 40}
    with pytest.raises(InternalError, match=r"load of x\[\d+\], which has 12 elements, at m = 0"):
        run_kernel(read_kernel(SPMV), broken, {"M": 5})
    with pytest.raises(InternalError, match=r"store of y\[4\]"):
        run_kernel(read_kernel(SPMV), arrays | {"y": np.zeros(4, np.float32)}, {"M": 5})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"x": None}, "no array for x"),
        ({"x": np.ones(12)}, "x holds float64, not f32"),
        ({"x": np.ones(24, np.float32)[::2]}, "x is not contiguous"),
    ],
)
def test_wrong_arrays_are_named(change: dict[str, np.ndarray], problem: str) -> None:
    _, arrays = csr(5, 12, np.random.default_rng(3))
    arrays |= {"y": np.zeros(5, np.float32)}
    arrays |= {k: v for k, v in change.items() if v is not None}
    with pytest.raises(InternalError, match=problem):
        run_kernel(read_kernel(SPMV), arrays, {"M": 5})


def small(body: str, declarations: str = "", out: str = "i32") -> Kernel:
    """Return a kernel of one program with digits a (3) and b (4) and an array ``y``."""
    kernel = read_kernel(f"""
kernel small {{
  threads 1
  table y: {out} write align 16
  digit k: loop
  digit a: reg 3
  digit b: reg 4
  {declarations}
  %0: i32[a] = coord a
  %1: i32[b] = coord b
  %2: i32 = const 4
  %3: i32[a] = mul(%0, %2)
  %4: i32[a, b] = add(%3, %1)
  %5: ptr[a, b] = address y + %4
  %6: ptr[a] = address y + %0
  {body}
}}
""")
    verify_kernel(kernel)
    return kernel


def test_scan_and_reduce() -> None:
    kernel = small(
        """%7: i32[a, b] = scan sum %4 over b
  %8: i32[b] = reduce max %4 over a
  %9: i32[a, b] = add(%7, %8)
  store y[%5] = %9"""
    )
    y = np.zeros(12, np.int32)
    run_kernel(kernel, {"y": y}, {})
    at = np.arange(12).reshape(3, 4)
    assert (y.reshape(3, 4) == np.cumsum(at, 1) + at.max(0)).all()


def test_a_loop_without_iterations_gives_the_initial_state() -> None:
    text = """%7: i32 = const 5
  for k in %2 .. %2 with %20 = %7 next %22 after %21 {
    %22: i32[a] = add(%20, %0)
  }
  store y[%6] = %21"""
    states = "state %20: i32[a] = carried k 0\n  state %21: i32[a] = final k 0"
    y = np.zeros(3, np.int32)
    run_kernel(small(text, states), {"y": y}, {})
    assert y.tolist() == [5, 5, 5]
    run_kernel(small(text.replace("%2 .. %2", "%2 .. %7"), states), {"y": y}, {})
    assert y.tolist() == [5, 6, 7]


def test_states_change_together() -> None:
    text = """%7: i32 = const 0
  %8: i32 = const 1
  for k in %7 .. %2 with %20 = %7 next %22 after %21, %22 = %8 next %24 after %23 {
    %24: i32 = add(%20, %22)
  }
  %25: i32[a] = add(%21, %0)
  store y[%6] = %25"""
    states = "\n  ".join(
        f"state %{at}: i32 = {op} k {n}"
        for at, op, n in [
            (20, "carried", 0),
            (21, "final", 0),
            (22, "carried", 1),
            (23, "final", 1),
        ]
    )
    y = np.zeros(3, np.int32)
    run_kernel(small(text, states), {"y": y}, {})
    assert y.tolist() == [3, 4, 5]


def test_stores_merge_and_skip() -> None:
    kernel = small(
        """%7: i32 = const 2
  %8: i32[b] = mod(%1, %7)
  %9: ptr[b] = address y + %8
  %10: bool[a] = lt(%0, %7)
  store y[%9] = %4 mask %10 combine max
  if %11 {
    store y[%6] = %7
  }""".replace("store y[%9]", "%11: bool = lt(%7, %7)\n  store y[%9]")
    )
    y = np.array([-9, 50, -9], np.int32)
    written: dict[str, np.ndarray] = {}
    run_kernel(kernel, {"y": y}, {}, None, written)
    assert y.tolist() == [6, 50, -9]
    assert written["y"].tolist() == [4, 4, 0]


def test_dots_sum_block_digits() -> None:
    text = """
kernel dot {
  threads 32
  table a: f16 read align 16
  table c: f32 write align 16
  digit m: block 4
  digit k: block 8
  digit n: block 2
  %0: i32[m] = coord m
  %1: i32[k] = coord k
  %2: i32[n] = coord n
  %3: i32 = const 8
  %4: i32[m] = mul(%0, %3)
  %5: i32[m, k] = add(%4, %1)
  %6: ptr[m, k] = address a + %5
  %7: f16[m, k] = load a[%6]
  %8: f16[k] = cast(%1)
  %9: f16[n] = cast(%2)
  %10: f16[k, n] = add(%8, %9)
  %15: f32 = const 100.0
  %11: f32[m, n] = dot %7 %10 acc %15 over k
  %12: i32 = const 2
  %13: i32[m] = mul(%0, %12)
  %14: i32[m, n] = add(%13, %2)
  %16: ptr[m, n] = address c + %14
  store c[%16] = %11
}
"""
    kernel = read_kernel(text)
    verify_kernel(kernel)
    a = np.random.default_rng(0).integers(-3, 4, (4, 8)).astype(np.float16)
    c = np.zeros((4, 2), np.float32)
    run_kernel(kernel, {"a": a, "c": c}, {})
    right = np.arange(8)[:, None] + np.arange(2)
    assert (c == a.astype(float) @ right + 100).all()


def test_requirements_are_checked() -> None:
    kernel = read_kernel("kernel k {\n size M\n require M in 0 .. 10\n}\n")
    run_kernel(kernel, {}, {"M": 9})
    with pytest.raises(InternalError, match=r"M in 0 \.\. 10 does not hold"):
        run_kernel(kernel, {}, {"M": 10})
