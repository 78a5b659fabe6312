"""Every test of the command line has a cache and a working folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep settings of the machine out, and what commands leave in."""
    import os

    for name in tuple(os.environ):
        if name.startswith("HASTE_") or name == "NO_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HASTE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
