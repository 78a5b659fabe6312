"""The pages' programs, Python and shell lines do what the pages say, in the order they say it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
NAMED = re.compile(r"^# (\w+\.haste):", re.M)
PAGES = ("README.md", "docs/tutorial.md")


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield the fenced blocks of a page: their language and their text."""
    for found in BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        yield found[1], found[2]


def run(arguments: list[str], folder: Path) -> str:
    """Run Python in a folder as a reader would, with a cache of its own; return what it printed."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("HASTE_")}
    kept |= {"PYTHONPATH": str(ROOT), "HASTE_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_works(page: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    ran = 0
    for kind, text in blocks(page):
        if kind == "haste" and (named := NAMED.search(text)):
            (tmp_path / named[1]).write_text(text, encoding="utf-8")
        if kind == "python":
            run(["-c", text], tmp_path)
            ran += 1
        for line in text.splitlines() if kind == "sh" else ():
            if line.startswith("hastec "):
                run(["-m", *shlex.split(line)], tmp_path)
                ran += 1
            else:
                assert re.match(r"make [a-z]+ +#", line), line
    assert ran >= 4


def test_the_program_on_the_front_page_is_an_example() -> None:
    (program,) = (text for kind, text in blocks("README.md") if kind == "haste")
    assert program in (ROOT / "examples" / "linear.haste").read_text(encoding="utf-8")


def test_times_on_the_front_page_are_in_one_place() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (measured,) = re.findall(r"<!-- measured -->(.*)<!-- /measured -->", page, re.S)
    rest = page.replace(measured, "")
    assert not re.findall(r"\d\s*(us|ms|x faster|TB/s|GB/s)\b", rest)
