"""The language page's programs that are sums, scans and shortest paths, in plain NumPy.

Everything is float64 and written from the formulas, one function a program. Arguments are named
as in the program; a sparse table is its dense array, absent entries equal to the fill.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def silu(x: Floats) -> Floats:
    return np.asarray(x / (1.0 + np.exp(-x)))


def int_code(w: Floats, bits: int, group: int) -> Floats:
    """Round a table of f16 through ``intB(group = g)``: round(w / s) * s with s in f16."""
    found = np.zeros_like(w)
    top = 2 ** (bits - 1) - 1
    for start in range(0, w.shape[-1], group):
        part = w[..., start : start + group]
        largest = np.abs(part).max(axis=-1, keepdims=True, initial=0.0)
        scale = np.float16(largest / top).astype(np.float64)
        safe = np.where(scale == 0, 1.0, scale)
        codes = np.clip(np.rint(part / safe), -top, top)
        found[..., start : start + group] = np.float16(codes * scale)
    return found


def linear(W: Floats, X: Floats, b: Floats) -> dict[str, Floats]:
    return {"Y": silu(W @ X + b[:, None])}


def q4(W: Floats, X: Floats) -> dict[str, Floats]:
    return {"Y": W @ X}


def sddmm(S: Floats, A: Floats, B: Floats) -> dict[str, Floats]:
    return {"C": S * (A @ B.T)}


def spgemm(A: Floats, B: Floats) -> dict[str, Floats]:
    return {"C": A @ B}


def bag(E: Floats, id: Ints, off: Ints) -> dict[str, Floats]:
    Y = np.zeros((len(off) - 1, E.shape[1]))
    for b in range(len(off) - 1):
        for n in range(off[b], off[b + 1]):
            Y[b] += E[id[n]]
    return {"Y": Y}


def scatter(X: Floats, to: Ints, V: int) -> dict[str, Floats]:
    Y = np.zeros((V, X.shape[1]))
    for n, v in enumerate(to):
        if v >= 0:
            Y[v] += X[n]
    return {"Y": Y}


def relax(E: Floats, x: Floats) -> dict[str, Floats]:
    y = x.copy()
    for v in range(len(x)):
        for u in range(len(x)):
            y[v] = min(y[v], x[u] + E[u, v])
    return {"y": y}


def pq(q: Floats, C: Floats, code: Ints) -> dict[str, Floats]:
    M, _, W = C.shape
    s = np.zeros((len(q), len(code)))
    for h in range(len(q)):
        for ell in range(len(code)):
            for m in range(M):
                s[h, ell] += q[h, m * W : (m + 1) * W] @ C[m, code[ell, m]]
    return {"s": s}


def draft(W: Ints, x: Floats) -> dict[str, Floats]:
    return {"y": np.array([[w // 16 - 8 for w in row] for row in W.tolist()]) @ x}


def scan(g: Floats, x: Floats) -> dict[str, Floats]:
    h, state = np.zeros_like(x), np.zeros(x.shape[1])
    for t in range(len(x)):
        state = g[t] * state + x[t]
        h[t] = state
    return {"h": h}


def cats(x: Floats, G: Floats, U: Floats, Dn: Floats, t: Floats) -> dict[str, Floats]:
    y = np.zeros_like(x)
    for b in range(len(x)):
        for f in range(len(G)):
            gate = float(silu(np.asarray(x[b] @ G[f])))
            if abs(gate) > t:
                y[b] += gate * (x[b] @ U[f]) * Dn[f]
    return {"y": y}


def moe(X: Floats, R: Floats, W1: Floats, W2: Floats, k: int) -> dict[str, Floats]:
    Y = np.zeros_like(X)
    for t in range(len(X)):
        # Ties go to the lowest expert: the sort is stable.
        chosen = sorted(range(R.shape[1]), key=lambda e: -R[t, e])[:k]
        weights = np.exp(R[t, chosen] - R[t, chosen].max())
        for e, p in zip(chosen, weights / weights.sum(), strict=True):
            Y[t] += p * (W2[e] @ silu(W1[e] @ X[t]))
    return {"Y": Y}
