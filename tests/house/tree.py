"""The repository as the house tests see it: its files and their syntax trees."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("passes", "backends", "grammar")
PRODUCT = ("hastec", *LINKED)
ALL = (*PRODUCT, "tests", "scripts", "examples", "bench")


@functools.cache
def files(
    folders: tuple[str, ...] = PRODUCT, suffixes: tuple[str, ...] = (".py",)
) -> tuple[str, ...]:
    """Return paths below the root, each file once: links inside hastec/ are not followed."""
    found: list[str] = []
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            here = path.relative_to(ROOT)
            linked = here.parts[0] == "hastec" and here.parts[1] in LINKED
            if path.is_file() and path.suffix in suffixes and not linked:
                found.append(here.as_posix())
    return tuple(sorted(found))


@functools.cache
def text(name: str) -> str:
    """Return the text of a file."""
    return (ROOT / name).read_text(encoding="utf-8")


@functools.cache
def tree(name: str) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(text(name), name)


def none(found: list[str], advice: str = "") -> None:
    """Fail and show every place unless nothing was found."""
    if found:
        raise AssertionError("\n".join([advice or "found:", *found]))


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Say whether a path is one of those that ``patterns`` (with ``*``) name."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def imports(name: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of every module or name that a file imports."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` for such an expression, and nothing for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def calls(name: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of every call in a file."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func)
