"""``cache`` and ``doctor``: what is kept, carried, damaged, missing."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tests.e2e.shell import bind, example, hastec


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A cache with two entries."""
    for size in ("4", "5"):
        given = bind(f"E=random:{size}x{size}", "x=random")
        assert hastec("run", example("relax"), *given).code == 0
    return tmp_path / "cache"


def test_a_cache_is_listed(filled: Path) -> None:
    data = hastec("cache", "--json").data
    assert data["path"] == str(filled) and len(data["entries"]) == 2
    text = hastec("cache", "list").out.splitlines()
    assert len(text) == 3 and text[2].startswith("2 entries, ") and str(filled) in text[2]
    assert hastec("cache", "path").out == f"{filled}\n"


def test_an_entry_is_removed_by_the_start_of_its_key(filled: Path) -> None:
    first, second = (e["key"] for e in hastec("cache", "--json").data["entries"])
    assert hastec("cache", "clear", first[:12]).out == "1 entry removed\n"
    assert [e["key"] for e in hastec("cache", "--json").data["entries"]] == [second]
    assert hastec("cache", "clear").out == "1 entry removed\n"
    assert hastec("cache", "clear").out == "0 entries removed\n"


def test_damage_is_found(filled: Path) -> None:
    path = next(filled.rglob("k0.txt"))
    path.chmod(0o600)
    path.write_bytes(b"something else")
    done = hastec("cache", "verify")
    assert done.code == 0 and done.out == "2 entries checked, 1 damaged\n"
    assert "warning[HST6102]" in done.err
    assert hastec("cache", "verify").out == "1 entry checked, 0 damaged\n"


def test_a_cache_is_carried(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = hastec("cache", "export", tmp_path / "b.tar", "--json").data
    monkeypatch.setenv("HASTE_CACHE_DIR", str(tmp_path / "other"))
    refused = hastec("cache", "import", tmp_path / "b.tar", "0" * 64)
    assert refused.code == 1 and "error[HST6104]" in refused.err
    taken = hastec("cache", "import", tmp_path / "b.tar", made["sha256"])
    assert taken.code == 0 and taken.out.startswith("2 entries taken from")
    assert len(hastec("cache", "--json").data["entries"]) == 2
    assert hastec("cache", "gc").out.endswith("2 entries kept, " + taken_size() + "\n")


def taken_size() -> str:
    from hastec.text import amount

    return amount(hastec("cache", "--json").data["bytes"])


def test_a_cache_nobody_should_trust(filled: Path) -> None:
    filled.chmod(0o777)
    done = hastec("cache", "list")
    assert done.code == 0 and "warning[HST6103]" in done.err
    assert "chmod it to 700" in done.err


def states(done_out: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in json.loads(done_out)["findings"]:
        found.setdefault(finding["what"], []).append(finding["state"])
    return found


def test_the_doctor_finds_this_machine_well(filled: Path) -> None:
    done = hastec("doctor", "--json")
    found = states(done.out)
    assert done.code == 0 and done.data["to_do"] == 0
    assert {"hastec", "python", "torch", "triton", "cpu", "gpu", "cache"} <= set(found)
    assert "2 entries" in done.out


def test_the_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("torch", "scipy") else real(name)
    )
    done = hastec("doctor")
    assert done.code == 0 and "everything is in order" not in done.out
    assert "bad   torch        not installed: tables are its tensors" in done.out
    assert "-> pip install torch" in done.out and "-> pip install 'hastec[io]'" in done.out
    assert "2 to look at" in done.out


def test_the_doctor_looks_at_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASTE_SKIP_CACHE", "1")
    monkeypatch.setenv("HASTE_DEBUGG", "1")
    out = hastec("doctor").out
    assert "cache        switched off" in out and "skip_cache = 1 (from HASTE_SKIP_CACHE)" in out
    assert "HASTE_DEBUGG is no setting of HASTE" in out and "-> did you mean HASTE_DEBUG?" in out
    monkeypatch.setenv("HASTE_CHECK", "sometimes")
    assert "HASTE_CHECK is 'sometimes'" in hastec("doctor").out


def test_the_doctor_sees_damage(filled: Path) -> None:
    next(filled.rglob("k0.txt")).unlink()
    assert "damaged entries were set aside" in hastec("doctor").out
