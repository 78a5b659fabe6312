"""The other messages of each code: what is said, and that nothing else is said beside it."""

from __future__ import annotations

import pytest

from hastec.diag import HasteError, Source
from hastec.front.build import check

HEAD = "x: f32[N], W: sparse f32[M, K], v: f32[K], a: f32, n: i32, at: i32[N], c: inout f32[N]"
BEFORE = """
fn twice(x) = x + x
fn cap(x; c) = c * tanh(x / c)
pattern band(i, j; w) = i - j in 0 .. w
monoid both(g, x) {
    one   h = g + x
    none  h = 0
    merge h = a.h + b.h
    give  h
}
"""

STATEMENTS = [
    # names
    ("HST1001", "y[i] = y[i] + 1", "`y` is used before it is defined"),
    ("HST1001", "y[i] = twice + x[i]", "`twice` is a function and needs arguments"),
    ("HST1001", "y[i] = x[i] + Q", "no table here has a size `Q`"),
    ("HST1002", "y[i] = x[j + 1]", "index `j` is not bound"),
    ("HST1003", "y[i] = sum[j] (sum[j] x[j])", "index `j` is bound twice"),
    ("HST1003", "y[i] = sum[j, j] x[j]", "index `j` is bound twice"),
    ("HST1004", "t = sum[j] x[j] + x[j]\ny[i] = x[i]", "index `j` is used outside its reduction"),
    ("HST1005", "y[i] = sum[a] x[i]", "`a` cannot be an index"),
    ("HST1005", "y[i] = sum[t] x[t]\nt[i] = x[i]", "`t` cannot be an index"),
    ("HST1005", "y[i] = sum[twice] x[twice]", "`twice` cannot be an index"),
    ("HST1005", "twice[i] = x[i]", "`twice` cannot be defined"),
    ("HST1005", "N[i] = x[i]", "`N` cannot be defined"),
    ("HST1008", "t[i] = x[i]\nt[i] = x[i]\ny[i] = x[i]", "`t` is defined twice"),
    ("HST1009", "c[i] = x[i]\ny[i] = x[i]", "`c` is an input and cannot be defined"),
    ("HST1009", "y[i] := x[i]", "`y` is an output and cannot be updated"),
    ("HST1009", "t[i] := x[i]\ny[i] = x[i]", "`t` is no input and cannot be updated"),
    # functions
    ("HST1011", "y[i] = pow(x[i])", "`pow` takes 2 arguments, not 1"),
    ("HST1011", "y[i] = min(x[i])", "`min` takes two arguments or more"),
    ("HST1011", "y[i] = twice(x[i], 2)", "`twice` takes 1 argument, not 2"),
    ("HST1011", "y[i] = sum[j](x[j], 2)", "`sum` takes 1 argument, not 2"),
    ("HST1011", "y[i] = both[j](x[j])", "`both` takes 2 arguments, not 1"),
    ("HST1011", "T = topk[j](x[j], 1; k = 2)\ny[i] = x[i]", "`topk` takes one argument, not 2"),
    ("HST1012", "y[i] = exp(x[i]; k = 2)", "`exp` takes no options"),
    ("HST1012", "y[i] = sum[j](x[j]; k = 2)", "`sum` takes no options"),
    ("HST1012", "y[i] = cap(x[i])", "`cap` needs the option `c`"),
    ("HST1012", "y[i] = cap(x[i]; 2, 3)", "`this` is no option of `cap`"),
    ("HST1012", "y[i] = cap(x[i]; c = 2, c = 3)", "`c` is given twice"),
    ("HST1012", "y[i] = 1 if i in topk[j](x[j]; 3, k = 2) else 0", "the option `k` is given twice"),
    ("HST1012", "y[i] = 1 if i in topk[j](x[j]; kk = 2) else 0", "`topk` has no option `kk`"),
    ("HST1012", "y[i] = 1 if i in where[j](x[j] > 0; k = 2) else 0", "`where` has no option `k`"),
    ("HST1013", "y[i] = where(x[i] > 0, 1, 2)", "there is no function `where`"),
    ("HST1013", "y[i] = sum(x[i])", "there is no function `sum`"),
    ("HST1013", "y[i] = both(x[i], 2)", "there is no function `both`"),
    ("HST1013", "y[i] = totals[j](x[j])", "`totals` is no reduction"),
    ("HST1013", "y[i] = twice[j](x[j])", "`twice` is no reduction"),
    ("HST1014", "y[i] = a.x", "`a.x` may only stand in the `merge` of a monoid"),
    # brackets
    ("HST1016", "y[i] = sum[x[i] > 0](x[i])", "`sum[…]` binds no index"),
    ("HST1016", "y[i] = argmax[j, k](W[j, k])", "`argmax` gives one index, and 2 are bound here"),
    ("HST1016", "y[i] = softmax[x[i] > 0](x[i])", "`softmax` begins with the index it keeps"),
    ("HST1016", "T = topk[2](x[i]; k = 2)\ny[i] = x[i]", "begins with the index it selects along"),
    (
        "HST1016",
        "y[i] = 1 if topk[j](x[j]; k = 1) else 0",
        "`topk` keeps its index, and `j` is not",
    ),
    ("HST1016", "T[m, k] = topk[k](W[m, k]; k = k)\ny[i] = x[i]", "cannot depend on `k`"),
    ("HST1018", "T = where[j](x[j] > 0)\ny[i] = 1 if (i, i) in T else 0", "not clear"),
    ("HST1018", "y[i] = 1 if (i, i) in where[j](x[j] > 0) else 0", "a selection has one index"),
    # types and shapes
    ("HST2002", "y[i] = sum[q] x[i]", "nothing says how far index `q` goes"),
    ("HST2004", "y = x[i]", "the output `y` has 1 dimension"),
    ("HST2004", "y[i, j] = x[i]", "`y` has 1 dimension, not 2"),
    ("HST2004", "y[i] = a[i]", "`a` is a single value and takes no index"),
    ("HST2004", "T = where[j](x[j] > 0)\ny[i] = 1 if T[i] else 0", "takes its indices by name"),
    ("HST2004", "y[i] = sum[k in W] v[k]", "`W` has 2 dimensions, and 1 subscript stands here"),
    ("HST2004", "c := x[0]\ny[i] = x[i]", "`c` has 1 dimension, and 0 subscripts stand here"),
    ("HST2005", "y[i] = 1 if x[i] and a > 0 else 0", "what `and` joins must be true or false"),
    ("HST2005", "y[i] = not x[i]", "what `not` takes must be true or false"),
    ("HST2005", "y[i] = any[j](x[j])", "what `any` takes must be true or false"),
    ("HST2005", "y[i] = mean[j](x[j] > 0)", "what `mean` takes must be a number"),
    ("HST2005", "y[i] = both[j](x[j] > 0, 2)", "what `both` takes must be a number"),
    ("HST2005", "y[i] = x[i] if a > 0 else a < 0", "`if` and `else` give a truth value"),
    ("HST2005", "y[i] = x[i] xor 2", "`xor` takes bits or integers"),
    ("HST2005", "y[i] = shl(x[i], 2)", "`shl` takes bits or integers"),
    ("HST2005", "y[i] = sum[j, a] x[j]", "`a` cannot be an index"),
    ("HST2005", "y[i] = bit(x[i])", "what `bit` takes must be true or false"),
    ("HST2006", "y[i] = sum[j in 0 .. x[i]] x[j]", "the end of a range must be an integer"),
    ("HST2006", "y[i] = 1 if i in topk[j](x[j]; k = a) else 0", "`k` must be an integer"),
    ("HST2006", "y[i] = bit(x[i], 2)", "the first argument of `bit` must be an integer"),
    ("HST2011", "y[i] = sum[j] j[i]", "`j` is an index, not a table"),
    ("HST2012", "t[b, d, e, f, g, h, i, j, k] = 1\ny[i] = x[i]", "more than 8"),
    ("HST2013", "y[i] = x[i] + n % 0", "an integer is divided by zero"),
    ("HST2016", "t[i] = x[i] * n for i < n\nu[j] = 1 for j < n\ny[i] = x[i]", "`u` has no known"),
    ("HST2017", "y[i] = x[i] if i in W[0] * 2 / 3 else 0", "can only be scaled by `*`"),
    ("HST2017", "y[i] = x[i] if i in a else 0", "`a` is not a pattern"),
    ("HST2017", "t[i] = exp(x[i])\ny[i] = sum[j in t] x[j]", "`t` is not a pattern"),
    ("HST2017", "P = x[j] + 1\ny[i] = sum[j in P] x[j]", "`P` is not a pattern"),
]
SECOND = {"`a` cannot be an index": "HST1005"}
"""Texts that belong to another code than the one their group is about."""


def diagnostics(text: str) -> list[tuple[str, str]]:
    with pytest.raises(HasteError) as caught:
        check(Source("test", text))
    assert all(d.help and d.span for d in caught.value.diagnostics)
    return [(d.code, d.message) for d in caught.value.diagnostics]


@pytest.mark.parametrize(("code", "body", "message"), STATEMENTS)
def test_statements(code: str, body: str, message: str) -> None:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    found = diagnostics(f"{BEFORE}kernel k({HEAD}) -> y: f32[N] {{\n{lines}}}\n")
    assert [c for c, _ in found] == [SECOND.get(message, code)]
    assert message in found[0][1]


DECLARATIONS = [
    ("HST1001", "fn f(x) = x + q", "`q` is no name known here"),
    ("HST1001", "fn f(x) = sum[k] T[k]", "`T` is no name known here"),
    ("HST1001", "monoid m(x) {\n one h = y\n none h = 0\n merge h = a.h\n give h\n}", "`y` is no"),
    ("HST1005", "fn f(x; x) = x", "`x` is named twice"),
    ("HST1005", "fn exp(x) = x", "`exp` is a function of the language"),
    ("HST1008", "fn f(x) = x\nmonoid f(x) {\n one h = x\n none h = 0\n merge h = a.h\n give h\n}",
     "`f` is declared twice"),
    ("HST1008", "kernel k(x: f32, x: f32) -> y: f32 { y = x }", "`x` is declared twice"),
    ("HST1005", "fn x(z) = z\nkernel k(x: f32) -> y: f32 { y = x }", "`x` cannot be a table"),
    ("HST1005", "kernel k(N: f32[N]) -> y: f32 { y = 1 }", "`N` cannot be a table"),
    ("HST1007", "kernel k(x: f32) -> y: f32 { z = x }", "the output `y` is never computed"),
    ("HST1010", "fn f(x) = f(x) + 1", "`f` is made of itself"),
    ("HST1020", "schedule k { tile(m = 64) }", "there is no kernel `k`"),
    ("HST1021", "monoid m(x) {\n one h = x\n none h = 0\n give h\n}", "lacks `merge`"),
    ("HST1021", "monoid m(x) {\n one h = x\n one h = x\n}", "`one` is given twice"),
    ("HST1021", "monoid m(x) {\n two h = x\n}", "`two` is no part of a monoid"),
    ("HST1021", "monoid m(x) {\n one x\n}", "`one` gives fields by name"),
    ("HST1021", "monoid m(x) {\n give h = x\n}", "`give` gives one value"),
    ("HST1021", "monoid m(x) {\n one h = sum[k] x\n none h = 0\n merge h = a.h\n give h\n}",
     "a monoid is made of arithmetic"),
    ("HST1011", "monoid m(x) {\n one h = exp(x, x)\n none h = 0\n merge h = a.h\n give h\n}",
     "`exp` takes 1 argument, not 2"),
    ("HST1013", "monoid m(x) {\n one h = ex(x)\n none h = 0\n merge h = a.h\n give h\n}",
     "there is no function `ex`"),
    ("HST1011", "fn f(x; c) = x\nmonoid m(x) {\n one h = f(x)\n none h = 0\n merge h = a.h\n"
     " give h\n}", "`f` takes x, c"),
    ("HST2005", "pattern p(i) = i + 1\nkernel k(x: f32[N]) -> y: f32[N] "
     "{ y[i] = x[i] if p(i) else 0 }", "the pattern `p` must be true or false"),
    ("HST2008", "kernel k(x: f32[N - N - 1]) -> y: f32 { y = 1 }", "a dimension cannot be -1"),
    ("HST2008", "kernel k(x: f32[exp(N)]) -> y: f32 { y = 1 }", "a dimension is made of sizes"),
    ("HST2008", "kernel k(x: f32[N / 0]) -> y: f32 { y = 1 }", "a dimension is made of sizes"),
    # formats
    ("HST3003", "kernel k(x: f32[N] index u17) -> y: f32 { y = 1 }", "no index code `u17`"),
    ("HST3004", "kernel k(x: f32[N, M] @ bsr(1, 2, 3)) -> y: f32 { y = 1 }", "too many options"),
    ("HST3004", "kernel k(x: f32[N, M] @ bsr(r = 1, q = 2)) -> y: f32 { y = 1 }",
     "has no option `q`"),
    ("HST3004", "kernel k(x: f32[N, M] @ bsr(r = 1, r = 2)) -> y: f32 { y = 1 }",
     "`r` is given twice"),
    ("HST3004", "kernel k(x: f32[N, M] @ bsr(0, 2)) -> y: f32 { y = 1 }", "a positive integer"),
    ("HST3004", "kernel k(x: f32[N, M] @ bsr(q, 2)) -> y: f32 { y = 1 }", "`q` is no size or"),
    ("HST3004", "kernel k(x: f32[N, M] @ bsr(n, 2), n: i32) -> y: f32 { y = 1 }",
     "the option `r` of `bsr` is a number"),
    ("HST3004", "kernel k(x: f32[N] values int4(group = x)) -> y: f32 { y = 1 }",
     "an option of a code is a positive integer"),
    ("HST3004", "format f(i) = fixed(i; q)", "`q` is not a number here"),
    ("HST3004", "format f(i) = fixed(i; 1 + 2)", "a number or an option"),
    ("HST3005", "format f(i, j) = dense(i, j)", "`dense` stores one coordinate"),
    ("HST3005", "format f(i, j) = dense(i), dense(j + 1)", "a level stores a dimension"),
    ("HST3005", "format f(i) = dense(i / 2), dense(i % 3)", "does not give each coordinate once"),
    ("HST3005", "format f(i) = dense(i), dense(i)", "does not give each coordinate once"),
    ("HST3005", "format f(i, j) = csr(i)", "`csr` takes 2 dimensions of this format"),
    ("HST3005", "format g(i, j) = csr(i, j) + coo(i, j)\nformat f(h, i, j) = dense(h), g(i, j)",
     "`g` has several parts"),
    ("HST3006", "format f(i; c) = dense(i) if i < c else dense(i) if i < c else dense(i)",
     "a cut inside a cut"),
    ("HST3006", "format f(i; c) = dense(i) + (dense(i) if i < c else dense(i))",
     "a sum cannot contain a cut"),
    ("HST3006", "format f(i; c) = (bitmap(i) + dense(i)) if i < c else dense(i)",
     "a cut joins two layouts"),
    ("HST3006", "format g(i; c) = bitmap(i) if i < c else dense(i)\nformat f(i; c) = g(i; c)",
     None),
    ("HST3008", "kernel k(x: sparse sparse f32[N]) -> y: f32 { y = 1 }", "beside `sparse`"),
    ("HST3008", "kernel k(x: static inout f32[N]) -> y: f32 { y = 1 }", "cannot be static"),
    ("HST3008", "kernel k(x: f32[N]) -> y: static f32 { y = 1 }", "an output cannot be `static`"),
    ("HST3008", "kernel k(x: host(2) f32[N]) -> y: f32 { y = 1 }", "`host` takes no options"),
    ("HST3008", "kernel k(x: sparse(2) f32[N]) -> y: f32 { y = 1 }", "options of `sparse` have"),
    ("HST3008", "kernel k(x: sparse(cap = 2) f32[N]) -> y: f32 { y = 1 }", "`cap` is how many"),
    ("HST3008", "kernel k(x: sparse(fill = N) f32[N]) -> y: f32 { y = 1 }", "a number belongs"),
    ("HST3008", "kernel k(x: sparse(fill = inf) i32[N]) -> y: f32 { y = 1 }", "the fill inf is no"),
    ("HST3008", "kernel k(x: sparse(fill = -1) u8[N]) -> y: f32 { y = 1 }", "the fill -1 is no"),
    ("HST3008", "kernel k(x: sparse(fill = 2) bool[N]) -> y: f32 { y = 1 }", "the fill 2 is no"),
    ("HST3009", "kernel k(x: f32[N] like y) -> y: f32[N] { y[i] = x[i] }", "only an output"),
    ("HST3009", "kernel k(x: f32[N]) -> y: f32[N] like x { y[i] = x[i] }", "`x` is not sparse"),
    ("HST3009", "kernel k(x: f32[N]) -> y: f32[N] like z { y[i] = x[i] }", "`z` is no input"),
    ("HST3010", "kernel k(x: u8[N] values planes(4, 2)) -> y: f32 { y = 1 }", "hold 6 bits"),
    ("HST3011", "kernel k(x: sparse f32[N]) -> y: sparse(fill = inf) f32[N] { y[i] = x[i] }",
     "every entry of it is stored"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "message"), DECLARATIONS)
def test_declarations(code: str, text: str, message: str | None) -> None:
    found = diagnostics(text)
    assert {c for c, _ in found} == {code}
    assert message is None or message in found[0][1]


SCHEDULES = [
    ("tile(m = 64)\ntile(m = 32)", "`tile.m` is set twice"),
    ("tile(1, 2)", "`tile` takes one number"),
    ("tile(m = 0)", "a setting is a positive integer"),
    ("tile(; 64)", "a setting has a name"),
]


@pytest.mark.parametrize(("body", "message"), SCHEDULES)
def test_schedules(body: str, message: str) -> None:
    kernel = "kernel k(x: f32) -> y: f32 { y = x }\n"
    assert diagnostics(f"{kernel}schedule k {{\n{body}\n}}") == [("HST1020", message)]


def test_two_schedules_of_one_kernel() -> None:
    text = "kernel k(x: f32) -> y: f32 { y = x }\nschedule k { a }\nschedule k { b }"
    assert diagnostics(text) == [("HST1020", "the kernel `k` has two schedules")]
