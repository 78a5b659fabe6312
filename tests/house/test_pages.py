"""Pages that say what the code is: generated ones are current, names exist, numbers are counted."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import torch

import hastec
from hastec.diag import Source
from hastec.front.build import check
from hastec.front.ready import READY
from hastec.levels.assemble import from_dense, pack
from hastec.levels.formats import bind_format
from hastec.levels.missing import missing
from hastec.levels.registry import default_registry
from hastec.sym.size import Size
from tests.house.tree import ROOT, none

DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    part = text.split(f"\n{heading}\n")[1].split("\n#")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def script(name: str) -> Any:
    """Return a script of the house as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


# ------------------------------------------------------------------------------ written by scripts
def test_the_page_of_errors_is_what_its_script_writes() -> None:
    assert page("errors.md") == script("errors_page").page(), "run scripts/errors_page.py"


def test_the_example_of_the_architecture_is_what_the_compiler_makes() -> None:
    text = page("architecture.md")
    assert text == script("stages_page").filled(text), "run scripts/stages_page.py"


# ------------------------------------------------------------------------------------------ formats
def test_every_level_and_code_is_on_the_page_of_formats() -> None:
    text, registry = page("formats.md"), default_registry()
    levels = {re.split(r"\W", quoted(row[0])[0])[0] for row in rows(text, "## Structure: levels")}
    assert levels == set(registry.levels)
    index = {re.split(r"\W", n)[0] for r in rows(text, "## Index codes") for n in quoted(r[0])}
    assert index == set(registry.index)
    known = {re.sub(r"\d$", "8", n) if n.startswith("int") else n for n in registry.values}
    named = [q.split("(")[0] for r in rows(text, "## Value codes") for q in quoted(r[0])]
    assert {re.sub(r"\d$", "8", n) if n.startswith("int") else n for n in named if n} == (
        known - {"raw"}
    )


def test_ready_formats_are_those_of_the_language() -> None:
    declared = dict(re.findall(r"format (\w+)\([^)]*\) = (.+)", READY))
    named = rows(page("formats.md"), "### Ready formats")
    found = {re.split(r"\W", quoted(row[0])[0])[0]: quoted(row[1])[0] for row in named}
    assert found == declared


def test_the_bytes_on_the_page_of_formats_are_counted() -> None:
    draw = torch.Generator().manual_seed(0)
    dense = torch.randn(256, 512, generator=draw).half()
    dense *= torch.rand(256, 512, generator=draw) < 0.1
    entries = from_dense(dense)
    assert entries.count == 13167
    wrong = []
    for cells in rows(page("formats.md"), "## What that costs, once"):
        (name,) = quoted(cells[0])
        count = packed_bytes(name, entries)
        if cells[1:] != [str(count), f"{count / entries.count:.2f}"]:
            wrong.append(f"{name}: {count}, {count / entries.count:.2f}")
    none(wrong)


def packed_bytes(name: str, entries: Any) -> int:
    """Return the bytes of a table in a format declared as it is named."""
    text = f"haste 1\nkernel k(W: f16[M, K] @ {name}) -> y: f32[M] {{ y[m] = sum[k] W[m, k] }}\n"
    param = hastec.compile(text, backend_name="cpu").graph.param("W")
    assert param.format is not None
    shape = tuple(Size.of(n) for n in entries.shape)
    layouts = bind_format(param.format, "W", param.dtype, shape, default_registry())
    return sum(part.bytes for part in pack(layouts, entries, {}).parts)


# ------------------------------------------------------------------------------------- architecture
PATH = re.compile(r"`([\w./*-]+/[\w./*-]*|[\w-]+\.(?:py|md|toml|lark|svg)|\.importlinter)`")


def test_every_path_in_the_pages_exists() -> None:
    found = []
    for name in ("architecture.md", "formats.md", "tutorial.md", "errors.md"):
        for path in PATH.findall(page(name)):
            here = [ROOT / path, DOCS / path]
            if not any(list(p.parent.glob(p.name)) if p.parent.is_dir() else () for p in here):
                found.append(f"docs/{name}: {path}")
    none(found)


def prose(text: str) -> str:
    """Return a page without code, in which brackets are no links."""
    return re.sub(r"^```.*?^```$|`[^`\n]+`", "", text, flags=re.M | re.S)


def test_links_lead_somewhere() -> None:
    found = []
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")):
        text = prose(file.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not (file.parent / target).exists():
                found.append(f"{file.name}: {target}")
    none(found)


def test_every_package_is_described() -> None:
    text = page("architecture.md")
    packages = [p.parent for p in (ROOT / "hastec").glob("*/__init__.py")]
    names = sorted(p.name for p in packages if not p.is_symlink())
    tops = ["passes", "backends", "grammar"]
    described = re.findall(r"^\| `(?:hastec/)?([\w]+)/`", text, re.M)
    assert sorted({*names, *tops}) == sorted(described)


def test_every_pass_and_every_level_file_is_named() -> None:
    text = page("architecture.md")
    line = (ROOT / "passes" / "__init__.py").read_text(encoding="utf-8")
    for module in re.findall(r"^from hastec\.passes\.(\w+) import [A-Z]\w+$", line, re.M):
        if module != "base":
            assert f"`passes/{module}.py`" in text, module


def test_the_files_are_there() -> None:
    listed = {p.name for p in Path(DOCS).iterdir()}
    assert {"architecture.md", "errors.md", "flow.svg", "formats.md", "tutorial.md"} <= listed


# ---------------------------------------------------------------------------------------- examples
def test_every_example_is_listed_with_how_it_runs() -> None:
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.haste\) \| (.+) \| (\w+) \|$", text, re.M)
    assert sorted(name for name, _, _, _ in listed) == sorted(
        path.stem for path in (ROOT / "examples").glob("*.haste")
    )
    for name, target, shows, runs in listed:
        program = (ROOT / "examples" / f"{name}.haste").read_text(encoding="utf-8")
        graphs = check(Source(name, program))
        how = "interpreted" if any(any(missing(g)) for g in graphs) else "compiled"
        assert (name, runs) == (target, how)
        assert f"# {shows}" in program
