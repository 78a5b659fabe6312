"""Generated modules: what they say, what they leave out, and that states are handed on rightly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from hastec.backends.triton.backend import TritonBackend
from hastec.backends.triton.emit import emit_source
from hastec.diag import Span
from hastec.ir.builder import Builder
from hastec.ir.define import Loop
from hastec.ir.index import Form
from hastec.ir.kernel import Digit, Kernel, Table, Value
from hastec.ir.types import F32
from hastec.sym.size import Size
from hastec.target import SM90

TRITON = TritonBackend(interpret=True)


def builder(*digits: Digit, wide: bool = False) -> Builder:
    k = Builder("sums", (Digit("m_prog", "grid"), *digits), 32, wide)
    k.coord("m_prog")
    for name, access in (("X.val", "read"), ("Y.val", "write")):
        k.table(Table(name, F32, "read" if access == "read" else "write", Size.of("M")))
    return k


def finished(k: Builder) -> Kernel:
    return k.finish([("m_prog", Size.of("M"))])


def at(k: Builder, *values: Value) -> Form:
    total = Form.of(0)
    for value in values:
        total = total + k.form(value)
    return total


def body(source: str) -> list[str]:
    """Return the lines of the generated function."""
    return source[source.index("def sums") :].splitlines()[1:]


def run(kernel: Kernel, x: np.ndarray, size: int, trips: int) -> np.ndarray:
    """Run a kernel in Triton's interpreter."""
    emitted = TRITON.emit(kernel, {}, SM90)
    launch = TRITON.load(TRITON.build(emitted, kernel, SM90).files, kernel, SM90)
    y = torch.zeros(size)
    numbers = {"M": size, "T": trips}
    launch([torch.from_numpy(x), y], [numbers[s] for s in kernel.sizes], [size])
    return np.asarray(y)


@contextmanager
def steps(k: Builder) -> Iterator[Loop]:
    with k.loop("step", k.const(0), k.size("T")) as loop:
        yield loop


# ------------------------------------------------------------------------------------- what it says
def doubled(k: Builder) -> Kernel:
    m = k.coord("m_prog")
    x = k.load("X.val", at(k, m), hint="X")
    k.store("Y.val", at(k, m), k.apply("add", x, x))
    return finished(k)


def test_a_module_says_what_it_takes() -> None:
    kernel = doubled(builder())
    source = emit_source(kernel, {})
    module = ast.parse(source)
    told = ast.get_docstring(module) or ""
    assert "Kernel sums" in told and "m_prog < M; 32 threads" in told
    assert re.search(r"X_val +values of X: f32, M elements, read", told)
    assert re.search(r"Y_val +values of Y: f32, M elements, written", told)
    assert "divides" not in told
    k = builder()
    k = Builder("sums", k.digits.values(), 32, multiples={"M": 16})
    for name in ("X.val", "Y.val"):
        k.table(Table(name, F32, "read" if name[0] == "X" else "write"))
    assert "Right only where 16 divides M." in emit_source(doubled(k), {})


def test_what_is_used_once_needs_no_name() -> None:
    lines = body(emit_source(doubled(builder()), {}))
    assert lines == [
        "    m_prog = tl.program_id(0)",
        "    x = tl.load(X_val + m_prog)",
        "    tl.store(Y_val + m_prog, x + x)",
    ]


def test_lines_of_the_program_stand_beside_their_code() -> None:
    k = builder()
    m = k.coord("m_prog")
    total = k.const(0.0)
    for line in (3, 4, 3):
        k.span = Span(line, 1, line, 2)
        x = k.load("X.val", at(k, m) + len(k.values), hint="X")
        total = k.apply("add", x, total) if line == 3 else k.apply("mul", x, total)
    k.store("Y.val", at(k, m), total)
    lines = [x.strip() for x in body(emit_source(finished(k), {3: "  a = b", 4: "c = d"}))]
    assert [x for x in lines if x.startswith("#")] == ["# 3: a = b", "# 4: c = d", "# 3"]


def test_long_sums_are_split_and_every_line_fits() -> None:
    k = builder(Digit("lane", "thread", 32))
    m, lane = k.coord("m_prog"), k.coord("lane")
    total = k.const(0.0)
    for n in range(1, 12):
        x = k.load("X.val", at(k, m, lane) + n, hint="weight_of_a_long_name")
        total = k.apply("add", total, k.apply("mul", x, k.const(float(n))))
    k.store("Y.val", at(k, m), k.reduce("sum", total, ("lane",)))
    source = emit_source(finished(k), {})
    ast.parse(source)
    assert max(len(line) for line in body(source)) <= 88


def test_programs_of_several_digits_count_the_last_one_fastest() -> None:
    k = Builder("sums", (Digit("a", "grid"), Digit("b", "grid")), 32, wide=True)
    k.table(Table("Y.val", F32, "write"))
    a, b = k.coord("a"), k.coord("b")
    k.store("Y.val", k.form(a) * Size.of("N") + k.form(b), k.const(1.0))
    kernel = k.finish([("a", Size.of("M")), ("b", (Size.of("N") + 3) // 4)])
    assert body(emit_source(kernel, {}))[:5] == [
        "    pid = tl.program_id(0)",
        "    bs = (N + 3) // 4",
        "    b = (pid % bs).to(tl.int64)",
        "    pid = pid // bs",
        "    a = pid.to(tl.int64)",
    ]


# ------------------------------------------------------------------------------------------- states
@pytest.mark.parametrize("trips", [0, 1, 5])
def test_states_that_read_each_other(trips: int) -> None:
    """Fibonacci's pair, its sum beside it: every next value means the states before the step."""
    k = builder(Digit("step", "loop"))
    m = k.coord("m_prog")
    x = k.load("X.val", at(k, m), hint="X")
    with steps(k) as loop:
        a, b = k.carry(loop, x, hint="a"), k.carry(loop, x, hint="b")
        total = k.carry(loop, k.const(0.0), hint="sum")
        both = k.apply("add", a, b)
        after = k.update(loop, a, b), k.update(loop, b, both)
        whole = k.update(loop, total, k.apply("add", total, k.apply("mul", a, both)))
    k.store("Y.val", at(k, m), k.apply("add", whole, k.apply("sub", *after)))
    given = np.arange(1, 4, dtype=np.float32)
    wanted = []
    for start in given:
        first, second, added = start, start, np.float32(0)
        for _ in range(trips):
            first, second, added = second, first + second, added + first * (first + second)
        wanted.append(added + (first - second))
    np.testing.assert_array_equal(run(finished(k), given, 3, trips), wanted)


def test_a_state_is_not_written_over_while_it_is_read() -> None:
    """A load may take a state's place at once; what was made of the state before may wait."""
    k = builder(Digit("step", "loop"))
    m = k.coord("m_prog")
    x = k.load("X.val", at(k, m), hint="X")
    with steps(k) as loop:
        last = k.carry(loop, x, hint="last")
        total = k.carry(loop, k.const(0.0), hint="sum")
        square = k.apply("mul", last, last)
        cube = k.apply("mul", square, last)
        new = k.load("X.val", k.form(k.coord("step")), hint="new")
        k.update(loop, last, new)
        more = k.apply("add", k.apply("add", square, cube), k.apply("mul", square, cube))
        whole = k.update(loop, total, k.apply("add", total, more))
    k.store("Y.val", at(k, m), whole)
    given = np.array([2, 3, 5, 7], np.float32)
    wanted = []
    for start in given:
        state, total_ = start, np.float32(0)
        for step in range(3):
            total_ += state**2 + state**3 + state**5
            state = given[step]
        wanted.append(total_)
    np.testing.assert_array_equal(run(finished(k), given, 4, 3), wanted)


def test_a_sum_grows_in_place() -> None:
    k = builder(Digit("step", "loop"))
    m = k.coord("m_prog")
    with steps(k) as loop:
        total = k.carry(loop, k.const(0.0), hint="sum")
        x = k.load("X.val", k.form(k.coord("step")), hint="X")
        whole = k.update(loop, total, k.apply("add", total, k.apply("mul", x, x)))
    k.store("Y.val", at(k, m), whole)
    lines = body(emit_source(finished(k), {}))
    assert lines[1:5] == [
        "    acc = tl.full([], 0.0, tl.float32)",
        "    for step in range(0, T):",
        "        x = tl.load(X_val + step)",
        "        acc += x * x",
    ]


def test_two_emissions_are_the_same() -> None:
    kernel = doubled(builder())
    assert emit_source(kernel, {}) == emit_source(replace(kernel), {})
