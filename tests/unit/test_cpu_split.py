"""Loops whose masks hold everywhere but at the end are split, and mean the same."""

from __future__ import annotations

import numpy as np
import pytest

from hastec.backends.cpu.rename import renamed
from hastec.backends.cpu.split import split_loops
from hastec.ir.kernel import Apply, For, Kernel, Let, Load, statements
from hastec.ir.kernel_interp import run_kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_show import show_kernel
from hastec.ir.kernel_verify import verify_kernel

SUM = """
kernel sum {
  threads 1
  table x: i32 read align 16
  table y: i32 write align 16
  table t: i32 write align 16
  size N
  size A
  size B
  digit k: loop
  digit u: reg 4
  state %20: i32[u] = carried k 0
  state %21: i32[u] = final k 0
  %0: i32 = size A
  %1: i32 = size B
  %2: i32 = size N
  %3: i32[u] = coord u
  %4: i32 = const 4
  %5: i32 = const 0
  for k in %0 .. %1 with %20 = %5 next %15 after %21 {
    %6: i32 = coord k
    %7: i32 = mul(%6, %4)
    %8: i32[u] = add(%7, %3)
    %9: bool[u] = lt(%8, %2)
    %10: bool[u] = ge(%8, %5)
    %11: bool[u] = and(%10, %9)
    %12: ptr[u] = address x + %8
    %13: i32[u] = load x[%12] mask %11 other 100.0
    %15: i32[u] = add(%20, %13)
  }
  %16: i32 = reduce sum %21 over u
  %17: ptr = address y
  store y[%17] = %16
  %18: ptr[u] = address t + %3
  store t[%18] = %21
}
"""


def parts(kernel: Kernel) -> list[For]:
    return [s for s in statements(kernel.body) if isinstance(s, For)]


def kernel(text: str = SUM) -> Kernel:
    found = read_kernel(text)
    verify_kernel(found)
    return found


RANGES = (
    *((11, 0, 3), (12, 0, 3), (13, 0, 4), (0, 0, 2), (3, 0, 1), (11, 1, 3), (11, 2, 7)),
    *((11, 5, 9), (11, 3, 3), (11, 4, 2), (1000, 0, 3), (7, -2, 2), (-5, 0, 2), (4, 0, 1)),
    *((5, 0, 2), (8, 0, 2), (9, 1, 4)),
)


@pytest.mark.parametrize(("n", "a", "b"), RANGES)
def test_the_parts_mean_the_whole(n: int, a: int, b: int) -> None:
    whole = kernel()
    made = split_loops(whole)
    verify_kernel(made)
    assert read_kernel(show_kernel(made)) == made
    results = []
    for each in (whole, made):
        arrays = {"x": np.arange(1, 1001, dtype=np.int32)}
        arrays |= {"y": np.zeros(1, np.int32), "t": np.zeros(4, np.int32)}
        run_kernel(each, arrays, {"N": n, "A": a, "B": b})
        results.append((arrays["y"].tolist(), arrays["t"].tolist()))
    assert results[0] == results[1]


def test_full_iterations_lose_only_the_mask_that_ends_them() -> None:
    first, last = parts(split_loops(kernel()))
    assert first.hi == last.lo
    assert [c.after for c in first.carries] == [c.init for c in last.carries]
    fns = [
        s.value.op.fn for s in first.body if isinstance(s, Let) and isinstance(s.value.op, Apply)
    ]
    assert fns == ["mul", "add", "eq", "ge", "and", "add"]
    loads = [s.value.op for s in last.body if isinstance(s, Let) and isinstance(s.value.op, Load)]
    assert loads == [Load("x", 12, 11, 100.0)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # The limit changes in the loop.
        ("lt(%8, %2)", "lt(%8, %20)"),
        ("%9: bool[u] = lt(%8, %2)", "%30: i32 = add(%2, %6)\n    %9: bool[u] = lt(%8, %30)"),
        # The index does not grow, or not by a constant.
        ("mul(%6, %4)", "mul(%0, %4)"),
        ("mul(%6, %4)", "mul(%6, %0)"),
        ("mul(%6, %4)", "mul(%6, %6)"),
        # It shrinks along a register digit, or follows a state.
        ("add(%7, %3)", "sub(%7, %3)"),
        ("add(%7, %3)", "add(%20, %3)"),
        # The mask is no upper limit, or masks no access.
        ("lt(%8, %2)", "ne(%8, %2)"),
        (" mask %11 other 100.0", ""),
    ],
)
def test_loops_that_stay_whole(old: str, new: str) -> None:
    whole = kernel(SUM.replace(old, new))
    assert split_loops(whole) == whole


def test_outer_loops_stay_whole() -> None:
    inner = SUM[SUM.index("  for k") : SUM.index("  %16")]
    nested = "  for j in %5 .. %4 {\n" + inner.replace("with %20 = %5 next %15 after %21 ", "")
    nested = nested.replace("%15: i32[u] = add(%20, %13)\n", "%15: i32[u] = add(%13, %13)\n")
    head, tail = SUM[: SUM.index("  for k")], "  }\n}\n"
    text = head.replace("digit u", "digit j: loop\n  digit u")
    text = "\n".join(line for line in text.split("\n") if "state" not in line)
    made = split_loops(kernel(text + nested + tail))
    verify_kernel(made)
    assert [loop.digit for loop in parts(made)] == ["j", "k", "k"]


def test_renaming_reaches_every_operand() -> None:
    body = kernel().body
    names = {n: n + 500 for n in range(30)}
    moved = renamed(body, names)
    defined = [s.value.id for s in statements(moved) if isinstance(s, Let)]
    assert min(defined) >= 500
    assert renamed(moved, {v: k for k, v in names.items()}) == body
