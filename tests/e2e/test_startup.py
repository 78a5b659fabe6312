"""What commands cost before they do anything."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from hastec.cli.main import VERBS
from tests.e2e.shell import ROOT, example, shell

HEAVY = ("torch", "triton", "sympy", "numpy", "networkx", "llvmlite", "scipy")
LIMIT = 0.15
SLOW_MACHINE = 4
"""How many times slower than promised a shared machine may be."""


def modules(code: str) -> set[str]:
    """Return the modules that are loaded behind some code, by their first name."""
    ends = "import sys; print(' '.join({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ends}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stderr.split("\n")[-2].split())


def command(*argv: str) -> str:
    return f"from hastec.cli.main import main\nmain({list(argv)!r})"


def test_help_is_quick() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert shell("--help").code == 0
        times.append(time.perf_counter() - start)
    assert min(times) < LIMIT * SLOW_MACHINE


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("check", str(example("linear"))),
        ("check", str(example("hata")), "--json"),
        ("fmt", "--check", str(example("linear"))),
        ("explain", "HST1001"),
    ],
    ids=str,
)
def test_no_library_is_loaded(argv: tuple[str, ...]) -> None:
    assert not modules(command(*argv)) & set(HEAVY)


def test_help_loads_no_compiler() -> None:
    loaded = modules(command("--help"))
    assert "lark" not in loaded and "hastec" in loaded


@pytest.mark.parametrize("verb", [name for name, _ in VERBS])
def test_every_command_has_help(verb: str) -> None:
    from tests.e2e.shell import hastec

    done = hastec(verb, "--help")
    assert done.code == 0 and done.err == ""
    assert f"usage: hastec {verb}" in done.out and "--json" in done.out


def test_the_page_names_every_command() -> None:
    page = (ROOT / "hastec" / "cli" / "README.md").read_text(encoding="utf-8")
    for name, _ in VERBS:
        assert f"| `{name}" in page, name
