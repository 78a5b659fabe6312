"""Words that stand for unfinished or unsafe work, and names that the compiler must not know."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ALL, LINKED, ROOT, files, none, text

UNFINISHED = r"TODO|FIXME|XXX|NotImplementedError|not implemented|placeholder"
UNSAFE = r"\beval\(|\bexec\(|pickle|sympify|lambdify|parse_expr|except:|yaml\.load|shell=True"
SILENCED = r"# type: ignore|# noqa|pragma: no cover"
CANNOT_FAIL = r"pytest\.skip|mark\.skip|mark\.xfail|importorskip|assert True\b"

KERNELS = (
    *("spmm", "spmv", "sddmm", "spgemm", "attention", "flash", "moe"),
    *("hata", "nsa", "moba", "mustafar", "cats"),
)
"""The compiler knows no operators: none of these may be named, not even in a comment."""

ELSEWHERE = r"/work/|/root/|/opt/pypi|/tmp/v3"


def found(pattern: str, names: tuple[str, ...], flags: int = 0) -> list[str]:
    """Return the places of a pattern as ``file:line: text``."""
    return [
        f"{name}:{number}: {line.strip()}"
        for name in names
        for number, line in enumerate(text(name).split("\n"), 1)
        if re.search(pattern, line, flags)
    ]


def outside(*folders: str) -> tuple[str, ...]:
    """Return all Python files but those of these folders."""
    return tuple(name for name in files(ALL) if not name.startswith(folders))


def test_nothing_is_unfinished() -> None:
    none(found(UNFINISHED, outside("tests/house")))


def test_nothing_runs_text() -> None:
    none(found(UNSAFE, outside("tests/house")))


def test_no_checker_is_silenced_without_a_reason() -> None:
    # A reason follows in brackets, or behind a second `#`.
    with_reason = rf"(?:{SILENCED})[^(]*\(.{{8,}}\)|ignore\[[a-z-]+\]  # \w"
    places = found(SILENCED, outside("tests/house"))
    none([place for place in places if not re.search(with_reason, place)])


def test_every_test_can_fail() -> None:
    none(found(CANNOT_FAIL, tuple(n for n in outside("tests/house") if "tests/" in n)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_compiler_knows_no_operator(kernel: str) -> None:
    names = tuple(name for name in files() if not name.startswith("grammar/"))
    whole_word = rf"(?<![a-z]){kernel}(?![a-z])"
    none(found(whole_word, names, re.IGNORECASE))
    none([name for name in names if re.search(whole_word, name, re.IGNORECASE)])


def test_no_file_is_bound_to_one_machine() -> None:
    kinds = (".py", ".lark", ".haste", ".md", ".txt", ".toml", ".sh", ".json")
    names = (*files(ALL, kinds), *(p.name for p in ROOT.iterdir() if p.suffix in kinds))
    here = tuple(name for name in names if not name.startswith("tests/house"))
    none(found(ELSEWHERE, here))


def test_the_folders_are_looked_at() -> None:
    seen = {name.split("/")[0] for name in files()}
    assert seen == {"hastec", *LINKED}
