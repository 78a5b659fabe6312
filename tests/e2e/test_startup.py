"""What commands cost before they do anything."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import hastec
from hastec.cli.main import VERBS
from hastec.options import Options
from hastec.run import device
from tests.e2e.shell import ROOT, example, shell

HEAVY = ("torch", "triton", "sympy", "numpy", "networkx", "llvmlite", "scipy")
HELP, CHECK, COLD, CACHED = 0.15, 0.5, 2.0, 0.05
"""Seconds that are promised: for help, for checking 200 lines, for compiling to source, again."""
SLOW_MACHINE = 3
"""How many times slower than promised a shared machine may be."""


def best(run: Callable[[], object], times: int) -> float:
    """Return the seconds of processors, in this process and those it waits for, of the fastest of
    some runs: what else is going on takes no part.
    """
    found = []
    for _ in range(times):
        start = sum(os.times()[:4])
        run()
        found.append(sum(os.times()[:4]) - start)
    return min(found)


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
    assert best(lambda: shell("--help"), 5) < HELP * SLOW_MACHINE


def test_two_hundred_lines_are_checked_quickly(tmp_path: Path) -> None:
    kernel = example("linear").read_text(encoding="utf-8").split("\n", 1)[1]
    count = 200 // kernel.count("\n")
    text = "haste 1\n" + "".join(kernel.replace("linear", f"k{n}") for n in range(count))
    (tmp_path / "long.haste").write_text(text, encoding="utf-8")
    done = shell("check", str(tmp_path / "long.haste"))
    assert done.code == 0 and f"{count} kernels" in done.out
    assert best(lambda: shell("check", str(tmp_path / "long.haste")), 3) < CHECK * SLOW_MACHINE


def test_programs_are_compiled_to_source_quickly(tmp_path: Path) -> None:
    """In a process that starts for it."""
    argv = ("compile", str(example("linear")), "--target", "sm_90", "-o", str(tmp_path / "out"))
    folders = iter(range(2))

    def run() -> None:
        done = shell(*argv, env={"HASTE_CACHE_DIR": str(tmp_path / f"cache{next(folders)}")})
        assert done.code == 0 and "1 kernel" in done.out

    assert best(run, 2) < COLD * SLOW_MACHINE


def test_what_was_compiled_is_loaded_quickly(tmp_path: Path) -> None:
    options = Options.from_environment({}, cache_dir=tmp_path)

    def run() -> None:
        made = hastec.compile(example("linear"), options=options)
        assert made.source_for("sm_90").codes

    run()
    assert best(run, 5) < CACHED * SLOW_MACHINE


def test_without_a_driver_torch_is_not_asked_for_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"no {name}")

    def never() -> None:
        raise AssertionError("torch is asked")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    monkeypatch.setattr(device, "torch_module", never)
    assert device.gpu() is None


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
