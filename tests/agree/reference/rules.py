"""Sentences of the language page, each as a small kernel with inputs and what it gives.

The values on the right are worked out by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

INF, NAN = np.inf, np.nan
Given = Mapping[str, ArrayLike]


@dataclass(frozen=True)
class Rule:
    """One sentence: a program of one kernel, its inputs and outputs, sizes that nothing shows."""

    name: str
    text: str
    given: Given
    wanted: Given
    sizes: Mapping[str, int] = field(default_factory=dict)


A = [[1, 0, 2], [0, 0, 0], [3, 4, 0]]
X = [1.0, 2.0, 4.0]

RULES: tuple[Rule, ...] = (
    # ------------------------------------------------------------------------------------- scope
    Rule(
        "an index only on the left broadcasts",
        "kernel k(x: f32[N]) -> Y: f32[M, N] { Y[m, n] = x[n] }",
        {"x": X},
        {"Y": [X, X]},
        {"M": 2},
    ),
    Rule(
        "a reduction takes the product to its right",
        "kernel k(x: f32[N], b: f32) -> y: f32 { y = sum[n] 2 * x[n] + b }",
        {"x": X, "b": 1.0},
        {"y": 15.0},
    ),
    Rule(
        "a reduction takes the parentheses after it",
        "kernel k(x: f32[N], b: f32) -> y: f32 { y = sum[n](x[n] + b) }",
        {"x": X, "b": 1.0},
        {"y": 10.0},
    ),
    Rule(
        "a size is a number",
        "kernel k(x: f32[N]) -> y: f32 { y = (sum[n] x[n]) / N }",
        {"x": X},
        {"y": 7 / 3},
    ),
    # ------------------------------------------------------------------------------------ brackets
    Rule(
        "conditions and ranges in brackets",
        "kernel k(x: f32[N], lo: i32, hi: i32) -> y: f32 { y = sum[n in lo .. hi, n != 1] x[n] }",
        {"x": X, "lo": 0, "hi": 3},
        {"y": 5.0},
    ),
    Rule(
        "a range is cut to the size at which its index stands alone",
        "kernel k(x: f32[N]) -> y: f32[N] { y[i] = sum[j in i - 1 .. i + 2] x[j] }",
        {"x": X},
        {"y": [3.0, 7.0, 6.0]},
    ),
    Rule(
        "n <= i binds a triangle",
        "kernel k(x: f32[N]) -> y: f32[N] { y[i] = sum[n <= i] x[n] }",
        {"x": X},
        {"y": [1.0, 3.0, 7.0]},
    ),
    Rule(
        "nothing behind a false condition is evaluated",
        "kernel k(x: f32[V], id: i32[N]) -> y: f32 {\n"
        "    y = sum[n, id[n] >= 0, x[id[n]] > 1] x[id[n]]\n"
        "}",
        {"x": X, "id": [-1, 2, 0, 1, 2]},
        {"y": 10.0},
    ),
    Rule(
        "if and else evaluate one side",
        "kernel k(x: f32[V], id: i32[N]) -> y: f32[N] { y[n] = x[id[n]] if id[n] >= 0 else -1 }",
        {"x": X, "id": [2, -1]},
        {"y": [4.0, -1.0]},
    ),
    Rule(
        "for names what is defined, a dense output is 0 elsewhere",
        "kernel k(x: f32[N]) -> y: f32[N] { y[n] = x[n] + 1  for n in 1 .. 3, x[n] < 3 }",
        {"x": X},
        {"y": [0.0, 3.0, 0.0]},
    ),
    # ------------------------------------------------------------------------------------ patterns
    Rule(
        "patterns combine",
        "kernel k(x: f32[N]) -> y: f32[N] {\n"
        "    P = j <= i\n"
        "    D = i == j\n"
        "    T = P and not D\n"
        "    y[i] = sum[j in T] x[j]\n"
        "}",
        {"x": X},
        {"y": [0.0, 1.0, 3.0]},
    ),
    Rule(
        "a bool table is a pattern, and membership is a condition",
        "kernel k(x: f32[N], T: bool[M, N]) -> y: f32[M], z: f32[M] {\n"
        "    y[i] = sum[j in T[i]] x[j]\n"
        "    z[i] = sum[j] (x[j] if j in T[i] else 10)\n"
        "}",
        {"x": X, "T": [[1, 0, 1], [0, 0, 0]]},
        {"y": [5.0, 0.0], "z": [15.0, 30.0]},
    ),
    Rule(
        "blocks of a pattern",
        "kernel k(x: f32[B * 2], T: bool[B]) -> y: f32 { y = sum[j in T * 2] x[j] }",
        {"x": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], "T": [1, 0, 1]},
        {"y": 51.0},
    ),
    Rule(
        "pairs of a pattern",
        "kernel k(x: f32[M, N], T: bool[M, N]) -> y: f32 { y = sum[(a, b) in T] x[a, b] }",
        {"x": [[1, 2], [4, 8]], "T": [[1, 0], [1, 1]]},
        {"y": 13.0},
    ),
    Rule(
        "a coordinate takes part once",
        "kernel k(x: f32[N], id: i32[M]) -> y: f32 {\n"
        "    T[n] = any[m](id[m] == n)  for n < N\n"
        "    y = sum[n in T] x[n]\n"
        "}",
        {"x": X, "id": [2, 0, 2, -1]},
        {"y": 5.0},
    ),
    Rule(
        "selections by place",
        "kernel k(x: f32[M, N]) -> y: f32[M] {\n"
        "    T[i, j] = topk[j](x[i, j]; k = 1)\n"
        "    y[m] = sum[n in T[m]] x[m, n]\n"
        "}",
        {"x": [[1, 5, 5], [-3, -2, -2]]},
        {"y": [5.0, -2.0]},
    ),
    Rule(
        "k may depend on other indices",
        "kernel k(x: f32[M, N], c: i32[M]) -> y: f32[M] {\n"
        "    T = topk[j](x[i, j]; k = c[i])\n"
        "    y[i] = sum[j in T] x[i, j]\n"
        "}",
        {"x": [[1, 5, 2], [7, 3, 9], [1, 1, 1]], "c": [2, 5, 0]},
        {"y": [7.0, 19.0, 0.0]},
    ),
    Rule(
        "top_p takes the fewest largest that reach the mass",
        "kernel k(x: f32[N]) -> y: f32[N] {\n"
        "    T = top_p[n](x[n]; p = 0.75)\n"
        "    y[n] = f32(n in T)\n"
        "}",
        {"x": [0.5, 0.125, 0.25, 0.125]},
        {"y": [1.0, 0.0, 1.0, 0.0]},
    ),
    # -------------------------------------------------------------------------------------- sparse
    Rule(
        "absent entries equal the fill in max and softmax",
        "kernel k(S: sparse f32[M, N]) -> y: f32[M], p: f32[M, N] {\n"
        "    y[m] = max[n] S[m, n]\n"
        "    p[m, n] = softmax[n](S[m, n])\n"
        "}",
        {"S": [[-1, 0], [0, 0]]},
        {"y": [0.0, 0.0], "p": [[1 / (1 + np.e), np.e / (1 + np.e)], [0.5, 0.5]]},
    ),
    Rule(
        "present entries only",
        "kernel k(W: sparse f32[M, N], x: f32[N]) -> y: f32[M], n: i32[M] {\n"
        "    y[m] = max[k in W[m]](W[m, k] * x[k])\n"
        "    n[m] = sum[k in W[m]] 1\n"
        "}",
        {"W": [[-1, 0, -2], [0, 0, 0], [0, 3, 0]], "x": X},
        {"y": [-1.0, -INF, 6.0], "n": [2, 0, 1]},
    ),
    Rule(
        "another fill",
        "kernel k(E: sparse(fill = inf) f32[N, N]) -> y: f32[N] { y[v] = min[u] E[u, v] }",
        {"E": [[INF, 2], [INF, 1]]},
        {"y": [INF, 1.0]},
    ),
    # --------------------------------------------------------------------------------------- types
    Rule(
        "division of integers floors and the remainder has the divisor's sign",
        "kernel k(a: i32[N], b: i32[N]) -> q: i32[N], r: i32[N], f: f32[N] {\n"
        "    q[n] = a[n] / b[n]\n"
        "    r[n] = a[n] % b[n]\n"
        "    f[n] = f32(a[n] / b[n])\n"
        "}",
        {"a": [7, -7, 7, -7], "b": [2, 2, -2, -2]},
        {"q": [3, -4, -4, 3], "r": [1, 1, -1, -1], "f": [3.0, -4.0, -4.0, 3.0]},
    ),
    Rule(
        "only outputs round, also for later statements",
        "kernel k(x: f32) -> y: f16, z: f32, w: f32 {\n"
        "    t = x * 2\n"
        "    y = t\n"
        "    z = y\n"
        "    w = t + f16(x)\n"
        "}",
        {"x": 1 + 2.0**-12},
        {"y": 2.0, "z": 2.0, "w": 3 + 2.0**-11},
    ),
    Rule(
        "floats to integers truncate and saturate",
        "kernel k(x: f32[N]) -> y: i8[N] { y[n] = i8(x[n]) }",
        {"x": [2.9, -2.9, 1000.0, NAN]},
        {"y": [2, -2, 127, 0]},
    ),
    Rule(
        "bools are 0 and 1, and bits agree",
        "kernel k(x: f32[N], B: bits[N]) -> c: i32, s: i32 {\n"
        "    c = sum[n] (x[n] > 1)\n"
        "    s = sum[n] bit(x[n] > 1) xnor B[n]\n"
        "}",
        {"x": X, "B": [1, 0, 1]},
        {"c": 2, "s": 1},
    ),
    Rule(
        "a bit of a word",
        "kernel k(w: u8[N]) -> y: i32[N] { y[n] = bit(w[n], 3) + bit(w[n], 0) }",
        {"w": [8, 9, 1, 246]},
        {"y": [1, 2, 1, 0]},
    ),
    # ------------------------------------------------------------------------------- over nothing
    Rule(
        "over nothing",
        "kernel k(x: f32[N]) ->\n"
        "    s: f32, m: f32, p: f32, g: f32, l: f32, z: f32, a: i64, e: f32[N] {\n"
        "    s = sum[n, x[n] > 9] x[n]\n"
        "    m = mean[n, x[n] > 9] x[n]\n"
        "    p = prod[n, x[n] > 9] x[n]\n"
        "    g = max[n, x[n] > 9] x[n]\n"
        "    l = min[n, x[n] > 9] x[n]\n"
        "    z = lse[n, x[n] > 9](x[n])\n"
        "    a = argmax[n, x[n] > 9](x[n])\n"
        "    e[n] = softmax[n, x[n] > 9](x[n])\n"
        "}",
        {"x": X},
        {"s": 0.0, "m": 0.0, "p": 1.0, "g": -INF, "l": INF, "z": -INF, "a": -1, "e": [0, 0, 0]},
    ),
    # ------------------------------------------------------------------------------------- updates
    Rule(
        "an update keeps other entries and is seen by later statements",
        "kernel k(K: inout f32[L, D], x: f32[D], n: i32) -> s: f32 {\n"
        "    K[n, d] := x[d] + K[n, d]\n"
        "    s = sum[l, d] K[l, d]\n"
        "}",
        {"K": [[1, 2], [3, 4]], "x": [10.0, 20.0], "n": 1},
        {"K": [[1, 2], [13, 24]], "s": 40.0},
    ),
    # ------------------------------------------------------------------------ functions, monoids
    Rule(
        "functions and patterns take options",
        "fn scale(x; by) = x * by + 1\n"
        "pattern band(i, j; w) = i - j in 0 .. w\n"
        "kernel k(x: f32[N]) -> y: f32[N] {\n"
        "    y[i] = sum[j in band(i, j; w = 2)] scale(x[j]; by = 3)\n"
        "}",
        {"x": X},
        {"y": [4.0, 11.0, 20.0]},
    ),
    Rule(
        "a monoid keeps the order of its index",
        "monoid last(x) {\n"
        "    one   v = x, n = 1\n"
        "    none  v = 0, n = 0\n"
        "    merge v = b.v if b.n > 0 else a.v, n = a.n + b.n\n"
        "    give  v * 100 + n\n"
        "}\n"
        "kernel k(x: f32[M, N]) -> y: f32[M] { y[m] = last[n, x[m, n] > 0](x[m, n]) }",
        {"x": [[1, 5, -1], [-1, -1, -1]]},
        {"y": [502.0, 0.0]},
    ),
)
