"""Facts read off machine code: registers, spills, loops, load widths, barriers, matrix products.

What inference did to a kernel shows here and nowhere else; goldens and vetoes rest on it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

_INSTRUCTION = re.compile(r"^\s*/\*([0-9a-f]+)\*/\s+(?:@!?U?P\w+ )?([A-Z0-9_.]+)(.*)")
_LABEL = re.compile(r"^(\.L_\w+):")
_MATRIX = (
    "HMMA",
    "HGMMA",
    "IMMA",
    "IGMMA",
    "QGMMA",
    "BMMA",
    "DMMA",
    "UTCHMMA",
    "UTCQMMA",
    "UTCIMMA",
)


Counted: TypeAlias = tuple[tuple[str, int], ...]
"""Names with how often they occur."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop: instructions, and how many of them are of the kinds that matter."""

    instructions: int
    loads: Counted
    barriers: int
    shuffles: int
    shared: int
    matrix: int


@dataclass(frozen=True, slots=True)
class Machine:
    """One kernel's machine code in figures. ``loops`` are the innermost ones, in order."""

    instructions: int
    registers: int
    stack: int
    barriers: int
    shuffles: int
    matrix: int
    loads: Counted
    loops: tuple[Loop, ...]

    def facts(self) -> dict[str, str]:
        """Return the figures as text, for manifests and dumps."""
        found = {
            "instructions": str(self.instructions),
            "registers": str(self.registers),
            "stack": str(self.stack),
            "barriers": str(self.barriers),
            "shuffles": str(self.shuffles),
            "matrix": str(self.matrix),
            "loads": _counted(self.loads),
        }
        for n, loop in enumerate(self.loops):
            found[f"loop{n}"] = (
                f"{loop.instructions} instructions, loads {_counted(loop.loads)}, "
                f"{loop.barriers} barriers, {loop.shuffles} shuffles, "
                f"{loop.shared} shared, {loop.matrix} matrix"
            )
        return found


def _counted(items: Counted) -> str:
    return " ".join(f"{n}x{name}" for name, n in items) or "none"


def read_cubin(cubin: bytes, tools: Path) -> Machine:
    """Return what a cubin shows; ``tools`` holds nvdisasm and cuobjdump."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        listing = _run(tools / "nvdisasm", "-c", str(path))
        usage = _run(tools / "cuobjdump", "-res-usage", str(path))
    return parse(listing, usage)


def _run(*command: str | Path) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def parse(listing: str, usage: str) -> Machine:
    """Return the figures of a disassembly and a resource report."""
    code, labels = _instructions(listing)
    bodies = [code[a : b + 1] for a, b in innermost(_jumps(code, labels))]
    names = [name for name, _ in code]
    return Machine(
        len(code),
        _number(r"REG:(\d+)", usage),
        _number(r"STACK:(\d+)", usage),
        sum(n.startswith("BAR") for n in names),
        sum(n.startswith("SHFL") for n in names),
        sum(n.startswith(_MATRIX) for n in names),
        _loads(names),
        tuple(_loop([name for name, _ in body]) for body in bodies),
    )


def _loop(names: list[str]) -> Loop:
    return Loop(
        len(names),
        _loads(names),
        sum(n.startswith("BAR") for n in names),
        sum(n.startswith("SHFL") for n in names),
        sum(n.startswith(("LDS", "STS", "LDSM", "STSM")) for n in names),
        sum(n.startswith(_MATRIX) for n in names),
    )


def _loads(names: list[str]) -> Counted:
    found = []
    for name in names:
        if name.startswith(("LDG.", "LDGSTS", "UTMALDG")):
            wide = re.search(r"\.(128|64|U16|U8|S16|S8)\b", name)
            found.append(f"{name.split('.')[0]}.{wide.group(1) if wide else '32'}")
    return tally(found)


def tally(names: Iterable[str]) -> Counted:
    """Return how often each name occurs, in the order of names."""
    return tuple(sorted(Counter(names).items()))


def _instructions(listing: str) -> tuple[list[tuple[str, str]], dict[str, int]]:
    code: list[tuple[str, str]] = []
    labels: dict[str, int] = {}
    for line in listing.splitlines():
        if label := _LABEL.match(line):
            labels[label.group(1)] = len(code)
        elif found := _INSTRUCTION.match(line):
            code.append((found.group(2), found.group(3)))
    return code, labels


def _jumps(code: list[tuple[str, str]], labels: dict[str, int]) -> list[tuple[int, int]]:
    """Return where loops start and end: branches back to a label."""
    loops = []
    for at, (name, rest) in enumerate(code):
        target = re.search(r"(\.L_\w+)", rest)
        if name.startswith("BRA") and target:
            start = labels.get(target.group(1), at + 1)
            if start < at:
                loops.append((start, at))
    return loops


def innermost(loops: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the loops that lie around no other loop, in order."""
    inner = [
        (a, b)
        for a, b in loops
        if not any((c, d) != (a, b) and c >= a and d <= b for c, d in loops)
    ]
    return sorted(set(inner))


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0
