"""Every error of a program's text, as users see it: one program a code, and its exact message."""

from pathlib import Path

import pytest

from hastec.diag import HasteError, Source
from hastec.diag.codes import CODES
from hastec.front.build import check
from hastec.grammar.parser import MAX_BYTES

HERE = Path(__file__).parent
PROGRAMS = sorted(HERE.glob("*.haste"))
TEXT_CODES = [code for code in CODES if code < "HST4"]
TOO_LONG_FOR_A_FILE = {"HST0010"}


def diagnostics(name: str, text: str) -> HasteError:
    with pytest.raises(HasteError) as caught:
        check(Source(name, text))
    return caught.value


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_message(path: Path) -> None:
    error = diagnostics(path.name, path.read_text(encoding="utf-8"))
    assert str(error) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert path.stem[:7] in [d.code for d in error.diagnostics]


@pytest.mark.parametrize("code", TEXT_CODES)
def test_code_has_a_program(code: str) -> None:
    assert code in TOO_LONG_FOR_A_FILE or (HERE / f"{code}.haste").exists()


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_each_error_suggests_one_fix(path: Path) -> None:
    for found in diagnostics(path.name, path.read_text(encoding="utf-8")).diagnostics:
        assert found.code in CODES
        assert found.help
        assert found.span is not None


def test_a_long_text_is_refused() -> None:
    (found,) = diagnostics("long", "#" * (MAX_BYTES + 1)).diagnostics
    assert found.code == "HST0010"


def test_a_large_kernel_is_refused() -> None:
    terms = " + ".join(f"{n}.5 * x[i]" for n in range(6000))
    text = f"kernel k(x: f32[N]) -> y: f32[N] {{ y[i] = {terms} }}"
    (found,) = diagnostics("large", text).diagnostics
    assert found.code == "HST1022"


def test_an_error_is_not_reported_again_where_its_name_is_used() -> None:
    text = """kernel k(x: f32[N]) -> y: f32[N] {
        t[i] = x[i] + nothing
        u[i] = t[i] * 2
        y[i] = u[i] + nowhere
    }"""
    found = [d.message for d in diagnostics("k", text).diagnostics]
    assert found == ["`nothing` is no name known here"]


def test_errors_of_several_declarations_are_collected() -> None:
    text = """kernel a(x: f32[N]) -> y: f32[N] { y[i] = x[i] + one }
kernel b(x: f32[N]) -> y: f32[N] { y[i] = x[i] + two }"""
    assert len(diagnostics("k", text).diagnostics) == 2
