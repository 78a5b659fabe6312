"""Every stage of every example, as text: a change of the compiler shows in these files.

A last stage is an input: what is lowered and emitted rests on the schedules written there, not on
those that prices prefer today. ``make golden`` chooses them anew.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hastec.artefact import Code
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_show import show_kernel
from hastec.target import Target
from tests.conftest import Golden
from tests.golden.examples import (
    EXAMPLES,
    HERE,
    ROOT,
    TARGETS,
    Example,
    codes,
    decided,
    program_of,
    stages,
)

REVIEWED = 400
"""Longer sources are described by figures: nobody would read them."""
SUFFIXES = {"triton": "triton.txt", "cpu": "llvm.txt"}


def final(example: Example, target: Target) -> Path:
    return example.folder / target.backend / "final.txt"


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_stages_in_front_of_prices(example: Example, golden: Golden) -> None:
    """Passes up to the choice of schedules; stages that change nothing are not written down."""
    before = ""
    for name, text in stages(program_of(example, TARGETS[0]), example.sizes).items():
        plain = "\n".join(x for x in text.splitlines() if not x.startswith("  passed "))
        if plain != before:
            golden(example.folder / f"{name}.txt", text)
        before = plain


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_kernels_and_sources(
    example: Example, target: Target, golden: Golden, updating: bool
) -> None:
    program = program_of(example, target)
    where = final(example, target)
    if updating:
        golden(where, decided(program, example.sizes))
    for code in codes(program, where.read_text(encoding="utf-8")):
        text = show_kernel(code.kernel)
        assert read_kernel(text) == code.kernel
        golden(where.with_name(f"{code.region}.kernel.txt"), text)
        golden(where.with_name(f"{code.region}.{SUFFIXES[target.backend]}"), reviewable(code))


def reviewable(code: Code) -> str:
    """Return a source, or how often which operation occurs in it if it is long."""
    lines = code.source.splitlines()
    if len(lines) <= REVIEWED:
        return code.source
    words = Counter(line.split(" = ")[-1].split("(")[0].split(" ")[0].strip() for line in lines)
    told = [
        f"{n:6} {word}" for word, n in sorted(words.items(), key=lambda x: (-x[1], x[0])) if word
    ]
    return "\n".join([f"{len(lines)} lines: too many to read", *told]) + "\n"


def test_no_golden_file_is_left_over() -> None:
    known = {example.folder for example in EXAMPLES}
    assert {p for p in HERE.iterdir() if p.is_dir() and p.name != "__pycache__"} == known


def test_every_example_is_here() -> None:
    """Those that are not are run by the interpreter: they have no kernels."""
    import hastec
    from hastec.levels.missing import missing
    from hastec.options import Options

    options = Options.from_environment({}, skip_cache=True)
    lowered = set()
    for path in (ROOT / "examples").glob("*.haste"):
        program = hastec.compile(path, backend_name="cpu", options=options)
        if not list(missing(program.graph, program.setup.registry)):
            lowered.add(path)
    assert lowered == {e.path for e in EXAMPLES if e.path.parent.name == "examples"}
