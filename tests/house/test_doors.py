"""Every library has its door, the environment one reader, the terminal one writer."""

from __future__ import annotations

import ast
import sys

from tests.house.tree import calls, dotted, files, imports, matches, none, tree

ANYWHERE = ("*",)
DOORS: dict[str, tuple[str, ...]] = {
    "lark": ("grammar/parser.py",),
    "networkx": ("hastec/ir/view.py",),
    "sympy": ("hastec/sym/formula.py",),
    "filelock": ("hastec/cache/lock.py",),
    "platformdirs": ("hastec/cache/place.py",),
    "llvmlite": ("backends/cpu/*",),
    "triton": ("backends/triton/*",),
    "torch": ("hastec/arrays.py", "hastec/run/*", "hastec/tune/*", "backends/triton/load*.py"),
    "scipy": ("hastec/run/*",),
    "safetensors": ("hastec/run/*",),
    "numpy": (
        *("hastec/ir/numeric.py", "hastec/ir/kernel_interp.py", "hastec/ir/interp/*"),
        *("hastec/run/*", "hastec/tune/*", "backends/*"),
    ),
}
"""Who may import what: a library that is not here is not used."""

REFUSED = {
    "code", "codeop", "ftplib", "http", "marshal", "pickle", "runpy", "shelve", "smtplib", "socket",
    "socketserver", "ssl", "telnetlib", "urllib", "webbrowser", "xmlrpc", "dbm",
}  # fmt: skip
"""Parts of the standard library that run foreign data, or reach the network."""

LOADERS = ("backends/*/load*.py",)
"""Where generated code becomes running code."""
RUNNING = ("eval", "exec", "__import__", "spec_from_file_location", "exec_module", "import_module")

ENVIRONMENT = ("hastec/options.py",)
TERMINAL = ("hastec/cli/*",)


def used(module: str) -> str:
    """Return the top of a module's name."""
    return module.split(".")[0]


def test_libraries_are_imported_at_their_doors() -> None:
    found = [
        f"{name}:{line} imports {module}"
        for name in files()
        for line, module in imports(name)
        if used(module) not in sys.stdlib_module_names | {"hastec", "__future__"}
        and not matches(name, DOORS.get(used(module), ()))
    ]
    none(found)


def test_imports_are_absolute() -> None:
    relative = [f"{n}:{line}" for n in files() for line, m in imports(n) if m.startswith(".")]
    none(relative)


def test_parts_of_the_standard_library_that_are_not_used() -> None:
    found = [f"{n}:{line} {m}" for n in files() for line, m in imports(n) if used(m) in REFUSED]
    none(found)


def test_generated_code_is_loaded_in_one_place() -> None:
    found = [
        f"{name}:{line} {called}"
        for name in files()
        for line, called in calls(name)
        if called.split(".")[-1] in RUNNING and not matches(name, LOADERS)
    ]
    none(found)


def test_the_environment_is_read_in_one_place() -> None:
    readers = {"os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv"}
    found = []
    for name in files():
        used_names = {dotted(n) for n in ast.walk(tree(name)) if isinstance(n, ast.Attribute)}
        imported = {module for _, module in imports(name)}
        if (used_names | imported) & readers and not matches(name, ENVIRONMENT):
            found.append(name)
    none(found)


def test_printing_is_done_in_one_place() -> None:
    writers = {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
    found = []
    for name in files():
        used_names = {dotted(n) for n in ast.walk(tree(name)) if isinstance(n, ast.Attribute)}
        printed = {called for _, called in calls(name)} & {"print", "pprint.pprint", "input"}
        if (used_names & writers or printed) and not matches(name, TERMINAL):
            found.append(name)
    none(found)


def test_the_doors_are_those_of_the_build() -> None:
    """Every dependency that users install has a door, so none is dead weight."""
    import tomllib

    from tests.house.tree import ROOT

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    stated = [*project["dependencies"], *extras["torch"], *extras["triton"], *extras["io"]]
    assert {s.split(">")[0].split("<")[0] for s in stated} == set(DOORS)
