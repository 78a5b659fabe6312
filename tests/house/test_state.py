"""No hidden state: what flows is frozen, modules hold constants, order never comes from a set."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.tree import dotted, files, matches, none, tree

MAKERS = (
    *("list", "dict", "set", "bytearray", "defaultdict", "Counter", "OrderedDict", "ChainMap"),
    *("deque", "count", "cycle", "local", "Lock", "RLock", "ContextVar"),
    *("WeakKeyDictionary", "WeakValueDictionary", "WeakSet"),
)
GROWING = (ast.List, ast.Set, ast.ListComp, ast.SetComp)
CHANGES = (
    *("append", "add", "clear", "extend", "insert", "pop", "popitem", "remove"),
    *("setdefault", "sort", "update"),
)
READ_ONLY = ("Mapping", "Sequence", "frozenset", "tuple")
UNORDERED = (
    *("sorted", "any", "all", "set", "frozenset", "min", "max", "sum", "len"),
    *("isdisjoint", "issubset", "update"),
)
"""Calls whose result does not depend on the order of what they are given."""
FROZEN = (
    "hastec/options.py",
    "hastec/contracts*",
    "hastec/diag/*",
    "hastec/sym/*",
    "hastec/target/*",
    "hastec/cost/*",
    "hastec/ir/*",
    "hastec/cache/*",
    "hastec/tune/*",
    "grammar/ast.py",
    "passes/*",
)
"""Where all dataclasses are values that flow; elsewhere some are the working state of a builder."""
WORKING = ("hastec/ir/define.py",)


def bodies(name: str) -> Iterator[list[ast.stmt]]:
    """Yield the statements that run when a module is imported, those of its classes included."""
    yield tree(name).body
    yield from (node.body for node in ast.walk(tree(name)) if isinstance(node, ast.ClassDef))


def is_state(value: ast.expr | None) -> bool:
    """Say whether a value is there to be changed; a dictionary with entries may be a table."""
    if isinstance(value, ast.Call):
        return dotted(value.func).split(".")[-1] in MAKERS
    return isinstance(value, GROWING) or (isinstance(value, ast.Dict) and not value.keys)


def assigned(body: list[ast.stmt]) -> Iterator[tuple[int, str, ast.expr]]:
    """Yield line, name and value of each assignment, unless its stated type is read-only."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            yield statement.lineno, dotted(statement.targets[0]), statement.value
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            kind = ast.unparse(statement.annotation).replace("Final[", "").replace("ClassVar[", "")
            if not kind.startswith(READ_ONLY):
                yield statement.lineno, dotted(statement.target), statement.value


def test_modules_and_classes_hold_constants() -> None:
    found = [
        f"{name}:{line} {target}"
        for name in files()
        for body in bodies(name)
        for line, target, value in assigned(body)
        if is_state(value) and target != "__all__"
    ]
    none(found, "make it a tuple or a frozenset, or state its type as Mapping[...]:")


def changed(name: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of what is changed in place: ``x[0] = 1``, ``x.pop()``."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield node.lineno, dotted(node.value)
        method = node.func if isinstance(node, ast.Call) else None
        if isinstance(method, ast.Attribute) and method.attr in CHANGES:
            yield method.lineno, dotted(method.value)


def test_nobody_changes_a_table() -> None:
    """Tables are spelt in capitals; what is changed in place is not."""
    found = [
        f"{name}:{line} {target}"
        for name in files()
        for line, target in changed(name)
        if target.split(".")[-1].isupper()
    ]
    none(found, "a constant is changed:")


def test_tables_are_spelt_in_capitals() -> None:
    found = [
        f"{name}:{line} {target}"
        for name in files()
        for line, target, value in assigned(tree(name).body)
        if isinstance(value, ast.Dict | ast.DictComp) and not target.isupper()
    ]
    none(found)


def test_no_function_writes_a_module() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name in files()
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Global)
    ]
    none(found)


def dataclass_options(node: ast.ClassDef) -> set[str] | None:
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        if dotted(call.func if call else decorator).split(".")[-1] == "dataclass":
            given = call.keywords if call else []
            return {k.arg or "" for k in given if ast.unparse(k.value) == "True"}
    return None


def test_dataclasses_are_frozen_and_slotted() -> None:
    found = []
    for name in files():
        flows = matches(name, FROZEN) and not matches(name, WORKING)
        wanted = {"frozen", "slots"} if flows else {"slots"}
        for node in ast.walk(tree(name)):
            options = dataclass_options(node) if isinstance(node, ast.ClassDef) else None
            if options is not None and not wanted <= options:
                found.append(f"{name}:{getattr(node, 'name', '')}")
    none(found)


def is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return dotted(node.func) in ("set", "frozenset")
    return isinstance(node, ast.Set | ast.SetComp)


def ordered_uses_of_sets(module: ast.Module) -> Iterator[int]:
    """Yield the lines where a set, written on the spot, is put into an order."""
    free = {
        id(argument)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in UNORDERED
        for argument in node.args
    }
    for node in ast.walk(module):
        if isinstance(node, ast.For) and is_set(node.iter):
            yield node.lineno
        if (
            isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp)
            and id(node) not in free
        ):
            yield from (node.lineno for part in node.generators if is_set(part.iter))
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in (
            "list",
            "tuple",
            "join",
        ):
            yield from (node.lineno for argument in node.args if is_set(argument))


def test_no_order_comes_from_a_set() -> None:
    found = [f"{name}:{line}" for name in files() for line in ordered_uses_of_sets(tree(name))]
    none(found)
