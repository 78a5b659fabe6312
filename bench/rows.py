"""Results of benchmarks: JSON lines, with the machine and the versions they hold for."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = ("hastec", "torch", "triton", "llvmlite", "scipy", "numpy")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and when results were measured."""

    device: str
    system: str
    date: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One case: microseconds of the compiled program and of others, and what was chosen.

    ``error`` is the norm of the error over that of the result, against float64. ``bytes`` are
    those of the packed table. ``others`` are (name, microseconds) pairs.
    """

    bench: str
    table: str
    rows: int
    columns: int
    density: float
    batch: int
    dtype: str
    machine: Machine
    us: float
    predicted_us: float
    bound: str
    format: str
    schedule: str
    tuned: bool
    error: float
    bytes: int
    dense_bytes: int
    others: tuple[tuple[str, float], ...]

    @property
    def best_other(self) -> float:
        """The fastest of the others, in microseconds."""
        return min(us for _, us in self.others)


def machine(device: str) -> Machine:
    """Return what results on a device depend on: ``cpu`` or ``cuda``."""
    name, extra = platform.processor() or platform.machine(), {}
    if device == "cuda":
        name = torch.cuda.get_device_name()
        extra = {"cuda": str(torch.version.cuda)}
    else:
        name = f"{_processor()}, {len(os.sched_getaffinity(0))} cores"
    versions = {**{n: _version(n) for n in LIBRARIES}, **extra}
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return Machine(name, platform.platform(), today, tuple(versions.items()))


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def write(path: Path, rows: Iterable[Row]) -> None:
    """Add results to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row), sort_keys=True) + "\n" for row in rows)


def read(paths: Sequence[Path]) -> list[Row]:
    """Return the results in files; of several of one case on one device the last counts."""
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    found: dict[tuple[object, ...], Row] = {}
    for row in (_row(json.loads(line)) for line in lines if line.strip()):
        case = row.bench, row.machine.device, row.table, row.rows, row.columns, row.density
        found[(*case, row.batch, row.dtype, row.tuned)] = row
    return list(found.values())


def _row(data: Mapping[str, Any]) -> Row:
    fields = {name: _tuple(value) for name, value in data.items()}
    about = {name: _tuple(value) for name, value in fields.pop("machine").items()}
    return Row(machine=Machine(**about), **fields)


def _tuple(value: Any) -> Any:
    return tuple(_tuple(v) for v in value) if isinstance(value, list) else value
