"""Every broken promise of a kernel is found, and the message shows where."""

from __future__ import annotations

import pytest

from hastec.diag import InternalError
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_verify import verify_kernel

SOUND = """
kernel spmv {
  threads 32
  table W.pos: i32 read align 16 numel M + 1
  table W.crd: i32 read align 16
  table W.val: f16 read align 16
  table x: f32 read align 16
  table y: f32 write align 16 numel M
  table seen: i32 write align 16
  size M
  digit m: grid
  digit k: loop
  digit t: thread 32
  digit u: reg 4
  grid m = M
  state %20 acc: f32[t, u] = carried k 0
  state %21 acc: f32[t, u] = final k 0
  %0 m: i32 in 0 .. 1000 = coord m
  %1: ptr = address W.pos + %0
  %2 lo: i32 = load W.pos[%1]
  %3: i32 = const 1
  %4: ptr = address %1 + %3
  %5 hi: i32 = load W.pos[%4]
  %6: i32[t] = coord t
  %7: i32[u] = coord u
  %8: i32 = const 4
  %9: i32[t] = mul(%6, %8)
  %10: i32[t, u] = add(%9, %7)
  %11 zero: f32 = const 0.0
  %12: i32 = const 128
  %13: i32 = sub(%5, %2)
  %14: i32 = add(%13, %12)
  %15: i32 = div(%14, %12)
  for k in %50 .. %15 with %20 = %11 next %36 after %21 {
    %30 k: i32 = coord k
    %31: i32 = mul(%30, %12)
    %32: i32[t, u] = add(%31, %10)
    %33 inside: bool[t, u] = lt(%32, %13)
    %39: i32[t, u] = add(%2, %32)
    %34: ptr[t, u] = address W.crd + %39
    %35: i32[t, u] = load W.crd[%34] mask %33 unit u
    %40: ptr[t, u] = address x + %35
    %41: f32[t, u] = load x[%40] mask %33
    %42: ptr[t, u] = address W.val + %39
    %43: f16[t, u] = load W.val[%42] mask %33 other 0.0 unit u
    %44: f32[t, u] = cast(%43)
    %45: f32[t, u] = mul(%44, %41)
    %36: f32[t, u] = add(%20, %45)
  }
  %22 total: f32 = reduce sum %21 over t, u
  %23: ptr = address y + %0
  store y[%23] = %22
  %24: bool = lt(%2, %5)
  if %24 {
    %25: ptr = address seen + %0
    store seen[%25] = %13 combine sum
  }
}
""".replace("%0 m: i32", "%50: i32 = const 0\n  %0 m: i32")


def test_a_sound_kernel_passes() -> None:
    verify_kernel(read_kernel(SOUND))


BROKEN = [
    ("%22 total: f32", "%7 total: f32", "%7 is defined twice"),
    ("mul(%44, %41)", "mul(%44, %46)", "%46 is used where it is not defined"),
    ("store y[%23] = %22", "store y[%23] = %36", "%36 is used where it is not defined"),
    ("sum %21 over", "sum %20 over", "%20 is used where it is not defined"),
    ("next %36", "next %44", None),
    ("= %22\n", "= %25\n", "%25 is used where it is not defined"),
    ("digit u: reg 4\n", "", "digit u is not declared"),
    ("digit u: reg 4", "digit u: reg", "digit u has no extent"),
    ("digit u: reg 4", "digit u: reg 0", "digit u is empty"),
    ("digit t: thread 32", "digit t: thread 32 stride 2", "thread digit t leaves a gap"),
    ("digit t: thread 32", "digit t: thread 16", "thread digits fill 16 of 32 threads"),
    ("digit u: reg 4", "digit u: block 4", "block digits mix with others"),
    ("%10: i32[t, u]", "%10: i32[u, t]", "digits are not in order"),
    ("%10: i32[t, u]", "%10: i32[t]", "it varies over t, u"),
    ("%0 m: i32 in", "%0 m: i32[m] in", "it varies over"),
    ("%0 m: i32 in 0 .. 1000", "%0 m: i32 in 3 .. 0", "bounds are empty"),
    ("%11 zero: f32 =", "%11 zero: f32 in 0 .. 1 =", "bounds of no integer"),
    ("%33 inside: bool", "%33 inside: i32", "lt of i32 does not give i32"),
    ("mask %33 unit u", "mask %32 unit u", "%32 is no mask"),
    ("mul(%44, %41)", "mul(%43, %41)", "mul does not apply to f16, f32"),
    ("mul(%44, %41)", "tanh(%44)", "tanh is no primitive function"),
    ("mul(%44, %41)", "mul(%44)", "mul takes 2 operands"),
    ("load x[%40]", "load x[%34]", "%34 leads into another array"),
    ("load x[%40]", "load x[%35]", "%35 is no pointer"),
    ("%41: f32[t, u]", "%41: f16[t, u]", "the array holds f32"),
    ("table x: f32 read", "table x: f32 write", "array x is not read"),
    ("table y: f32 write", "table y: f32 read", "array y is not written"),
    ("table x: f32", "table x: u4", "x: u4 only stores"),
    ("table y: f32", "table y: f16", "the value has another type"),
    ("store y[%23] = %22", "store y[%23] = %22 combine sum", "sum is not exact in the array"),
    ("state %20 acc: f32[t, u]", "state %20 acc: f32[t]", "a state varies differently"),
    ("state %21 acc: f32[t, u]", "state %21 acc: i32[t, u]", "a state changes its type"),
    ("= carried k 0", "= carried k 1", "%20 is another state"),
    ("next %36", "next %35", "%35 changes the state's type"),
    ("for k in %50", "for k in %9", "the lower bound is no scalar"),
    ("for k in %50", "for m in %50", "m is no loop digit"),
    ("if %24", "if %13", "the condition is no truth value"),
    ("if %24", "if %33", "%33 is used where it is not defined"),
    ("grid m = M", "grid m = M\n  grid k = M", "grid digits are not the grid"),
    ("table x: f32", "table W.val: f32", "array W.val is declared twice"),
    ("sum %21 over t, u", "any %21 over t, u", "any of f32"),
    ("sum %21 over t, u", "mean %21 over t, u", "mean is no built-in monoid"),
    ("sum %21 over t, u", "sum %21 over t, m", "%21 lacks a merged digit"),
    ("= const 128", "= const 1.5", "1.5 is no i32"),
    ("= const 128", "= const true", "a truth value of another type"),
    ("= coord m", "= coord k", "the coordinate of k outside its loop"),
    ("table W.val: f16", "table W.val: f64", "the array holds f64"),
]


@pytest.mark.parametrize(("old", "new", "message"), BROKEN)
def test_broken_promises_are_found(old: str, new: str, message: str | None) -> None:
    assert SOUND.count(old) == 1, old
    text = SOUND.replace(old, new)
    if message is None:  # an unused value is no defect
        verify_kernel(read_kernel(text))
        return
    with pytest.raises(InternalError) as error:
        verify_kernel(read_kernel(text))
    assert str(message) in str(error.value)
    assert "kernel spmv {" in str(error.value)


def test_a_thread_never_reads_more_than_sixteen_bytes() -> None:
    text = SOUND.replace("digit u: reg 4", "digit u: reg 16").replace("thread 32", "thread 8")
    with pytest.raises(InternalError, match="a thread reads 64 bytes along u"):
        verify_kernel(read_kernel(text.replace("threads 32", "threads 8")))
    wide = text.replace("digit t: thread 8", "digit t: reg 8").replace("threads 32", "threads 1")
    verify_kernel(read_kernel(wide))


def test_the_statement_is_shown() -> None:
    with pytest.raises(InternalError, match=r"at: %45: f32\[t, u\] = mul\(%43, %41\)"):
        verify_kernel(read_kernel(SOUND.replace("mul(%44, %41)", "mul(%43, %41)")))


DOT = """
kernel matmul {
  threads 128
  digit m: block 16
  digit k: block 32
  digit n: block 8
  %0: i32[m] = coord m
  %1: i32[k] = coord k
  %2: i32[n] = coord n
  %3: i32[m, k] = add(%0, %1)
  %4: i32[k, n] = add(%1, %2)
  %5: i32[m, n] = dot %3 %4 over k
  %6: i32[m, n] = dot %3 %4 acc %5 over k
}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dot %3 %4 over k", "dot %3 %2 over k", "an operand lacks a summed digit"),
        ("%4 acc %5 over", "%4 acc %3 over", "acc varies over a summed digit"),
        ("digit n: block", "digit n: reg", "block digits mix with others"),
        ("%5: i32[m, n]", "%5: f32[m, n]", "acc has another type"),
    ],
)
def test_dots(old: str, new: str, message: str) -> None:
    verify_kernel(read_kernel(DOT))
    with pytest.raises(InternalError) as error:
        verify_kernel(read_kernel(DOT.replace(old, new)))
    assert message in str(error.value)
