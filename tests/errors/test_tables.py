"""Every error in a table or its format at run time, as users see it: its exact message."""

import re
from pathlib import Path

import pytest

from hastec.diag import HasteError
from hastec.diag.codes_tables import TABLE
from tests.errors.table_cases import CASES, PROGRAM

HERE = Path(__file__).parent
CODES = [code for code, _, _ in TABLE]


def message(code: str, folder: Path) -> str:
    with pytest.raises(HasteError) as caught:
        CASES[code](folder)
    error = caught.value
    assert [d.code for d in error.diagnostics] == [code]
    assert all(d.help for d in error.diagnostics)
    if any(d.span for d in error.diagnostics):
        error = error.at(PROGRAM)
    return str(error).replace(str(folder), "…") + "\n"


@pytest.mark.parametrize("code", CODES)
def test_message(code: str, tmp_path: Path) -> None:
    assert message(code, tmp_path) == (HERE / f"{code}.txt").read_text(encoding="utf-8")


def test_every_code_of_tables_is_listed() -> None:
    sources = [p for d in ("levels", "run") for p in (HERE.parents[1] / "hastec" / d).glob("*.py")]
    used = {code for p in sources for code in re.findall(r'"(HST4\d{3})"', p.read_text())}
    assert used == set(CODES)
