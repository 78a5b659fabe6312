"""Every program of the language page with inputs to run it on and what it must give.

Each appears as written and, where its constants are too large for a test, again with smaller
ones, so that windows end, blocks repeat and selections leave something out. Sizes are odd, rows
are empty, keys tie. All inputs are exact in 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hastec.ir.interp import Table
from tests.agree.reference import scores, sums
from tests.agree.reference.sums import Bools, Floats, Ints


@dataclass(frozen=True)
class Case:
    """A kernel of a file, changes to the file's text, what it is given and must give.

    ``stored`` has the presence of sparse outputs.
    """

    file: str
    kernel: str
    tables: Mapping[str, Table]
    wanted: Mapping[str, Floats]
    changes: tuple[tuple[str, str], ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    stored: Mapping[str, Bools] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kernel}{'-small' if self.changes else ''}"


def tables(**given: NDArray[np.generic] | float) -> dict[str, Table]:
    return {name: Table(np.asarray(value)) for name, value in given.items()}


class Draw:
    """Draws inputs."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def floats(self, *shape: int) -> Floats:
        """Multiples of 1/8 in -2 .. 2."""
        return self.random.integers(-16, 17, shape) / 8.0

    def whole(self, low: int, high: int, *shape: int) -> Ints:
        return self.random.integers(low, high, shape)

    def pruned(self, *shape: int, density: float = 0.3) -> tuple[Floats, Bools]:
        """Values and which are stored; the second row of each matrix is empty."""
        kept = self.random.random(shape) < density
        kept[..., 1, :] = False
        return np.where(kept, self.floats(*shape), 0.0), kept


def all_cases(seed: int) -> Iterator[Case]:
    """Yield every case with inputs drawn from ``seed``."""
    draw = Draw(seed)
    for makers in (products, lookups, attending, selecting, caches, experts):
        yield from makers(draw)


def products(draw: Draw) -> Iterator[Case]:
    (w, kept), x, b = draw.pruned(7, 13), draw.floats(13, 5), draw.floats(7)
    given = tables(X=x, b=b) | {"W": Table(w, kept)}
    yield Case("linear", "linear", given, sums.linear(w, x, b))
    given = tables(X=x) | {"W": Table(w, kept)}
    yield Case("scheduled", "scheduled", given, {"Y": w @ x})

    w, x = draw.floats(5, 35), draw.floats(35, 3)
    w[2] = 0
    rounded = sums.int_code(w, 4, 16)
    yield Case("q4", "q4", tables(W=rounded, X=x), sums.q4(rounded, x))

    (s, kept), a, b = draw.pruned(7, 5), draw.floats(7, 9), draw.floats(5, 9)
    given = tables(A=a, B=b) | {"S": Table(s, kept)}
    yield Case("sddmm", "sddmm", given, sums.sddmm(s, a, b), stored={"C": kept})

    (a, left), (b, right) = draw.pruned(7, 11), draw.pruned(11, 5)
    given = {"A": Table(a, left), "B": Table(b, right)}
    meets = left.astype(int) @ right.astype(int) > 0
    yield Case("spgemm", "spgemm", given, sums.spgemm(a, b), stored={"C": meets})

    words, x = draw.whole(0, 256, 5, 9), draw.floats(9)
    yield Case("draft", "draft", tables(W=words, x=x), sums.draft(words, x))


def lookups(draw: Draw) -> Iterator[Case]:
    e, ids = draw.floats(11, 5), draw.whole(0, 11, 9)
    off = np.array([0, 0, 4, 4, 7, 9])
    yield Case("bag", "bag", tables(E=e, id=ids, off=off), sums.bag(e, ids, off))

    x, to = draw.floats(13, 3), draw.whole(-1, 5, 13)
    to[:3] = -1
    to[to == 2] = 3
    yield Case("scatter", "scatter", tables(X=x, to=to), sums.scatter(x, to, 5), sizes={"V": 5})

    edges, kept = draw.pruned(7, 7)
    edges, x = np.where(kept, edges, np.inf), draw.floats(7)
    x[3] = np.inf
    given = tables(x=x) | {"E": Table(edges, kept, np.inf)}
    yield Case("relax", "relax", given, sums.relax(edges, x))

    q, c, code = draw.floats(3, 5 * 2), draw.floats(5, 256, 2), draw.whole(0, 256, 7, 5)
    yield Case("pq", "pq", tables(q=q, C=c, code=code), sums.pq(q, c, code))

    g, x = draw.floats(9, 3), draw.floats(9, 3)
    yield Case("scan", "scan", tables(g=g, x=x), sums.scan(g, x))


def attending(draw: Draw) -> Iterator[Case]:
    q, k, v = (draw.floats(2, 13, 5) for _ in range(3))
    given = tables(Q=q, K=k, V=v)
    yield Case("a_shape", "attend", given, scores.a_shape(q, k, v, 2048, 128))
    small = (("window = 2048", "window = 3"), ("sink = 128", "sink = 2"))
    yield Case("a_shape", "attend", given, scores.a_shape(q, k, v, 3, 2), small)

    kind = np.array([0, 1])
    given = given | tables(kind=kind)
    yield Case("heads", "heads", given, scores.heads(q, k, v, kind, 512, 64))
    small = (("0 .. 512", "0 .. 4"), ("% 64", "% 3"))
    yield Case("heads", "heads", given, scores.heads(q, k, v, kind, 4, 3), small)

    q, pool = draw.floats(3, 2, 5), (draw.floats(7, 4, 2, 5), draw.floats(7, 4, 2, 5))
    page, length = draw.whole(0, 7, 3, 5), np.array([7, 0, 20])
    page[0, 2:] = -1  # beyond its length nothing is read
    given = tables(q=q, K=pool[0], V=pool[1], page=page, len=length)
    yield Case("paged", "paged", given, scores.paged(q, *pool, page, length))


def selecting(draw: Draw) -> Iterator[Case]:
    q, k, v = draw.floats(2, 3, 5), draw.floats(2, 11, 5), draw.floats(2, 11, 5)
    codes, p = draw.whole(0, 2, 2, 11, 7), draw.floats(5, 7)
    codes[:, 5:] = codes[:, :6]  # ties
    given = tables(q=q, K=k, V=v, C=codes != 0, P=p)
    yield Case("hata", "hata", given, scores.hata(q, k, v, codes, p, 2048))
    yield Case("hata", "hata", given, scores.hata(q, k, v, codes, p, 4), (("k = 2048", "k = 4"),))

    q, k, v = (draw.floats(2, 15, 3) for _ in range(3))
    given = tables(Q=q, K=k, V=v)
    yield Case("moba", "moba", given, scores.moba(q, k, v, 64, 8))
    small = (("64", "4"), ("63", "3"), ("k = 8", "k = 2"))
    yield Case("moba", "moba", given, scores.moba(q, k, v, 4, 2), small)


def caches(draw: Draw) -> Iterator[Case]:
    q = draw.floats(2, 3, 7)
    (k, kept), (v, left) = draw.pruned(2, 9, 7, density=0.5), draw.pruned(2, 9, 7, density=0.5)
    given = tables(q=q) | {"K": Table(k, kept), "V": Table(v, left)}
    yield Case("pruned_kv", "pruned_kv", given, scores.pruned_kv(q, k, v))

    cache, new = draw.floats(2, 9, 7), draw.floats(2, 7)
    given = tables(k=new, n=5, c=4, K=cache)
    yield Case("cache", "append", given, scores.append(new, 5, cache))

    small = (("k = 40", "k = 3"), ("c + 256", "c + 4"))
    cache = draw.floats(2, 9, 7)
    cache[:, :, ::3] = 0.5  # ties
    given = tables(K=cache, c=2)
    yield Case("cache", "flush", given, scores.flush(cache, 2, 256, 40))
    yield Case("cache", "flush", given, scores.flush(cache, 2, 4, 3), small)


def experts(draw: Draw) -> Iterator[Case]:
    x, up, gate, down = draw.floats(3, 5), *(draw.floats(11, 5) for _ in range(3))
    for t in (0.5, 100.0):
        given = tables(x=x, G=gate, U=up, Dn=down, t=t)
        yield Case("cats", "cats", given, sums.cats(x, gate, up, down, np.asarray(t)))

    x, r = draw.floats(7, 3), draw.whole(-2, 3, 7, 5).astype(np.float64)
    w1, w2 = draw.floats(5, 9, 3), draw.floats(5, 3, 9)
    given = tables(X=x, R=r, W1=w1, W2=w2)
    yield Case("moe", "moe", given, sums.moe(x, r, w1, w2, 2))
