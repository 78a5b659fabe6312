"""Facts read off the assembly: what the tuner and ``explain`` know of a compiled kernel."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LABEL = re.compile(r"^(\.?L\w*):")
_JUMP = re.compile(r"^\s+(j\w+|b\.\w+|b|cbn?z|tbn?z)\s+(?:.*,\s*)?(\.?L\w+)$")
_ENDS = re.compile(r"^\s+(ret\w*|ud2|brk)\b")
_STACK = re.compile(r"\(%r[sb]p\)|\[sp\b")
_WIDTHS = (("zmm", 512), ("ymm", 256), ("xmm", 128), ("q", 128), ("v", 128))


def facts(assembly: str) -> dict[str, str]:
    """Return what the code that runs programs looks like.

    ``instructions``: how many in all; ``loop``: how many in the innermost loop that has most;
    ``spills``: how many inside innermost loops read or write the stack; ``vector``: the widest
    register used, in bits.
    """
    blocks = _blocks(_programs(assembly))
    loops = [[line for n in loop for line in blocks[n].code] for loop in _innermost(blocks)]
    code = [line for block in blocks for line in block.code]
    widths = [bits for name, bits in _WIDTHS if any(_uses(line, name) for line in code)]
    return {
        "instructions": str(len(code)),
        "loop": str(max(map(len, loops), default=0)),
        "spills": str(sum(1 for loop in loops for line in loop if _STACK.search(line))),
        "vector": str(max(widths, default=0)),
    }


def _uses(line: str, register: str) -> bool:
    return re.search(rf"(?:%|\b){register}\d", line) is not None


def _programs(assembly: str) -> list[str]:
    """Return the lines of the function that runs programs, without comments."""
    lines = assembly.split("\n")
    starts = [n for n, line in enumerate(lines) if re.match(r"^_?programs:", line)]
    if not starts:
        return []
    inside = lines[starts[0] + 1 :]
    ends = (n for n, line in enumerate(inside) if line.startswith((".Lfunc_end", "Lfunc_end")))
    return [line.partition("#")[0].rstrip() for line in inside[: next(ends, len(inside))]]


@dataclass(frozen=True, slots=True)
class _Block:
    """A basic block: its instructions and the blocks that may follow it, by number."""

    code: tuple[str, ...]
    follow: tuple[int, ...]


def _blocks(lines: list[str]) -> list[_Block]:
    """Split a function where control may enter or leave."""
    pieces: list[list[str]] = [[]]
    names: dict[str, int] = {}
    for line in lines:
        label = _LABEL.match(line)
        if label:
            if pieces[-1]:
                pieces.append([])
            names[label.group(1)] = len(pieces) - 1
        elif line.startswith("\t") and not line.startswith("\t."):
            pieces[-1].append(line)
            if _JUMP.match(line) or _ENDS.match(line):
                pieces.append([])
    return [_Block(tuple(code), _follow(code, n, names)) for n, code in enumerate(pieces)]


def _follow(code: list[str], number: int, names: dict[str, int]) -> tuple[int, ...]:
    last = code[-1] if code else ""
    jump = _JUMP.match(last)
    found = [names[jump.group(2)]] if jump and jump.group(2) in names else []
    if not _ENDS.match(last) and not (jump and jump.group(1) in ("jmp", "b")):
        found.append(number + 1)
    return tuple(found)


def _innermost(blocks: list[_Block]) -> list[frozenset[int]]:
    """Return the loops that hold no other loop, each as the numbers of its blocks."""
    before = _dominators(blocks)
    loops: dict[int, frozenset[int]] = {}
    for n, block in enumerate(blocks):
        for head in block.follow:
            if head in before.get(n, ()):
                loops[head] = loops.get(head, frozenset()) | _body(blocks, head, n)
    return [b for h, b in loops.items() if not any(o != h and o in b for o in loops)]


def _dominators(blocks: list[_Block]) -> dict[int, frozenset[int]]:
    """Return, for every block that can be reached, the blocks all ways to it pass."""
    found: dict[int, frozenset[int]] = {0: frozenset((0,))}
    changed = True
    while changed:
        changed = False
        for n, block in enumerate(blocks):
            for after in block.follow if n in found else ():
                if after >= len(blocks):
                    continue
                mine = found[n] | {after}
                meet = mine if after not in found else (found[after] & mine) | {after}
                if meet != found.get(after):
                    found[after], changed = meet, True
    return found


def _body(blocks: list[_Block], head: int, tail: int) -> frozenset[int]:
    """Return the blocks from which the end of a loop is reached without passing its head."""
    body, todo = {head}, [tail]
    while todo:
        at = todo.pop()
        if at not in body:
            body.add(at)
            todo += [n for n, block in enumerate(blocks) if at in block.follow]
    return frozenset(body)
