"""Command lines that mean nothing: status 2 and a suggestion; other ends and their status."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import pytest

from hastec.cli import check
from hastec.cli.answer import Answer, Problem
from hastec.cli.terminal import Terminal
from hastec.diag import Diagnostic, InternalError, Source, Span
from hastec.ir.graph import Graph
from hastec.passes.normalise import Normalise
from tests.e2e.shell import example, hastec, shell

WRONG = [
    (("chek",), "HST6401", "did you mean `check`?"),
    (("frobnicate",), "HST6401", "`hastec --help` lists the commands"),
    (("check",), "HST6403", "see `hastec check --help`"),
    (("check", "--jsn", "x.haste"), "HST6402", "did you mean `--json`?"),
    (("compile", "x.haste", "--size", "N"), "HST6403", "see `hastec compile --help`"),
    (("run", "x.haste", "--backend", "cup"), "HST6403", "see `hastec run --help`"),
    (("explain", "HST1002x"), "HST6003", "check the path"),
    (("explain", "HST9999"), "HST6403", "codes look like HST1001"),
    (("cache", "lst"), "HST6403", "see `hastec cache --help`"),
    (("cache", "export"), "HST6403", "write entries to a bundle: cache export FILE.tar [KEY …]"),
    (("cache", "clear", "ab"), "HST6403", "`hastec cache list` shows the keys"),
    (("doctor", "me"), "HST6403", "see `hastec doctor --help`"),
]


@pytest.mark.parametrize(("argv", "code", "help_"), WRONG, ids=lambda x: str(x))
def test_a_wrong_command_line(argv: tuple[str, ...], code: str, help_: str) -> None:
    done = hastec(*argv)
    assert done.code == (1 if code == "HST6003" else 2)
    assert done.out == "" and f"error[{code}]" in done.err
    assert f"help: {help_}" in done.err


def test_a_wrong_choice_says_what_was_meant() -> None:
    done = hastec("inspect", "x.haste", "--ir", "krenel")
    assert "did you mean `kernel`?" in done.err


def test_a_wrong_command_line_in_json() -> None:
    done = hastec("run", "--json")
    assert done.code == 2 and done.err == ""
    assert done.data["ok"] is False and done.codes == ["HST6403"]


def test_no_command_shows_the_commands() -> None:
    assert hastec().code == 2 and hastec("--help").code == 0
    assert hastec().out == hastec("--help").out == hastec("help").out


def test_version() -> None:
    import hastec as package

    assert hastec("--version").out == f"hastec {package.__version__}\n"


def test_a_bad_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASTE_CACHE_LIMIT", "lots")
    done = hastec("cache", "list")
    assert done.code == 1 and "error[HST6001]: HASTE_CACHE_LIMIT is 'lots'" in done.err


def test_a_defect_has_its_own_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> object:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(check, "_checked", broken)
    done = hastec("check", "x.haste")
    assert done.code == 3 and done.out == ""
    assert done.err.startswith("internal error: ZeroDivisionError: by design\n")
    assert "Traceback" not in done.err
    monkeypatch.setenv("HASTE_DEBUG", "1")
    assert "in broken" in hastec("check", "x.haste").err


def test_a_defect_leaves_what_helps_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Normalise, graph: Graph) -> Graph:
        raise InternalError("a promise is broken")

    monkeypatch.setattr(Normalise, "run", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HASTE_TARGET", "cpu")
    given = ("--bind", "E=random:3x3", "--bind", "x=random")
    done = hastec("run", example("relax"), *given)
    assert done.code == 3 and "  in pass normalise, on kernel relax\n" in done.err
    (path,) = tmp_path.glob("haste-defect-*/*.txt")
    assert f"help: report it with {path}" in done.err
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert text.startswith(f"command: hastec run {example('relax')} --bind E=random:3x3")
    assert "setting: target = cpu (HASTE_TARGET)" in text and "torch: " in text
    assert "y[v] = min(x[v], min[u](x[u] + E[u, v]))" in text
    assert "InternalError: a promise is broken" in text


def test_what_a_cache_warns_of_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o777)
    (tmp_path / "cache").chmod(0o777)
    given = ("--bind", "E=random:3x3", "--bind", "x=random")
    done = hastec("run", example("relax"), *given)
    assert done.code == 0 and "warning[HST6103]" in done.err


def test_stages_are_left_where_a_setting_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASTE_DUMP_DIR", str(tmp_path / "dump"))
    given = ("--bind", "E=random:3x3", "--bind", "x=random")
    assert hastec("run", example("relax"), *given).code == 0
    assert (tmp_path / "dump" / "relax" / "06-tile.txt").exists()


def test_an_interrupt_has_its_own_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "_checked", interrupted)
    assert hastec("check", "x.haste").code == 130


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.e2e.shell import ROOT

    many = [str(example("linear"))] * 400
    line = [sys.executable, "-m", "hastec", "check", "--json", *many]
    done = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert done.stdout is not None and done.stderr is not None
    done.stdout.readline()
    done.stdout.close()
    assert done.stderr.read() == b""
    done.stderr.close()
    assert done.wait() in (0, 1)


def told(coloured: bool) -> str:
    err = io.StringIO()
    found = Diagnostic("HST1001", "no `q`", Span(1, 3, 1, 4), "write `p`")
    answer = Answer("text", problems=(Problem(found, Source("a.haste", "p q")),))
    Terminal(io.StringIO(), err, coloured).show(answer, False)
    return err.getvalue()


def test_colours_are_for_terminals() -> None:
    plain = told(False)
    assert "\x1b" not in plain
    painted = told(True)
    assert "\x1b[31merror[HST1001]\x1b[0m" in painted and "\x1b[31m  ^\x1b[0m" in painted
    assert "\x1b[36mhelp\x1b[0m: write `p`" in painted
    bare = painted
    for ink in ("31", "33", "36", "1", "0"):
        bare = bare.replace(f"\x1b[{ink}m", "")
    assert bare == plain


def test_no_colour_in_a_pipe_or_where_it_is_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    from hastec.cli import terminal

    assert "\x1b" not in shell("check", "tests/errors/HST1001.haste").err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert terminal.terminal().coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.terminal().coloured


def test_problems_as_data_have_places() -> None:
    done = hastec("check", "--json", example("../tests/errors/HST1003"))
    (problem,) = json.loads(done.out)["problems"]
    assert problem["line"] > 0 and problem["end_column"] > problem["column"] > 0
    assert problem["notes"] and "line" in problem["notes"][0]
