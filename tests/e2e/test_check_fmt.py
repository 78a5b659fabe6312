"""``check`` and ``fmt``: what they say, write and leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from hastec.diag import Source
from hastec.grammar.formatter import fmt
from tests.e2e.shell import EXAMPLES, ROOT, example, hastec, shell

UGLY = "haste 1\nkernel k(x:f32[N])->y:f32[N]{ y[i]=x[i]}\n"
PRETTY = fmt(Source("ugly", UGLY))
ALL = sorted(EXAMPLES.glob("*.haste"))


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "ugly.haste"
    path.write_text(UGLY)
    return path


def test_every_example_is_right() -> None:
    done = hastec("check", *ALL)
    assert done.code == 0 and len(done.out.splitlines()) == len(ALL)
    assert f"{example('linear')}: 1 kernel, no errors: linear" in done.out
    assert f"{example('cache')}: 2 kernels, no errors: append and flush" in done.out


def test_what_is_interpreted_is_a_warning() -> None:
    done = hastec("check", example("moba"))
    assert done.code == 0 and "warning[HST5001]: the selection topk" in done.err
    assert hastec("check", example("linear")).err == ""


def test_a_wrong_program_is_shown_with_carets() -> None:
    wrong = ROOT / "tests/errors/HST1001.haste"
    done = hastec("check", example("linear"), wrong)
    assert done.code == 1 and done.out.startswith(str(example("linear")))
    wanted = wrong.with_suffix(".txt").read_text().replace(wrong.name, str(wrong))
    assert done.err == wanted


def test_check_as_data() -> None:
    (found,) = hastec("check", "--json", example("linear")).data["files"]
    (kernel,) = found["kernels"]
    assert kernel["sizes"] == ["M", "K", "N"] and kernel["interpreted"] is False
    w = kernel["tables"][0]
    assert (w["name"], w["type"], w["shape"], w["sparse"]) == ("W", "f16", ["M", "K"], True)
    assert w["time"] == "static"
    data = hastec("check", "--json", example("hata")).data
    assert data["ok"] is True and data["files"][0]["kernels"][0]["interpreted"] is True


def test_standard_input_is_checked() -> None:
    done = shell("check", "-", text="haste 1\nkernel k(x: f32[N]) -> y: f32[N] { y[i] = q }\n")
    assert done.code == 1 and done.err.startswith("<stdin>:2:")


def test_fmt_writes_in_place(ugly: Path) -> None:
    ugly.chmod(0o640)
    done = hastec("fmt", ugly)
    assert done.code == 0 and ugly.read_text() == PRETTY
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert hastec("fmt", ugly).out.strip() == ""
    assert [p.name for p in ugly.parent.glob("*.haste*")] == ["ugly.haste"]


def test_fmt_follows_links(ugly: Path) -> None:
    link = ugly.with_name("link.haste")
    link.symlink_to(ugly)
    assert hastec("fmt", link).code == 0
    assert link.is_symlink() and ugly.read_text() == PRETTY


def test_fmt_checks_without_writing(ugly: Path) -> None:
    done = hastec("fmt", "--check", ugly)
    assert done.code == 1 and ugly.read_text() == UGLY
    assert done.err == f"error[HST6407]: {ugly} is not formatted\n  help: run `hastec fmt` on it\n"
    assert hastec("fmt", "--check", *ALL).code in (0, 1)


def test_fmt_shows_what_would_change(ugly: Path) -> None:
    done = hastec("fmt", "--diff", ugly)
    assert done.code == 0 and ugly.read_text() == UGLY
    assert "-kernel k(x:f32[N])->y:f32[N]{ y[i]=x[i]}\n+kernel k(x: f32[N])" in done.out


def test_fmt_of_standard_input() -> None:
    done = shell("fmt", "-", text=UGLY)
    assert done.code == 0 and done.out == PRETTY


def test_a_program_that_does_not_parse_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "broken.haste"
    path.write_text("haste 1\nkernel (\n")
    done = hastec("fmt", path)
    assert done.code == 1 and "error[HST0" in done.err
    assert path.read_text() == "haste 1\nkernel (\n"


def test_a_file_that_cannot_be_written(ugly: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    done = hastec("fmt", ugly)
    assert done.code == 1
    assert f"error[HST6405]: cannot write {ugly}: No space left on device" in done.err
    assert [p.name for p in ugly.parent.iterdir() if "ugly" in p.name] == ["ugly.haste"]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bytes.haste"
    path.write_bytes(b"haste 1\n\xff\xfe")
    assert "is not UTF-8 text" in hastec("check", path).err
