"""Results of a call by name: described in numbers, written to files, compared with the meaning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hastec.ir.graph import Graph
from hastec.run.oracle import to_numpy


@dataclass(frozen=True, slots=True)
class Summary:
    """An output in numbers; the numbers are None where there is no finite element."""

    name: str
    type: str
    shape: tuple[int, ...]
    stored: int
    zeros: int
    nans: int
    least: float | None
    mean: float | None
    most: float | None

    def data(self) -> dict[str, object]:
        """Return the summary as JSON holds it."""
        return {
            "name": self.name,
            "type": self.type,
            "shape": list(self.shape),
            "stored": self.stored,
            "zeros": self.zeros,
            "nans": self.nans,
            "min": self.least,
            "mean": self.mean,
            "max": self.most,
        }

    def __str__(self) -> str:
        dims = ", ".join(map(str, self.shape))
        head = f"{self.name}: {self.type}[{dims}]" if self.shape else f"{self.name}: {self.type}"
        if self.least is None:
            return f"{head}, no finite element"
        if not self.shape:
            return f"{head} = {self.least:.6g}"
        text = f"{head}, {self.least:.4g} … {self.most:.4g}, mean {self.mean:.4g}"
        text += f", {self.zeros} zeros" if self.zeros else ""
        return text + (f", {self.nans} NaN" if self.nans else "")


def named(graph: Graph, found: Any) -> dict[str, Any]:
    """Return what a call returned by the names of outputs."""
    names = [name for name, _ in graph.outputs]
    values = found if isinstance(found, tuple) else (found,)
    return dict(zip(names, values, strict=True))


def spelled_out(found: Any) -> Any:
    """Return a result as a dense tensor in host memory."""
    dense = found.to_dense() if hasattr(found, "to_dense") and not hasattr(found, "dim") else found
    return dense.detach().cpu()


def summary(graph: Graph, name: str, found: Any) -> Summary:
    """Describe one output."""
    values = np.asarray(to_numpy(spelled_out(found)))
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    some = finite.size > 0
    return Summary(
        name,
        str(graph.param(name).dtype),
        tuple(values.shape),
        int(found.values.shape[0]) if hasattr(found, "numbers") else int(values.size),
        int((numbers == 0).sum()),
        int(np.isnan(numbers).sum()),
        float(finite.min()) if some else None,
        float(finite.mean()) if some else None,
        float(finite.max()) if some else None,
    )


def write_npy(path: Path, found: Any) -> None:
    """Write an output as a dense NumPy file (bf16 as float32). Raises OSError."""
    with path.open("wb") as file:
        write: Any = np.lib.format.write_array
        write(file, np.asarray(to_numpy(spelled_out(found)), order="C"))
