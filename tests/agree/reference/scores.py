"""The language page's programs that weigh values by scores, and the cache they read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.agree.reference.sums import Floats, Ints


def softmax(scores: Floats) -> Floats:
    """Along the only axis; nothing, or only -inf, gives zeros."""
    if not len(scores) or scores.max() == -np.inf:
        return np.zeros_like(scores)
    e = np.exp(scores - scores.max())
    return np.asarray(e / e.sum())


def weigh(q: Floats, K: Floats, V: Floats, keys: list[int]) -> Floats:
    """One query against the rows ``keys``."""
    return softmax(K[keys] @ q / np.sqrt(len(q))) @ V[keys]


def attend(
    Q: Floats, K: Floats, V: Floats, takes: Callable[[int, int, int], bool]
) -> dict[str, Floats]:
    """``takes(h, i, j)`` says which keys take part."""
    out = np.zeros_like(Q)
    H, L, _ = Q.shape
    for h in range(H):
        for i in range(L):
            keys = [j for j in range(L) if takes(h, i, j)]
            out[h, i] = weigh(Q[h, i], K[h], V[h], keys)
    return {"O": out}


def a_shape(Q: Floats, K: Floats, V: Floats, window: int, sink: int) -> dict[str, Floats]:
    return attend(Q, K, V, lambda h, i, j: j <= i and (i - j < window or j < sink))


def heads(
    Q: Floats, K: Floats, V: Floats, kind: Ints, window: int, stride: int
) -> dict[str, Floats]:
    H, L, _ = Q.shape
    out, z = np.zeros_like(Q), np.zeros((H, L))
    for h in range(H):
        for i in range(L):
            near = [j for j in range(L) if 0 <= i - j < window]
            far = [j for j in range(L) if j <= i and (i - j) % stride == 0]
            keys = near if kind[h] == 0 else far
            s = 30.0 * np.tanh(K[h, keys] @ Q[h, i] / 30.0)
            z[h, i] = s.max() + np.log(np.exp(s - s.max()).sum())
            out[h, i] = np.exp(s - z[h, i]) @ V[h, keys]
    return {"O": out, "z": z}


def hata(q: Floats, K: Floats, V: Floats, C: Ints, P: Floats, k: int) -> dict[str, Floats]:
    H, G, _ = q.shape
    L = K.shape[1]
    o = np.zeros_like(q)
    for h in range(H):
        codes = q[h] @ P > 0
        score = [int((codes == (C[h, ell] != 0)).sum()) for ell in range(L)]
        # Ties go to the lowest key.
        keys = sorted(sorted(range(L), key=lambda ell: -score[ell])[:k])
        for g in range(G):
            o[h, g] = weigh(q[h, g], K[h], V[h], keys)
    return {"o": o}


def moba(Q: Floats, K: Floats, V: Floats, block: int, k: int) -> dict[str, Floats]:
    H, L, _ = Q.shape
    blocks = (L + block - 1) // block
    chosen: dict[tuple[int, int], set[int]] = {}
    for h in range(H):
        m = [K[h, b * block : (b + 1) * block].mean(axis=0) for b in range(blocks)]
        for i in range(L):
            seen = [b for b in range(blocks) if b * block <= i]
            own = i // block
            key = {b: np.inf if b == own else float(Q[h, i] @ m[b]) for b in seen}
            chosen[h, i] = set(sorted(seen, key=lambda b: -key[b])[:k])
    return attend(Q, K, V, lambda h, i, j: j <= i and j // block in chosen[h, i])


def pruned_kv(q: Floats, K: Floats, V: Floats) -> dict[str, Floats]:
    o = np.zeros_like(q)
    for h in range(q.shape[0]):
        for g in range(q.shape[1]):
            o[h, g] = weigh(q[h, g], K[h], V[h], list(range(K.shape[1])))
    return {"o": o}


def paged(q: Floats, K: Floats, V: Floats, page: Ints, len: Ints) -> dict[str, Floats]:
    o, S = np.zeros_like(q), K.shape[1]
    for b in range(q.shape[0]):
        rows = [(page[b, t // S], t % S) for t in range(len[b])]
        for h in range(q.shape[1]):
            k = np.array([K[p, s, h] for p, s in rows]).reshape(-1, q.shape[2])
            v = np.array([V[p, s, h] for p, s in rows]).reshape(-1, q.shape[2])
            o[b, h] = weigh(q[b, h], k, v, list(range(k.shape[0])))
    return {"o": o}


def append(k: Floats, n: int, K: Floats) -> dict[str, Floats]:
    new = K.copy()
    new[:, n] = k
    return {"K": new}


def flush(K: Floats, c: int, step: int, k: int) -> dict[str, Floats]:
    new = K.copy()
    H, L, D = K.shape
    for h in range(H):
        for ell in range(c, min(c + step, L)):
            kept = sorted(range(D), key=lambda d: -abs(K[h, ell, d]))[:k]
            for d in range(D):
                if d not in kept:
                    new[h, ell, d] = 0
    return {"K": new, "c": np.asarray(c + step, np.float64)}
