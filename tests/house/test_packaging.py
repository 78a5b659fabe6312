"""What is installed: one top-level name, nothing forgotten, with and without links."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import LINKED, PRODUCT, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packages_on_disk() -> set[str]:
    """Return the import names of all folders that hold Python files."""
    found: set[str] = set()
    for top in PRODUCT:
        prefix = "" if top == "hastec" else "hastec."
        for folder in (ROOT / top, *(ROOT / top).rglob("*/")):
            here = folder.relative_to(ROOT).parts
            linked = top == "hastec" and len(here) > 1 and here[1] in LINKED
            if folder.is_dir() and not linked and any(folder.glob("*.py")):
                found.add(prefix + ".".join(here))
    return found


def test_every_package_is_listed() -> None:
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages_on_disk()


def test_every_package_has_an_init_file() -> None:
    mapping = PROJECT["tool"]["setuptools"]["package-dir"]
    for package in packages_on_disk():
        parts = package.split(".")
        top = ".".join(parts[:2]) if ".".join(parts[:2]) in mapping else parts[0]
        rest = parts[len(top.split(".")) :]
        assert Path(ROOT, mapping[top], *rest, "__init__.py").is_file(), package


@pytest.mark.parametrize("name", LINKED)
def test_the_links_are_committed_and_relative(name: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--stage", f"hastec/{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    # A checkout may turn links into files that hold their target; an archive has no git at all.
    assert listed.startswith("120000 ") or not (ROOT / ".git").exists()
    link = ROOT / "hastec" / name
    target = str(link.readlink()) if link.is_symlink() else link.read_text(encoding="utf-8")
    assert target == f"../{name}"


@pytest.mark.parametrize("name", LINKED)
def test_the_folders_are_not_imported_under_their_bare_names(name: str) -> None:
    code = f"import hastec.{name}\nimport {name}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert f"ImportError: import hastec.{name}, not {name}" in done.stderr


def copy(target: Path, links: bool) -> Path:
    """Copy what a build needs, its links as links or as the files some checkouts have instead."""
    target.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    ignore = shutil.ignore_patterns("__pycache__")
    for top in PRODUCT:
        shutil.copytree(ROOT / top, target / top, symlinks=True, ignore=ignore)
    for name in () if links else LINKED:
        (target / "hastec" / name).unlink()
        (target / "hastec" / name).write_text(f"../{name}", encoding="utf-8")
    return target


def wheel(source: Path) -> dict[str, int]:
    """Build a wheel and return its files and their checksums."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(source / "out"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = (source / "out").glob("*.whl")
    assert built.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(built) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}


def test_the_wheel_holds_all_of_it_under_one_name(tmp_path: Path) -> None:
    found = wheel(copy(tmp_path / "linked", links=True))
    tops = {name.split("/")[0] for name in found}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"hastec"}
    assert {"hastec/py.typed", "hastec/grammar/haste.lark"} <= set(found)
    for top in PRODUCT:
        prefix = "hastec" if top == "hastec" else f"hastec/{top}"
        for path in (ROOT / top).rglob("*.py"):
            here = path.relative_to(ROOT / top).as_posix()
            if top != "hastec" or not here.startswith(LINKED):
                assert f"{prefix}/{here}" in found
    assert not [name for name in found if "/tests/" in name or "__pycache__" in name]
    assert wheel(copy(tmp_path / "unlinked", links=False)) == found
