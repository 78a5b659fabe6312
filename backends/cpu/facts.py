"""Facts read off the assembly: what the tuner and ``explain`` know of a compiled kernel."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LABEL = re.compile(r"^(\.?L\w*):")
_JUMP = re.compile(r"^\s+(j\w+|b\.\w+|b|cbn?z|tbn?z)\s+.*?(\.?L\w+)\s*$")
_SPILL = re.compile(r"\b(Spill|Reload)\b")
_WIDTHS = (("zmm", 512), ("ymm", 256), ("xmm", 128))


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    comment: str


def facts(assembly: str) -> dict[str, str]:
    """Return what the code of the programs looks like.

    ``loop``: instructions of the innermost loop with the most of them; ``vector``: widest
    register used, in bits; ``spills``: moves between registers and the stack; ``instructions``.
    """
    lines = _programs(assembly)
    code = [line for line in lines if line.startswith("\t") and not line.startswith("\t.")]
    widths = [bits for name, bits in _WIDTHS if any(f"%{name}" in line for line in code)]
    spills = sum(1 for line in code if _SPILL.search(line.partition("#")[2]))
    return {
        "instructions": str(len(code)),
        "loop": str(_innermost(lines)),
        "vector": str(max(widths, default=0)),
        "spills": str(spills),
    }


def _programs(assembly: str) -> list[str]:
    """Return the lines of the function that runs programs."""
    lines = assembly.split("\n")
    starts = [n for n, line in enumerate(lines) if re.match(r"^_?programs:", line)]
    if not starts:
        return []
    ends = (
        n for n in range(starts[0], len(lines)) if lines[n].startswith((".Lfunc_end", "Lfunc_"))
    )
    return lines[starts[0] : next(ends, len(lines))]


def _innermost(lines: list[str]) -> int:
    """Return the size of the largest stretch from a label to a jump back that holds no other."""
    at: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    for n, line in enumerate(lines):
        label = _LABEL.match(line)
        jump = _JUMP.match(line.partition("#")[0].rstrip())
        if label:
            at[label.group(1)] = n
        elif jump and jump.group(2) in at:
            loops.append((at[jump.group(2)], n))
    inner = [(a, b) for a, b in loops if not any(a <= c and d <= b and (a, b) != (c, d)
                                                for c, d in loops)]  # fmt: skip
    sizes = [
        sum(1 for line in lines[a : b + 1] if line.startswith("\t") and not line.startswith("\t."))
        for a, b in inner
    ]
    return max(sizes, default=0)
