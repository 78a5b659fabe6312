"""Facts read off the assembly of AMD targets; see :mod:`hastec.backends.triton.machine`."""

from __future__ import annotations

import re

from hastec.backends.triton.machine import Counted, Loop, Machine, innermost, tally

_INSTRUCTION = re.compile(r"^\s+([a-z][a-z0-9]*_[a-z0-9_]+)(.*)")
_LABEL = re.compile(r"^(\.LBB\w+):")
_TARGET = re.compile(r"(\.LBB\w+)")
_LOAD = re.compile(r"^(?:global|buffer|flat)_load_(\w+)")
_SHARED = re.compile(r"^ds_(?:read|write|load|store)")
_SHUFFLE = re.compile(r"^(?:ds_bpermute|ds_permute|ds_swizzle|v_permlane)")


def parse(assembly: str) -> Machine:
    """Return the figures of a kernel's assembly."""
    code, labels = _instructions(assembly)
    jumps = [
        (labels[found.group(1)], at)
        for at, (name, rest) in enumerate(code)
        if name.startswith(("s_cbranch", "s_branch"))
        and (found := _TARGET.search(rest)) is not None
        and labels.get(found.group(1), at) < at
    ]
    loops = tuple(_loop(code[a : b + 1]) for a, b in innermost(jumps))
    whole = _loop(code)
    return Machine(
        whole.instructions,
        _number("vgpr_count", assembly),
        _number("private_segment_fixed_size", assembly),
        whole.barriers,
        whole.shuffles,
        whole.matrix,
        whole.loads,
        loops,
    )


def _loop(code: list[tuple[str, str]]) -> Loop:
    names = [name for name, _ in code]
    return Loop(
        len(code),
        _loads(names),
        sum(n.startswith("s_barrier") for n in names),
        sum(_SHUFFLE.match(n) is not None or "row_" in rest for n, rest in code),
        sum(_SHARED.match(n) is not None for n in names),
        sum(n.startswith(("v_mfma", "v_smfmac")) for n in names),
    )


def _loads(names: list[str]) -> Counted:
    return tally(found.group(1) for n in names if (found := _LOAD.match(n)) is not None)


def _instructions(assembly: str) -> tuple[list[tuple[str, str]], dict[str, int]]:
    code: list[tuple[str, str]] = []
    labels: dict[str, int] = {}
    for line in assembly.splitlines():
        if label := _LABEL.match(line):
            labels[label.group(1)] = len(code)
        elif found := _INSTRUCTION.match(line):
            code.append((found.group(1), found.group(2)))
    return code, labels


def _number(name: str, text: str) -> int:
    found = re.search(rf"\.{name}:\s*(\d+)", text)
    return int(found.group(1)) if found else 0
