"""What each construct of the language means: programs against NumPy, run by the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.build_help import kernel, run

RNG = np.random.default_rng(5)
S = np.round(RNG.uniform(-9, 9, (3, 8)), 2)
X = np.round(RNG.uniform(-4, 4, 8))


def softmax(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    kept = np.where(mask, np.exp(np.where(mask, scores, -np.inf) - scores.max()), 0)
    return np.asarray(kept / kept.sum(-1, keepdims=True))


def top(scores: np.ndarray, k: int) -> np.ndarray:
    mask = np.zeros(scores.shape, bool)
    np.put_along_axis(mask, np.argsort(-scores, axis=-1, kind="stable")[..., :k], True, -1)
    return mask


def test_condition_by_name_is_read_at_each_use() -> None:
    graph = kernel("x: f32[N]", "y: f32[N], z: f32[N]",
                   "P = j <= i and i - j < 3",
                   "y[i] = sum[j in P] x[j]",
                   "z[j] = sum[i in P] x[i]")  # fmt: skip
    i, j = np.indices((8, 8))
    near = (j <= i) & (i - j < 3)
    found = run(graph, x=X)
    assert np.array_equal(found["y"], near @ X)
    assert np.array_equal(found["z"], near.T @ X)


def test_member_fills_the_index_that_is_not_in_scope() -> None:
    graph = kernel("x: f32[N]", "y: f32[N]", "P = j <= i", "y[i] = sum[q in P] x[q]")
    assert np.array_equal(run(graph, x=X)["y"], np.cumsum(X))


def test_value_by_name_with_a_reduction_is_a_table() -> None:
    graph = kernel("s: f32[H, L]", "y: f32[H, L]",
                   "total = sum[l] s[h, l]",
                   "y[h, l] = s[h, l] - total")  # fmt: skip
    found = run(graph, s=S)["y"]
    assert np.allclose(found, S - S.sum(1, keepdims=True), atol=1e-4)


def test_selection_by_name_beside_a_condition() -> None:
    graph = kernel("s: f32[H, L]", "y: f32[H]",
                   "T = topk[l](s[h, l]; k = 2)",
                   "P = T or l < 3",
                   "y[h] = sum[l in P] s[h, l]")  # fmt: skip
    mask = top(S, 2) | (np.arange(8) < 3)
    assert np.allclose(run(graph, s=S)["y"], (S * mask).sum(1), atol=1e-5)


@pytest.mark.parametrize(
    "item",
    [
        "l in topk[l](s[h, l]; k = 3)",
        "l in (T and l >= 0)",
        "q in topk[l](s[h, l]; k = 3)",
        "q in T",
    ],
)
def test_selection_inside_an_expression(item: str) -> None:
    name = item[0]
    graph = kernel("s: f32[H, L]", "y: f32[H]",
                   "T = topk[l](s[h, l]; k = 3)",
                   f"y[h] = sum[{item}] s[h, {name}]")  # fmt: skip
    assert np.allclose(run(graph, s=S)["y"], (S * top(S, 3)).sum(1), atol=1e-5)


def test_selection_inside_a_selection() -> None:
    graph = kernel("s: f32[H, L]", "y: f32[H]",
                   "T = topk[l in topk[l](s[h, l]; k = 5)](-s[h, l]; k = 2)",
                   "y[h] = sum[l in T] s[h, l]")  # fmt: skip
    want = (S * (top(S, 5) & ~top(S, 3))).sum(1)
    assert np.allclose(run(graph, s=S)["y"], want, atol=1e-5)


def test_selection_in_a_function_varies_over_what_is_around_it() -> None:
    graph = kernel("s: f32[H, L], n: i32[H]", "y: f32[H]",
                   "y[h] = sum[l in n[h] .. L] best(s, h; k = 2, l = l)",
                   before="fn best(s, h; k, l) = s[h, l] if l in topk[q](s[h, q]; k = k) else 0",
                   )  # fmt: skip
    n = np.array([0, 2, 5], np.int32)
    mask = top(S, 2) & (np.arange(8) >= n[:, None])
    assert np.allclose(run(graph, s=S, n=n)["y"], (S * mask).sum(1), atol=1e-5)


def test_pattern_by_place_and_by_name_are_one_pattern() -> None:
    placed = kernel("s: f32[H, L]", "y: f32[H]",
                    "T[h, l] = where[l](s[h, l] > 0)",
                    "y[h] = sum[l in T[h]] s[h, l]")  # fmt: skip
    named = kernel("s: f32[H, L]", "y: f32[H]",
                   "T = where[l](s[h, l] > 0)",
                   "y[h] = sum[l in T] s[h, l]")  # fmt: skip
    want = np.maximum(S, 0).sum(1)
    for graph in (placed, named):
        assert np.allclose(run(graph, s=S)["y"], want, atol=1e-5)


def test_blocks_scale_a_pattern() -> None:
    graph = kernel("x: f32[N]", "y: f32",
                   "m[b] = sum[j in b * 3 .. b * 3 + 3] x[j]  for b < (N + 2) / 3",
                   "T = topk[b](m[b]; k = 1)",
                   "y = sum[j in T * 3] x[j]")  # fmt: skip
    blocks = [X[0:3].sum(), X[3:6].sum(), X[6:8].sum()]
    assert run(graph, x=X)["y"] == max(blocks)


def test_always_and_ties() -> None:
    graph = kernel("x: i32[N]", "y: bool[N]",
                   "y[i] = topk[i](x[i]; k = 3, always i == 7)")  # fmt: skip
    x = np.array([1, 5, 5, 5, 0, 5, 2, -8], np.int32)
    assert np.flatnonzero(run(graph, x=x)["y"]).tolist() == [1, 2, 7]


def test_how_many_are_selected_may_vary() -> None:
    graph = kernel("s: f32[H, L], k: i32[H]", "y: f32[H]",
                   "T = topk[l](s[h, l]; k = k[h])",
                   "y[h] = sum[l in T] 1")  # fmt: skip
    assert run(graph, s=S, k=np.array([0, 3, 20], np.int32))["y"].tolist() == [0, 3, 8]


def test_top_p_takes_the_fewest() -> None:
    graph = kernel("p: f32[N]", "y: bool[N]", "y[i] = top_p[i](p[i]; p = 0.5)")
    found = run(graph, p=np.array([0.1, 0.3, 0.25, 0.2, 0.15]))["y"]
    assert np.flatnonzero(found).tolist() == [1, 2]


def test_selection_after_for_ranks_all_candidates() -> None:
    graph = kernel("x: f32[N]", "y: bool[N]", "y[i] = topk[i](x[i]; k = 2)  for i < 4")
    x = np.array([1.0, 9, 2, 3, 8, 0])
    assert np.flatnonzero(run(graph, x=x)["y"]).tolist() == [1]


def test_pairs_in_a_table() -> None:
    graph = kernel("E: bool[N, N], x: f32[N]", "y: f32", "y = sum[(a, b) in E] x[a] * x[b]")
    edges = RNG.random((8, 8)) < 0.3
    assert run(graph, E=edges, x=X)["y"] == X @ edges @ X


def test_present_entries_of_a_sparse_row() -> None:
    graph = kernel("W: sparse f32[M, K], x: f32[K]", "y: f32[M], n: i32[M]",
                   "y[m] = sum[k in W[m]] x[k]",
                   "n[m] = sum[(m2, k) in W, m2 == m] 1")  # fmt: skip
    w = np.array([[0, 2, 0, 0], [0, 0, 0, 0], [1, 0, -3, 4]], float)
    found = run(graph, W=w, x=X[:4])
    assert np.array_equal(found["y"], (w != 0) @ X[:4])
    assert found["n"].tolist() == [1, 0, 3]


def test_softmax_takes_the_conditions_of_its_index() -> None:
    graph = kernel("s: f32[H, L]", "y: f32[H, L], z: f32[H, L], w: f32[H, L]",
                   "T = topk[l](s[h, l]; k = 4)",
                   "y[h, l] = softmax[l](s[h, l])  for l in T, l < 6",
                   "z[h, l] = softmax[l in T](s[h, l])",
                   "w[h, l] = softmax[l, l > 2](s[h, l])  for l in T")  # fmt: skip
    mask, at = top(S, 4), np.arange(8)
    found = run(graph, s=S)
    assert np.allclose(found["z"], softmax(S, mask), atol=1e-6)
    # `l < 6` comes second, so it is a condition like `l in T`.
    assert np.allclose(found["y"], softmax(S, mask & (at < 6)), atol=1e-6)
    assert np.allclose(found["w"], softmax(S, mask & (at > 2)), atol=1e-6)


def test_softmax_by_name() -> None:
    graph = kernel("s: f32[H, L]", "y: f32[H]",
                   "p = softmax[l](s[h, l])",
                   "y[h] = sum[l] p * s[h, l]")  # fmt: skip
    want = (softmax(S, S == S) * S).sum(1)
    assert np.allclose(run(graph, s=S)["y"], want, atol=1e-4)


def test_functions_are_hygienic() -> None:
    graph = kernel("A: f32[N, N], x: f32[N]", "y: f32[N]",
                   "y[i] = sum[k] dot(A, x, k) * A[i, k]",
                   before="fn dot(A, x, i) = sum[k] A[i, k] * x[k]")  # fmt: skip
    a = np.round(RNG.uniform(-3, 3, (8, 8)))
    assert np.array_equal(run(graph, A=a, x=X)["y"], a @ (a @ X))


def test_pattern_with_its_last_argument_left_out() -> None:
    graph = kernel("x: f32[N]", "y: f32[N]",
                   "y[i] = sum[j in band(i; w = 2)] x[j]",
                   before="pattern band(i, j; w) = i - j in 0 .. w")  # fmt: skip
    want = X + np.concatenate([[0], X[:-1]])
    assert np.array_equal(run(graph, x=X)["y"], want)


def test_condition_makes_a_shift_fit() -> None:
    graph = kernel("x: f32[N]", "y: f32[N], z: f32[N]",
                   "y[i] = x[i + 1] - x[i] if i + 1 < N else 0",
                   "z[i] = sum[d in -1 .. 2, i + d >= 0, i + d < N] x[i + d]")  # fmt: skip
    found = run(graph, x=X)
    assert np.array_equal(found["y"], np.append(np.diff(X), 0))
    assert np.array_equal(found["z"], np.convolve(X, [1, 1, 1], "same"))


def test_range_that_looks_something_up_waits_for_its_condition() -> None:
    graph = kernel("at: i32[N], off: i32[M], x: f32[K]", "y: f32[N]",
                   "y[n] = sum[at[n] >= 0, k in 0 .. off[at[n]]] x[k]")  # fmt: skip
    found = run(graph, at=np.array([1, -1, 0]), off=np.array([2, 5]), x=X)["y"]
    assert found.tolist() == [X[:5].sum(), 0, X[:2].sum()]


def test_ragged_ranges_are_cut_to_the_table() -> None:
    graph = kernel("off: i64[B + 1], x: f32[N]", "y: f32[B]",
                   "y[b] = sum[n in off[b] .. off[b + 1]] x[n]")  # fmt: skip
    found = run(graph, off=np.array([-2, 3, 3, 11]), x=X)["y"]
    assert found.tolist() == [X[:3].sum(), 0, X[3:].sum()]


def test_blocks_of_a_query_dimension() -> None:
    graph = kernel("q: f32[M * W], C: f32[M, W]", "y: f32[M]",
                   "y[m] = sum[w] q[m * W + w] * C[m, w]")  # fmt: skip
    c = np.round(RNG.uniform(-3, 3, (4, 2)))
    assert np.array_equal(run(graph, q=X, C=c)["y"], (X.reshape(4, 2) * c).sum(1))


def test_update_through_indices() -> None:
    graph = kernel("K: inout f32[L, D], k: f32[B, D], at: i32[B]", "y: f32",
                   "K[at[b], d] := k[b, d]",
                   "y = sum[l, d] K[l, d]")  # fmt: skip
    old, new = np.ones((5, 2)), np.full((2, 2), 7.0)
    found = run(graph, K=old, k=new, at=np.array([3, 0]))
    assert found["y"] == 2 * 3 + 7 * 4
    assert found["K"][:, 0].tolist() == [7, 1, 1, 7, 1]


def test_condition_by_name_means_what_it_meant() -> None:
    """An update is seen by later statements, not by definitions that stand before it."""
    graph = kernel("x: inout f32[N]", "y: f32",
                   "P = x[i] > 0",
                   "x[i] := -x[i]",
                   "y = sum[i in P] x[i]")  # fmt: skip
    assert run(graph, x=X)["y"] == -X[X > 0].sum()


def test_bits() -> None:
    graph = kernel("w: u8[N], a: bits[N], b: bits[N]", "y: i32[N, J], z: i32",
                   "y[n, j] = bit(w[n], j)  for j < 8",
                   "z = sum[n] a[n] xnor b[n]")  # fmt: skip
    w = np.array([5, 255, 128], np.uint8)
    a, b = np.array([1, 0, 1], bool), np.array([1, 1, 1], bool)
    found = run(graph, {"J": 8}, w=w, a=a, b=b)
    assert np.array_equal(found["y"], (w[:, None] >> np.arange(8)) & 1)
    assert found["z"] == 2


def test_literals_beside_f64_are_f64() -> None:
    graph = kernel("x: f64[N]", "y: f64[N]", "y[i] = x[i] * 0.1")
    x = np.array([1.0, 3.0])
    assert np.array_equal(run(graph, x=x)["y"], x * 0.1)


def test_integers_floor() -> None:
    graph = kernel("x: i32[N]", "q: i32[N], r: i32[N], f: f32[N]",
                   "q[i] = x[i] / 3", "r[i] = x[i] % -3", "f[i] = f32(x[i] / 2)")  # fmt: skip
    x = np.array([-7, 7, 5], np.int32)
    found = run(graph, x=x)
    assert found["q"].tolist() == (x // 3).tolist()
    assert found["r"].tolist() == (x % -3).tolist()
    assert found["f"].tolist() == (x // 2).tolist()


def test_sizes_are_values() -> None:
    graph = kernel("x: f32[N]", "y: f32[N]", "y[i] = x[i] / N + (N + 2) / 3")
    assert np.allclose(run(graph, x=X)["y"], X / 8 + 3)


def test_chains_of_comparisons() -> None:
    graph = kernel("x: f32[N]", "y: bool[N]", "y[i] = -1 < x[i] <= 2 and not i in 0 .. 2")
    want = (X > -1) & (X <= 2) & (np.arange(8) >= 2)
    assert np.array_equal(run(graph, x=X)["y"], want)


def test_monoid_of_the_program() -> None:
    graph = kernel("x: f32[N]", "y: f32, n: f32",
                   "y = spread[i](x[i])", "n = spread[i, i > 99](x[i])",
                   before="""
monoid spread(x) {
    one   low = x, high = x
    none  low = inf, high = -inf
    merge low = min(a.low, b.low), high = max(a.high, b.high)
    give  high - low if high >= low else 0
}""")  # fmt: skip
    found = run(graph, x=X)
    assert found["y"] == np.ptp(X)
    assert found["n"] == 0


def test_min_of_several() -> None:
    graph = kernel("x: f32[N]", "y: f32[N]", "y[i] = min(x[i], 2, max(x[i], -1, 0))")
    assert np.array_equal(run(graph, x=X)["y"], np.minimum(np.minimum(X, 2), np.maximum(X, 0)))


def test_histogram_through_a_condition() -> None:
    graph = kernel("to: i32[N]", "y: i32[V]", "y[v] = sum[n, to[n] == v] 1")
    found = run(graph, {"V": 4}, to=np.array([0, 3, -1, 3, 9]))["y"]
    assert found.tolist() == [1, 0, 0, 2]


def test_selection_in_an_expression_with_a_reduction_for_its_key() -> None:
    graph = kernel("q: f32[H, D], k: f32[L, D], n: i32[H]", "y: f32[H], z: f32[H]",
                   "y[h] = sum[l in topk[l](sum[d < n[h]] q[h, d] * k[l, d]; k = 2)] l",
                   "z[h] = sum[d < n[h], l in top_p[l](soft(q, h, d) + k[l, d] * 0; p = 1e-6)] l",
                   before="fn soft(q, h, d) = softmax[d](q[h, d])")  # fmt: skip
    q, k = RNG.uniform(-1, 1, (3, 4)), RNG.uniform(-1, 1, (6, 4))
    n = np.array([1, 4, 3])
    found = run(graph, q=q, k=k, n=n)
    for h in range(3):
        scores = k[:, : n[h]] @ q[h, : n[h]]
        assert found["y"][h] == np.flatnonzero(top(scores, 2)).sum()
    assert found["z"].tolist() == [0, 0, 0]  # all keys of a place are equal: the first is enough


def test_definition_by_name_over_a_part() -> None:
    graph = kernel("x: f32[N]", "y: f32[N]",
                   "t = x[i] + sum[j] x[j]  for i < 3, x[i] > 0",
                   "u = x[i] * 2  for i in 2 .. 5",
                   "y[i] = t + u")  # fmt: skip
    at = np.arange(8)
    want = np.where((at < 3) & (X > 0), X + X.sum(), 0) + np.where((at >= 2) & (at < 5), 2 * X, 0)
    assert np.allclose(run(graph, x=X)["y"], want, atol=1e-4)


def test_counts_are_known_to_be_small() -> None:
    """A sum of truth values is at most the number of places, a choice between two both of them."""
    graph = kernel("x: f32[N], w: f32[N + 1], i8s: i8[N], v: f32[256]", "y: f32[N], z: f32[N]",
                   "y[i] = w[sum[j](x[j] < x[i])]",
                   "z[i] = v[i8s[i] + 128] + w[1 if x[i] > 0 else 0]")  # fmt: skip
    w, v = np.arange(9.0), np.arange(256.0)
    small = RNG.integers(-128, 128, 8).astype(np.int8)
    found = run(graph, x=X, w=w, i8s=small, v=v)
    assert found["y"].tolist() == [np.sum(x > X) for x in X]
    assert found["z"].tolist() == (small.astype(int) + 128 + (X > 0)).tolist()
