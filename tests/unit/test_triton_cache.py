"""Machine code is kept: another process, or another program object, compiles nothing again."""

from __future__ import annotations

from pathlib import Path

import pytest

import hastec
from hastec.artefact import Artefact
from hastec.backends.triton import load_module
from hastec.options import Options

TEXT = """haste 1
kernel scale(X: f32[M, N], s: f32[N]) -> Y: f32[M, N] {
    Y[m, n] = X[m, n] * s[n]
}
"""


def built(folder: Path) -> Artefact:
    options = Options.from_environment({}, cache_dir=folder, target="sm_90")
    return hastec.compile(TEXT, options=options).artefact_for({"M": 64, "N": 256}, build=True)


def test_machine_code_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = built(tmp_path)
    assert first.codes[0].files["kernel.cubin"][:4] == b"\x7fELF"

    def refuse(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(load_module, "compile_kernel", refuse)
    again = built(tmp_path)
    assert [c.files for c in again.codes] == [c.files for c in first.codes]
    assert [c.facts for c in again.codes] == [c.facts for c in first.codes]
    with pytest.raises(AssertionError, match="compiled again"):
        built(tmp_path / "empty")
