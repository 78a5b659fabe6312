"""Files, functions and lines stay short enough to be read."""

from __future__ import annotations

import ast

from tests.house.tree import ALL, files, none, text, tree

LINES = 400
FUNCTION = 40
COLUMNS = 100


def test_files_are_short() -> None:
    long = {name: text(name).count("\n") for name in files(ALL, (".py", ".lark"))}
    none([f"{name}: {n}" for name, n in long.items() if n > LINES])


def test_functions_are_short() -> None:
    found = [
        f"{name}:{node.lineno} {node.name}"
        for name in files(ALL)
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION
    ]
    none(found)


def test_lines_are_short() -> None:
    found = [
        f"{name}:{number}"
        for name in files(ALL, (".py", ".lark"))
        for number, line in enumerate(text(name).split("\n"), 1)
        if len(line) > COLUMNS
    ]
    none(found)
