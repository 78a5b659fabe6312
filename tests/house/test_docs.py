"""Public names say what they are, and the pages of the house name the commands that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.tree import ROOT, files, none, tree

PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE")


def public(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield the public classes, functions and methods of a module, with their dotted names."""
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_") or "overload" in map(ast.unparse, child.decorator_list):
            continue
        yield prefix + child.name, child
        if isinstance(child, ast.ClassDef):
            yield from public(child, f"{prefix}{child.name}.")


def test_public_names_have_docstrings() -> None:
    found = []
    for name in files():
        named = [(name, tree(name)), *((f"{name}:{n}", node) for n, node in public(tree(name)))]
        for label, node in named:
            assert isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            )
            if not ast.get_docstring(node):
                found.append(label)
    none(found)


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_there(page: str) -> None:
    assert (ROOT / page).stat().st_size > 200


def test_the_readme_names_both_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme and "make test" in readme


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in script and (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_every_command_in_the_pages_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for page in ("README.md", "CONTRIBUTING.md"):
        named = re.findall(r"`make ([a-z]+)`", (ROOT / page).read_text(encoding="utf-8"))
        assert set(named) <= set(targets), page
