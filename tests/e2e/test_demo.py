"""``make demo``: what it prints is right, short, and says where to go from there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Run the demonstration in a folder of its own; return what it printed, and the folder."""
    folder = tmp_path_factory.mktemp("demo")
    kept = {n: v for n, v in os.environ.items() if not n.startswith("HASTE_")}
    kept |= {"HASTE_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout, folder


@pytest.mark.slow
def test_every_table_is_right_and_explained(shown: tuple[str, Path]) -> None:
    out, folder = shown
    weights = sorted(p.name for p in (ROOT / "examples" / "data").glob("*.smtx.gz"))
    assert len(weights) >= 3
    for weight in weights:
        name = weight.removesuffix(".smtx.gz")
        part = out.split(f"\n{name}\n")[1].split("\n\n")[0]
        said = re.findall(r"^    (\w+) ", part, re.M)
        assert said == ["chosen", "because", "not", "not", "moves", "takes", "checked", "dumped"]
        assert "checked  right" in part
        assert re.search(r"takes    \d+ us .*torch dense \d+ us, .*torch CSR", part)
        dump = folder / "dump" / name
        assert {"00-build.txt", "explain.txt", "linear_Y.kernel.txt"} <= {
            p.name for p in dump.iterdir()
        }


@pytest.mark.slow
def test_attention_is_one_kernel(shown: tuple[str, Path]) -> None:
    part = shown[0].split("\nexamples/a_shape.haste")[1]
    assert part.count("    kernel ") == 1 and "scores, softmax and product" in part
    assert "checked  right" in part


@pytest.mark.slow
def test_it_fits_a_screen_and_names_pages_that_exist(shown: tuple[str, Path]) -> None:
    out, _ = shown
    assert len(out.splitlines()) < 60 and max(map(len, out.splitlines())) <= 110
    pages = re.findall(r"^    (\S+\.md) ", out, re.M)
    assert len(pages) >= 3 and all((ROOT / page).is_file() for page in pages)
    assert "WRONG" not in out
