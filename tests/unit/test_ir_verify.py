"""Broken graphs are told apart: each promise of the contract has a way to break it."""

from __future__ import annotations

import pytest

from hastec.diag import InternalError
from hastec.ir.forms import Form, check, holds, kept_tables
from hastec.ir.read import read_graph
from hastec.ir.verify import verify_graph

GOOD = """\
graph example(M, K) {
  in A: f16[M, K]
  inout C: f32[M, K]
  in len: i32[M]
  out Y: bf16[M]
  monoid own(x) {
    one v = x
    none v = 0
    merge v = max(a.v, b.v)
    give .v
  }
  rank i: %0 .. %1 extent M
  rank j: %0 .. %4 extent K
  %0: i32 = const 0
  %1: i64 = size M
  %2: i64{i} = index i
  %3: i32[M] = input len
  %4: i32{i} = access %3[%2]
  %5: i64{j} = index j
  %6: f16[M, K] = input A
  %7: f16{i, j} = access %6[%2, %5]
  %8: f32{i} = reduce max[j](%7)
  %9: f32 = const -1.0
  %10: f32{i} = max(%8, %9)
  %11: f32{i, j} = sub(%7, %10)
  %12: f32{i, j} = exp(%11)
  %13: bool{i, j} = lt(%5, %2)
  %14: f32{i} = reduce sum[j; %13](%12)
  %15: bf16[M] = define Y[i] = %14
  %16: f32[M, K] = input C
  %17: bool[M, K] = select topk[i, j; %13] over j key %7 amount %0
  %18: bool{i, j} = access %17[%2, %5]
  %19: f32{i, j} = softmax[j; %18](%7)
  %20: f32[M, K] = update %16[%2, %5] over [i, j; %18] = %19
  %21: f32{i} = reduce own[j](%7)
  %22: f32[M] = define t[i] = %21
  %23: f32[M, K] = convert %20 to d(i, j) = (dense(i), dense(j))
  %24: bool{i, j} = present %16[%2, %5]
  output Y = %15
  output C = %23
  law %8 floor %10 (%14)
  format %16: d(i, j) = (dense(i), dense(j) order [1, 0])
  region r0 (%15)
  region r1 (%17, %20, %23)
    | any schedule
}
"""


def test_a_good_graph_passes() -> None:
    verify_graph(read_graph(GOOD))


BROKEN = [
    # Names and order.
    ("in len: i32[M]", "in A: i32[M]", "two parameters are called A"),
    ("rank j:", "rank i:", "two ranks are called i"),
    ("monoid own", "monoid sum", "two monoids are called sum"),
    ("define t[i]", "define Y[i]", "two definitions are called Y"),
    ("define t[i]", "define A[i]", "the definition A is called like an input"),
    ("output C =", "output Y =", "two outputs are called Y"),
    ("region r1", "region r0", "two regions are called r0"),
    ("%8: f32{i} = reduce max[j](%7)", "%8: f32{i} = reduce max[j](%11)", "%11 is not defined"),
    ("rank j: %0 .. %4", "rank j: %0 .. %21", "%21 is not defined before this node"),
    ("index j", "index k", "there is no rank k"),
    ("f32{i, j} = exp", "f32{i, z} = exp", "there is no rank z"),
    # Monoids.
    ("one v = x", "one v = y", "monoid own: `one`: ('param', 'y') is not known here"),
    ("none v = 0", "none v = x", "`none`: ('param', 'x') is not known here"),
    ("merge v = max(a.v, b.v)", "merge v = max(a.v)", "max is no function of 1 operands"),
    ("merge v = max(a.v, b.v)", "merge v = max(a.v, b.w)", "('state', 'b', 'w') is not known"),
    ("give .v", "give x", "`give`: ('param', 'x') is not known here"),
    ("monoid own(x)", "monoid own(x, x)", "x is named twice"),
    # Types.
    ("%7: f16{i, j}", "%7: f32{i, j}", "its type is f16"),
    ("%8: f32{i}", "%8: f16{i}", "its type is f32"),
    ("%13: bool{i, j}", "%13: i32{i, j}", "its type is bool"),
    ("%2: i64{i}", "%2: i32{i}", "its type is i64"),
    ("%21: f32{i}", "%21: i32{i}", "its type is f32"),
    ("%22: f32[M]", "%22: i32[M]", "its type is f32"),
    ("i32 = const 0", "bool = const 0", "0 is no bool"),
    ("f32 = const -1.0", "i32 = const -1.0", "-1.0 is no i32"),
    ("reduce sum[j; %13]", "reduce sum[j; %12]", "%12 is no truth value"),
    ("exp(%11)", "bitand(%11, %11)", "bitand takes integers"),
    ("amount %0", "amount %9", "k is no integer"),
    # Ranks.
    ("%12: f32{i, j}", "%12: f32{i}", "it varies over {i, j}"),
    ("%8: f32{i} =", "%8: f32 =", "it varies over {i}"),
    ("%14: f32{i} =", "%14: f32{i, j} =", "it varies over {i}"),
    ("%19: f32{i, j} =", "%19: f32{i} =", "it varies over {i, j}"),
    ("%12: f32{i, j}", "%12: f32{i, j, j}", "it varies over {i, j}"),
    ("define Y[i] = %14", "define Y[i] = %12", "it varies over {j}"),
    ("select topk[i, j;", "select topk[j, i;", "the range of j depends on i"),
    ("reduce max[j](%7)", "reduce max[j, j](%7)", "rank j is bound twice"),
    ("reduce max[j](%7)", "reduce max[](%7)", "it binds no rank"),
    ("%1: i64 = size M", "%1: f32 = const 2.0", "rank i: %1 is no integer"),
    # Operands.
    ("access %6[%2, %5]", "access %2[%2, %5]", "%2 is no table"),
    ("access %6[%2, %5]", "access %6[%2, %6]", "%6 is no value"),
    ("access %6[%2, %5]", "access %6[%2]", "1 subscripts for 2 dimensions"),
    ("present %16[%2, %5]", "present %16[%2, %12]", "%12 is no integer"),
    ("exp(%11)", "exp(%11, %11)", "exp takes 1 operands"),
    ("sub(%7, %10)", "sub(%7, %6)", "%6 is no value"),
    ("reduce own[j](%7)", "reduce own[j](%7, %7)", "own takes 1 operands"),
    ("reduce own[j]", "reduce other[j]", "there is no monoid other"),
    ("%6: f16[M, K] = input A", "%6: f16[M, M] = input A", "A is declared otherwise"),
    ("input len", "input Y", "there is no input Y"),
    ("%10: f32{i} = max", "%10: f32[M] = max", "a table where a value is meant"),
    ("topk[i, j; %13] over j", "topk[i, j; %13] over k", "k is none of its ranks"),
    ("topk[i, j; %13] over j key %7 amount %0", "topk[i, j] over j key %7", "topk with or without"),
    ("over j key %7 amount %0", "over j key %7 amount %5", "the amount varies over j"),
    ("topk[i, j; %13]", "where[i, j; %13]", "where with or without an amount"),
    ("%15: bf16[M]", "%15: f32[M]", "Y is declared otherwise"),
    ("%17: bool[M, K]", "%17: bool[M]", "2 ranks for 1 dimensions"),
    ("%20: f32[M, K]", "%20: f32[M, M]", "its shape is not that of %16"),
    # Outputs, formats, laws, regions.
    ("output C = %23\n", "", "C is never given"),
    ("output C = %23", "output C = %15", "output C is not as declared"),
    ("output C = %23", "output C = %23\n  output A = %6", "A is no output"),
    ("in A: f16[M, K]", "in A: f16[M, K] like Z", "A has the pattern of Z"),
    ("format %16: d(i, j)", "format %9: d(i, j)", "%9 has a format but is a value"),
    ("format %16: d(i, j)", "format %3: d(i, j)", "has 2 dimensions, the table 1"),
    ("dense(j) order", "dense(z) order", "format d has no dimension z"),
    ("order [1, 0])", "order [1, 0]) cut i < M", "format d has 1 parts"),
    ("law %8 floor", "law %14 floor", "law on %14: it is no maximum"),
    ("floor %10", "floor %12", "%12 is no floor of it"),
    ("(%14)\n  format", "(%12)\n  format", "%12 is no reduction"),
    ("(%14)\n  format", "(%21)\n  format", "%21 does not depend on it"),
    ("region r0 (%15)", "region r0 (%15, %16)", "%16 cannot be stored"),
    ("region r0 (%15)", "region r0 (%15, %15)", "%15 is stored twice"),
    ("region r0 (%15)", "region r0 ()", "region r0 stores nothing"),
    ("region r0 (%15)\n", "", "no region stores the output Y"),
    ("r1 (%17, %20, %23)", "r1 (%17, %23, %20)", "reads %20, which is stored later"),
]


@pytest.mark.parametrize(("old", "new", "message"), BROKEN)
def test_a_broken_promise_is_named(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InternalError) as caught:
        verify_graph(read_graph(GOOD.replace(old, new, 1)))
    first = str(caught.value).split("\n")[0]
    assert first.startswith("broken graph: ")
    assert message in first
    assert "graph example(" in str(caught.value)


def test_the_last_pass_is_named() -> None:
    text = GOOD.replace("region r0", "passed normalise\n  passed fuse\n  region r0")
    with pytest.raises(InternalError, match="broken graph after fuse: "):
        verify_graph(read_graph(text.replace("index j", "index i")))


# -------------------------------------------------------------------------------------------- forms
def test_forms_of_the_example() -> None:
    graph = read_graph(GOOD)
    assert {form for form in Form if holds(form, graph)} == {
        Form.TYPED,
        Form.LAWS,
        Form.FUSED,
        Form.PLACED,
    }


@pytest.mark.parametrize(
    ("form", "old", "new", "reason"),
    [
        (Form.NORMAL, "", "", "%19: f32{i, j} = softmax[j; %18](%7): not normal"),
        (Form.NORMAL, "softmax[j; %18](%7)", "exp(%7)", ""),
        (Form.NORMAL, "softmax[j; %18](%7)", "exp(%7)\n  %30: f32{i} = reduce lse[j](%7)", "%30"),
        (Form.FORMATS, "", "", "%3 has no format"),
        (Form.FUSED, "region r0 (%15)\n", "", "no region stores the output Y"),
        (Form.SCHEDULED, "", "", "region r0 has no schedule"),
        (Form.SCHEDULED, "region r0 (%15)\n", "region r0 (%15)\n    | grid\n", ""),
        (Form.PLACED, " order [1, 0]", "", "the order of %16 is not stated"),
        (Form.TYPED, "%12: f32{i, j}", "%12: f32{i}", "it varies over {i, j}"),
    ],
)
def test_what_a_form_lacks(form: Form, old: str, new: str, reason: str) -> None:
    graph = read_graph(GOOD.replace(old, new, 1))
    assert holds(form, graph) == (not reason)
    if reason:
        with pytest.raises(InternalError) as caught:
            check(form, graph)
        first = str(caught.value).split("\n")[0]
        assert first.startswith(f"not in form {form.value}: ")
        assert reason in first
    else:
        check(form, graph)


def test_tables_that_exist_in_memory() -> None:
    graph = read_graph(GOOD)
    assert kept_tables(graph) == (3, 6, 15, 16, 17, 20, 23)
