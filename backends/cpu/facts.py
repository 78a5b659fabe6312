"""Facts read off the assembly: what the tuner and ``explain`` know of a compiled kernel."""

from __future__ import annotations

import re

_LABEL = re.compile(r"^(\.?L\w*):")
_JUMP = re.compile(r"^\s+(?:j\w+|b\.\w+|b|cbn?z|tbn?z)\s+(?:.*,\s*)?(\.?L\w+)$")
_STACK = re.compile(r"\(%r[sb]p\)|\[sp\b")
_WIDTHS = (("zmm", 512), ("ymm", 256), ("xmm", 128), ("q", 128), ("v", 128))


def facts(assembly: str) -> dict[str, str]:
    """Return what the code that runs programs looks like.

    ``instructions``: how many in all; ``loop``: how many in the innermost loop that has most;
    ``spills``: how many inside innermost loops read or write the stack; ``vector``: the widest
    register used, in bits.
    """
    lines = [line.partition("#")[0].rstrip() for line in _programs(assembly)]
    loops = [[n for n in lines[a : b + 1] if _is_code(n)] for a, b in _innermost(lines)]
    code = [line for line in lines if _is_code(line)]
    widths = [bits for name, bits in _WIDTHS if any(_uses(line, name) for line in code)]
    return {
        "instructions": str(len(code)),
        "loop": str(max(map(len, loops), default=0)),
        "spills": str(sum(1 for loop in loops for line in loop if _STACK.search(line))),
        "vector": str(max(widths, default=0)),
    }


def _is_code(line: str) -> bool:
    return line.startswith("\t") and not line.startswith("\t.")


def _uses(line: str, register: str) -> bool:
    return re.search(rf"(?:%|\b){register}\d", line) is not None


def _programs(assembly: str) -> list[str]:
    """Return the lines of the function that runs programs."""
    lines = assembly.split("\n")
    starts = [n for n, line in enumerate(lines) if re.match(r"^_?programs:", line)]
    if not starts:
        return []
    inside = lines[starts[0] :]
    ends = (n for n, line in enumerate(inside) if line.startswith((".Lfunc_end", "Lfunc_end")))
    return inside[: next(ends, len(inside))]


def _innermost(lines: list[str]) -> list[tuple[int, int]]:
    """Return the stretches from a label to a jump back to it that hold no other such stretch."""
    at: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    for n, line in enumerate(lines):
        label, jump = _LABEL.match(line), _JUMP.match(line)
        if label:
            at[label.group(1)] = n
        elif jump and jump.group(1) in at:
            loops.append((at[jump.group(1)], n))
    return [
        (a, b)
        for a, b in loops
        if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in loops)
    ]
