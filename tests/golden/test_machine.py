"""What machine code the kernels of examples become, read off it: no device is needed.

Counts of instructions may move by a few percent; what else is in a loop may not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import pytest

from hastec.backends.triton.backend import TritonBackend
from hastec.ir.kernel import (
    Arrive,
    Dot,
    For,
    Kernel,
    Let,
    Load,
    Reduce,
    Scan,
    Stmt,
    Value,
    statements,
)
from hastec.target import GFX942, SM80, SM90, SM100, Target
from tests.golden.examples import EXAMPLES, Example, codes, decided, program_of

SLACK = 0.05
"""By what share the instructions of a loop may differ from those of the golden file."""
ELSEWHERE = ("a_shape", "linear", "relax")
"""Examples that are compiled for other targets too: a matrix product, a gather, a search."""
RUNS = [(e, SM90) for e in EXAMPLES] + [
    (e, t) for t in (SM80, SM100, GFX942) for e in EXAMPLES if e.name in ELSEWHERE
]


def final(example: Example, target: Target, updating: bool) -> str:
    """Return an example's last stage for a target; SM90's is among the stages."""
    where = example.folder / ("triton" if target is SM90 else target.name) / "final.txt"
    if not updating:
        return where.read_text(encoding="utf-8")
    text = decided(program_of(example, target), example.sizes)
    if target is not SM90:
        where.parent.mkdir(exist_ok=True)
        where.write_text(text, encoding="utf-8")
    return text


@pytest.mark.parametrize(("example", "target"), RUNS, ids=lambda x: getattr(x, "name", str(x)))
def test_machine_code(example: Example, target: Target, updating: bool) -> None:
    backend = TritonBackend()
    found = {}
    for code in codes(program_of(example, target), final(example, target, updating)):
        assert backend.refuse(code.kernel, target) == ""
        emitted = backend.emit(code.kernel, {}, target)
        facts = dict(backend.build(emitted, code.kernel, target).facts)
        sound(code.kernel, facts)
        found[code.region] = facts
    path = example.folder / ("" if target is SM90 else target.name) / "machine.json"
    if updating:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    same(json.loads(path.read_text(encoding="utf-8")), found)


# ------------------------------------------------------------------------------- what must be so
def sound(kernel: Kernel, facts: Mapping[str, str]) -> None:
    """Check machine code against what its kernel asks for."""
    assert facts["stack"] == "0", "registers spill"
    if not any(crosses(kernel, v) for v in lets(kernel.body)):
        assert facts["barriers"] == "0", "threads wait for each other"
        # Registers whose copies all threads would hold are spread over them, and merged again.
        assert facts["shuffles"] == "0" or any(copied(kernel, v) for v in lets(kernel.body))
    inner = [s for s in statements(kernel.body) if isinstance(s, For)]
    if not any(crosses(kernel, v) for loop in inner for v in lets(loop.body)):
        for name, text in facts.items():
            kinds = ("barriers", "shuffles", "shared", "matrix")
            lost = [k for k in kinds if name.startswith("loop") and number(k, text)]
            assert not lost, f"{name}: {text}"
    assert (int(facts["matrix"]) > 0) == any(narrow(kernel, v) for v in lets(kernel.body))
    assert widest(facts["loads"]) >= wanted(kernel)


def lets(body: tuple[Stmt, ...]) -> Iterator[Value]:
    return (s.value for s in statements(body) if isinstance(s, Let))


def crosses(kernel: Kernel, value: Value) -> bool:
    """Whether a value combines what different threads hold, or needs what all of them stored."""
    op = value.op
    if isinstance(op, Dot | Arrive):
        return True
    digits = op.digits if isinstance(op, Reduce) else (op.digit,) if isinstance(op, Scan) else ()
    return any(kernel.digit(d).role in ("thread", "block") for d in digits)


def copied(kernel: Kernel, value: Value) -> bool:
    """Whether a value merges registers that are the same in every thread."""
    return isinstance(value.op, Reduce) and alike(kernel, value)


def alike(kernel: Kernel, value: Value) -> bool:
    """Whether a value is the same in every thread."""
    return not any(kernel.digit(d).role == "thread" for d in value.digits)


def narrow(kernel: Kernel, value: Value) -> bool:
    """Whether a value is a product that matrix units take."""
    return isinstance(value.op, Dot) and kernel.values()[value.op.left].dtype.bits <= 16


def wanted(kernel: Kernel) -> int:
    """Return the bits that a thread could read at once: a run of neighbours, aligned."""
    values, best = kernel.values(), 0
    threads = any(d.role == "thread" for d in kernel.digits)
    for value in lets(kernel.body):
        op = value.op
        # What all threads would read alike is spread over them, a register each.
        if isinstance(op, Load) and op.unit and not (threads and alike(kernel, value)):
            apart = op.mask is not None and op.unit in values[op.mask].digits
            run = min(kernel.digit(op.unit).extent or 1, op.align)
            best = max(best, 0 if apart else min(128, run * value.dtype.bits))
    return best if best >= 32 else 0


def widest(loads: str) -> int:
    """Return the bits of the widest load."""
    sizes = re.findall(r"\.(128|64|32)\b|dword(x\d)?", loads)
    return max((int(a or 32 * int((b or "x1")[1:])) for a, b in sizes), default=0)


def number(kind: str, text: str) -> int:
    found = re.search(rf"(\d+) {kind}", text)
    return int(found.group(1)) if found else 0


# -------------------------------------------------------------------------------- what it was
def same(kept: Mapping[str, dict[str, str]], found: Mapping[str, dict[str, str]]) -> None:
    """Compare facts with those of a golden file."""
    assert kept.keys() == found.keys()
    for region, facts in found.items():
        before = kept[region]
        assert before.keys() == facts.keys(), f"{region} has other loops: {facts}"
        for name in facts:
            if name.startswith("loop"):
                old, new = (number("instructions", x[name]) for x in (before, facts))
                assert abs(new - old) <= max(1, SLACK * old), f"{region}, {name}: {facts[name]}"
                kinds = ("barriers", "shuffles", "shared", "matrix")
                told = [[number(k, x[name]) for k in kinds] for x in (before, facts)]
                assert told[0] == told[1], f"{region}, {name}: {facts[name]}"
