"""The cases of the benchmarks: pruned weights and how many columns they multiply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hastec.diag import Source
from hastec.front.build import check
from hastec.ir.graph import Graph, Param
from hastec.run.tables import take

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "examples" / "linear.haste"
DATA = ROOT / "examples" / "data"


@dataclass(frozen=True, slots=True)
class Case:
    """A weight, times ``batch`` columns: pruned, or whole and with the code ``values``.

    ``path`` is empty for random zeros.
    """

    name: str
    batch: int
    dtype: str
    rows: int = 0
    columns: int = 0
    density: float = 0.0
    path: str = ""
    values: str = ""

    def weight(self, device: str) -> torch.Tensor:
        """Return the weight as a dense tensor; the same one every time."""
        if self.path:
            return _from_file(self)
        draw = torch.Generator(device=device).manual_seed(0)
        shape = self.rows, self.columns
        values = torch.randn(shape, generator=draw, device=device) / 8
        kept = torch.rand(shape, generator=draw, device=device) < self.density
        return torch.where(kept, values, 0.0).to(getattr(torch, self.dtype))


def _from_file(case: Case) -> torch.Tensor:
    """Return a pattern of a file with random values."""
    weight = replace(program(case.dtype).param("W"), time="static")
    entries = take(weight, DATA / case.path).entries()
    draw = torch.Generator().manual_seed(0)
    made = torch.zeros(entries.shape, dtype=getattr(torch, case.dtype))
    values = torch.randn(entries.count, generator=draw) / 8
    made[tuple(torch.as_tensor(c) for c in entries.coords)] = values.to(made.dtype)
    return made


def text(dtype: str, values: str = "") -> str:
    """Return the program of the benchmark for an element type; with a code, its weight is whole."""
    kind = {"float16": "f16", "bfloat16": "bf16", "float32": "f32"}[dtype]
    source = PROGRAM.read_text(encoding="utf-8")
    if values:
        source = source.replace("sparse f16[M, K]", f"f16[M, K] values {values}")
    return source.replace("f16", kind)


def program(dtype: str) -> Graph:
    """Return the checked program of the benchmark."""
    return check(Source("linear", text(dtype)))[-1]


def declared(dtype: str) -> Param:
    """Return the declaration of the weight."""
    return program(dtype).param("W")


def cases(device: str, quick: bool) -> Iterator[Case]:
    """Yield the cases for a device."""
    yield from _gpu(quick) if device == "cuda" else _cpu(quick)


def _gpu(quick: bool) -> Iterator[Case]:
    shapes = ((14336, 4096), (4096, 14336), (28672, 8192))
    for rows, columns in shapes[: 1 if quick else None]:
        for zeros in (70,) if quick else (50, 70, 90):
            for batch in (1, 16) if quick else (1, 4, 16):
                name = f"{rows}x{columns}, {zeros} % zeros"
                yield Case(name, batch, "float16", rows, columns, round(1 - zeros / 100, 2))
        for values in () if quick else ("int4(group = 128)", "int8(group = 128)"):
            for batch in (1, 16):
                name = f"{rows}x{columns}, {values}"
                yield Case(name, batch, "float16", rows, columns, 1.0, values=values)


def _cpu(quick: bool) -> Iterator[Case]:
    paths = sorted(path.name for path in DATA.glob("*.smtx*"))
    for path in paths[: 1 if quick else None]:
        for batch in (1, 16) if quick else (1, 16, 32, 128):
            yield Case(path.split(".smtx")[0], batch, "float32", path=path)
