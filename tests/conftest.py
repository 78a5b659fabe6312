"""What all tests share: golden files, and how they are written anew."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Golden: TypeAlias = Callable[[Path, str], None]
"""Compares a text with a golden file, or writes the file if the run is to."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that ``make golden`` gives."""
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files")


@pytest.fixture(scope="session")
def updating(request: pytest.FixtureRequest) -> bool:
    """Return whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def golden(updating: bool) -> Golden:
    """Return what compares a text with a golden file, and shows where they differ."""

    def check(path: Path, text: str) -> None:
        if updating:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path} is missing: run `make golden` and look at it"
        kept = path.read_text(encoding="utf-8")
        if kept != text:
            lines = (kept.splitlines(), text.splitlines())
            shown = "\n".join(difflib.unified_diff(*lines, "golden", "found", lineterm="", n=2))
            pytest.fail(
                f"{path} differs; if this is meant, run `make golden`\n{shown}", pytrace=False
            )

    return check
