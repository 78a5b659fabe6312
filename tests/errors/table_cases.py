"""One way to cause each error in a table or its format: a call and, where one helps, a program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hastec.diag import Source
from hastec.diag.span import Span
from hastec.ir import types as t
from hastec.ir.format import CodeSpec, Coord, Cut, Digit, Format, LevelSpec, Part
from hastec.ir.graph import Param
from hastec.levels import trail
from hastec.levels.assemble import from_dense, pack
from hastec.levels.formats import bind_format
from hastec.levels.registry import default_registry
from hastec.run import files
from hastec.run.oracle import as_oracle
from hastec.run.sizes import solve_sizes
from hastec.run.tables import checked_size, take
from hastec.run.validate import check_indices, check_overlap
from hastec.sym.size import Size

PROGRAM = Source(
    "k.haste", "haste 1\nkernel k(W: sparse f32[M, K], X: f32[K, N]) -> Y: f32[M, N] {"
)
M, K, N = (Size.of(n) for n in "MKN")
W = Param("W", t.F32, (M, K), sparse=True, span=Span(2, 10, 2, 29))
X = Param("X", t.F32, (K, N), span=Span(2, 31, 2, 43))
Y = Param("Y", t.F32, (M, N), role="out", span=Span(2, 48, 2, 60))
ONES = torch.ones(2, 3)


def formatted(*levels: LevelSpec, values: str = "raw", order: tuple[Digit, ...] = ()) -> Format:
    return Format("f", ("i", "j"), (Part(levels, CodeSpec(values), order=order),))


def level(kind: str, coord: str, **options: int | Coord) -> LevelSpec:
    dim, divided, by = coord.partition(" / ")
    stored = Coord(dim, "/", int(by)) if divided else Coord(dim)
    return LevelSpec(kind, stored, tuple(options.items()))


def bound(fmt: Format, rank: int = 2) -> Any:
    return bind_format(fmt, "W", t.F32, (M, K)[:rank], default_registry())


def packed(*levels: LevelSpec, x: Any = ONES, budget: int | None = None) -> object:
    sizes = {"M": x.shape[0], "K": x.shape[1]}
    return pack(bound(formatted(*levels)), from_dense(x), sizes, budget)


def csr(**changes: Any) -> dict[str, Any]:
    parts = {"indptr": [0, 1, 3], "indices": [2, 0, 1], "values": [1.0, 2.0, 3.0]}
    kinds = {"indptr": np.int32, "indices": np.int32, "values": np.float32}
    made: dict[str, Any] = {n: np.array(x, kinds[n]) for n, x in parts.items()}
    return {**made, "shape": (2, 3), **changes}


def twice() -> object:
    return take(W, csr(indices=np.array([2, 1, 1])))


def too_many() -> object:
    """Pretend that kernels address four positions only."""
    whole, trail.POSITIONS = trail.POSITIONS, 4
    try:
        return packed(level("dense", "i"), level("compressed", "j"))
    finally:
        trail.POSITIONS = whole


def too_long(folder: Path) -> object:
    """Pretend that files hold ten bytes only."""
    whole, files.LIMIT = files.LIMIT, 10
    path = folder / "a.smtx"
    path.write_text("1, 1, 1\n0 1\n0\n")
    try:
        return take(W, path)
    finally:
        files.LIMIT = whole


def unread(folder: Path) -> object:
    path = folder / "a.smtx"
    path.write_text("1, 1, 1\n0 1\nx\n")
    return take(W, path)


def cut() -> object:
    both = Part((level("dense", "i"), level("dense", "j")))
    p = Param("W", t.F32, (M, K), format=Format("tail", ("i", "j"), (both, both), Cut("i", "c")))
    return as_oracle(p, take(p, ONES, copy=True))


D = "dense"
CASES: dict[str, Callable[[Path], object]] = {
    "HST4001": lambda _: take(W, [[1.0, 2.0]]),
    "HST4002": lambda _: take(X, ONES.double()),
    "HST4003": lambda _: take(X, torch.ones(6)),
    "HST4004": lambda _: solve_sizes((W, X), {"W": (2, 3), "X": (4, 5)}, {}),
    "HST4005": lambda _: solve_sizes((W, Y), {"W": (2, 3)}, {}),
    "HST4006": lambda _: take(X, ONES.T),
    "HST4007": lambda _: take(X, ONES, device="cuda"),
    "HST4008": lambda _: take(X, ONES.to("meta")),
    "HST4009": lambda _: take(W, {k: v for k, v in csr().items() if k != "indptr"}),
    "HST4010": lambda _: take(W, csr(indptr=np.array([0, 1, 2]))),
    "HST4011": lambda _: take(W, csr(indptr=np.array([0, 4, 3]))),
    "HST4012": lambda _: take(W, csr(indices=np.array([2, 0, 3]))),
    "HST4014": lambda _: twice(),
    "HST4015": lambda _: packed(level(D, "i"), level("fixed", "j", k=2)),
    "HST4016": lambda _: too_many(),
    "HST4017": lambda _: packed(level(D, "i"), level("compressed", "j"), budget=16),
    "HST4018": lambda _: take(Param("n", t.I8, ()), 200),
    "HST4019": lambda _: check_indices(torch.tensor([[0, 5], [9, 1]]), 0, 9, "page"),
    "HST4020": lambda _: check_overlap({"K": [ONES], "V": [ONES[1:]]}, ["K"]),
    "HST4021": unread,
    "HST4022": too_long,
    "HST4023": lambda _: cut(),
    "HST4024": lambda _: checked_size("w", ONES, (W, X)),
    "HST4501": lambda _: bound(formatted(level(D, "i"), level("compresed", "j"))),
    "HST4502": lambda _: bound(formatted(level(D, "i / 2"), level(D, "j"))),
    "HST4503": lambda _: bound(formatted(level(D, "i"), level("singleton", "j"))),
    "HST4504": lambda _: bound(
        formatted(level(D, "i"), level("ragged", "j", pad=Coord("i", "/", 4)))
    ),
    "HST4505": lambda _: bound(
        formatted(level(D, "i"), level("compressed", "j"), order=(Digit(1), Digit(0)))
    ),
    "HST4506": lambda _: bound(formatted(level(D, "j"), level("compressed", "i"), values="mx")),
    "HST4507": lambda _: bound(formatted(level(D, "i"), level(D, "j")), rank=1),
}
