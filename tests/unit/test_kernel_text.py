"""Printed kernels and schedules read back, and malformed text is an error with a place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hastec.diag import HasteError, Span
from hastec.ir.kernel import (
    POINTER,
    Address,
    Apply,
    Carried,
    Carry,
    Const,
    Coord,
    Digit,
    Dot,
    Final,
    For,
    If,
    Kernel,
    Let,
    Load,
    Reduce,
    Requirement,
    Scan,
    SizeArg,
    Stmt,
    Store,
    Table,
    Value,
    ValueOp,
)
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_show import show_kernel
from hastec.ir.schedule import Axis, Lead, Schedule
from hastec.ir.schedule_text import read_schedule, show_schedule
from hastec.ir.types import BOOL, F16, F32, I32, DType
from hastec.sym.size import Size

SPAN = Span(3, 5, 3, 9)
M, N = Size.of("M"), Size.of("N")


OPS: tuple[tuple[ValueOp, DType], ...] = (
    (Const(True), BOOL),
    (Const(-7), I32),
    (Const(1e-30), F32),
    (Const(float("-inf")), F32),
    (SizeArg("M"), I32),
    (SizeArg("W.nnz max"), I32),
    (Coord("m"), I32),
    (Apply("where", (1, 2, 3)), F32),
    (Address("W.values"), POINTER),
    (Address("W.values", 3), POINTER),
    (Address(9, 3), POINTER),
    (Load("W.values", 9), F16),
    (Load("W.values", 9, 3, 1.5, "n", 16), F16),
    (Load("W.values", 9, None, 0.0), F16),
    (Reduce("sum", 3, ("n", "k")), F32),
    (Scan("max", 3, "n"), F32),
    (Dot(1, 2, None, ("k",)), F32),
    (Dot(1, 2, 3, ("k", "n")), F32),
)


def every_field() -> Kernel:
    """Not a valid kernel: one of everything, so that no field is lost."""
    lets = tuple(Let(Value(i, op, dtype)) for i, (op, dtype) in enumerate(OPS))
    decorated = Let(Value(30, Const(2), I32, ("n",), "two words", (-3, 5), SPAN))
    hinted = Let(Value(31, Const(2), I32, ("m", "n"), "acc", (0, 0), Span(1, 2, 3, 4)))
    loop = For("k", 1, 2, (decorated, If(3, (hinted,))), (Carry(1, 2, 40, 41),), 3, 2, True, SPAN)
    body: tuple[Stmt, ...] = (
        *lets,
        loop,
        For("k", 1, 2, ()),
        Store("Y", 3, 4),
        Store("Y", 3, 4, 5, "sum", SPAN),
    )
    return Kernel(
        "linear",
        (Table("W.values", F16, "read", M * N + M // N - 3), Table("Y", F32, "write", None, 64)),
        ("M", "N", "W.nnz max"),
        (Digit("m", "grid"), Digit("k", "loop", 4), Digit("n", "reg", 16, 2)),
        (("m", (M + 3) // 4 * N), ("h", Size.of(3))),
        128,
        body,
        (Value(40, Carried("k", 0), F32), Value(41, Final("k", 0), F32, (), "y", None, SPAN)),
        (Requirement(M * N % 7, 2**31 - 1), Requirement(-M, -5)),
        True,
    )


def test_every_field_reads_back() -> None:
    kernel = every_field()
    assert read_kernel(show_kernel(kernel)) == kernel
    plain = replace(kernel, name="two words", wide=False, carried=(), requires=())
    assert read_kernel(show_kernel(plain)) == plain


def test_constants_keep_their_kind() -> None:
    text = show_kernel(every_field())
    values = read_kernel(text).values()
    kinds = [type(op.value) for op in (v.op for v in values.values()) if isinstance(op, Const)]
    assert kinds[:4] == [bool, int, float, float]


def test_text_is_what_people_read() -> None:
    value = Value(7, Apply("add", (5, 6)), F32, ("m", "n"), "acc", None, SPAN)
    kernel = Kernel("k", (), (), (), (), 1, (Let(value),))
    assert show_kernel(kernel) == (
        "kernel k {\n  threads 1\n\n  %7 acc: f32[m, n] = add(%5, %6)   # 3:5-9\n}\n"
    )


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ("digit n: lane", "HST7202", 12),
        ("table X: f17 read align 16", "HST7203", 12),
        ("table X: f16 peek align 16", "HST7002", 16),
        ("%1: f32 = frob %2", "HST7202", 18),
        ("%1: f32 = const", "HST7002", 18),
        ("%1: f32 = load X[%2", "HST7002", 22),
        ("store X[%1] %2", "HST7002", 15),
        ("for k in %1 .. {", "HST7002", 18),
        ("nonsense", "HST7002", 3),
        ("size ?", "HST7001", 8),
    ],
)
def test_malformed_text_is_an_error_with_a_place(line: str, code: str, column: int) -> None:
    with pytest.raises(HasteError) as error:
        read_kernel(f"kernel k {{\n  {line}\n}}\n", "k.kernel")
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (2, column)
    assert "k.kernel:2:" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kernel",
        "kernel k {",
        "kernel k {\n}\nrest",
        "kernel k {\n  %1: f32 = const 1\n  threads 3\n}\n",
        "kernel k {\n" + "if %1 {\n" * 3000 + "}\n" * 3001,
        "kernel k {\n grid m = " + "(" * 3000 + "M" + ")" * 3000 + "\n}\n",
        "kernel k {\n threads " + "9" * 5000 + "\n}\n",
    ],
)
def test_broken_text_never_crashes(text: str) -> None:
    with pytest.raises(HasteError):
        read_kernel(text)


FULL = Schedule(
    (Digit("m0", "grid"), Digit("W.1.k", "loop"), Digit("t", "thread", 32), Digit("n", "reg", 8)),
    (
        Axis("m", (("m0", 4), ("t", 1))),
        Axis("W.1", (("W.1.k", 16), ("odd name", 2))),
        Axis("z", ()),
    ),
    (Lead(12, ("m", "k")), Lead(3, ())),
    (5, 6),
    (7,),
    3,
    64,
)


@pytest.mark.parametrize(
    "schedule",
    [
        FULL,
        Schedule((), ()),
        replace(FULL, leads=(), stages=1),
        replace(FULL, turns=("odd name", "W.1.k")),
    ],
)
def test_schedules_read_back(schedule: Schedule) -> None:
    text = show_schedule(schedule)
    assert "\n" not in text
    assert read_schedule(text) == schedule
    assert read_schedule(text.replace("; ", ";\n  ")) == schedule


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("threads 1; threads 2", "HST7301"),
        ("threads 1; colour 2", "HST7302"),
        ("axis m", "HST7002"),
        ("axis m = 4*", "HST7002"),
        ("digit n: lane", "HST7202"),
        ("", "HST7002"),
        ("threads 1;", "HST7002"),
        ("threads 1 stages 2", "HST7002"),
    ],
)
def test_malformed_schedules(text: str, code: str) -> None:
    with pytest.raises(HasteError) as error:
        read_schedule(text)
    assert error.value.diagnostics[0].code == code
    assert error.value.diagnostics[0].span is not None
