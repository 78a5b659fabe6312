"""Every error outside of a program's text and its tables, as users see it: its exact message."""

import re
from pathlib import Path

import pytest

from hastec.diag import Diagnostic, HasteError, Source, Span
from hastec.diag.codes import CODES
from hastec.diag.render import render_all
from tests.errors.other_cases import CASES
from tests.house.tree import files, text

HERE = Path(__file__).parent


def message(code: str, folder: Path) -> str:
    """Return what a case says: it raises, or returns warnings."""
    source = None
    try:
        made = CASES[code](folder)
    except HasteError as error:
        found, source = error.diagnostics, error.source
    else:
        assert isinstance(made, tuple)
        found = made
    assert all(isinstance(d, Diagnostic) for d in found)
    assert [d.code for d in found] == [code]
    shown = render_all(found, source).replace(str(folder), "…")
    # The hash of a bundle changes with what entries note about their makers.
    return re.sub(r"sha256 is [0-9a-f]{64}", "sha256 is …", shown) + "\n"


@pytest.mark.parametrize("code", CASES)
def test_message(code: str, tmp_path: Path) -> None:
    assert message(code, tmp_path) == (HERE / f"{code}.txt").read_text(encoding="utf-8")


def test_every_code_has_its_text() -> None:
    assert {path.stem for path in HERE.glob("HST????.txt")} == set(CODES)


def test_every_code_in_the_source_is_listed() -> None:
    """And every listed one is used somewhere."""
    used = {
        code
        for name in files()
        if not name.startswith("hastec/diag/codes")
        for code in re.findall(r"[\"'](HST\d{4})[\"']", text(name))
    }
    assert used == set(CODES)


def test_codes_are_explained_in_sentences() -> None:
    for code in CODES.values():
        assert code.title and not code.title.endswith(".")
        assert code.text.endswith(".")


def test_a_long_line_is_shown_around_its_error() -> None:
    source = Source("long", "a" * 1000 + "?" + "b" * 1000)
    found = Diagnostic("HST0001", "here", Span(1, 1001, 1, 1002))
    shown, carets = render_all((found,), source).split("\n")[1:]
    assert len(shown) <= 170 and shown[carets.index("^")] == "?"
    assert shown.count("…") == 2
