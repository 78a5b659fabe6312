"""Names for generated code: after tables, levels, digits and what a value is."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Mapping

from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    Carried,
    Const,
    Coord,
    Final,
    For,
    If,
    Kernel,
    Let,
    Load,
    Reduce,
    SizeArg,
    Stmt,
    Store,
    Value,
    arguments,
    statements,
)

RESERVED = frozenset(
    (*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "tl", "triton", "libdevice", "pid")
)
_STATES = {"sum": "acc", "prod": "product", "max": "highest", "min": "lowest"}
_RESULTS = {**_STATES, "sum": "total", "any": "some", "all": "every"}
_BETWEEN = {
    "add": "plus", "sub": "minus", "mul": "times", "div": "over", "lt": "below", "le": "up_to",
    "gt": "above", "ge": "from", "eq": "is", "ne": "is_not", "mod": "mod",
}  # fmt: skip
_WORDS = {
    "add": "added", "sub": "difference", "mul": "product", "div": "ratio", "lt": "below",
    "le": "below", "gt": "above", "ge": "above", "eq": "same", "ne": "other", "and": "both",
    "or": "either", "not": "not", "mod": "rest", "max": "larger", "min": "smaller",
    "abs": "size_of", "neg": "minus", "popc": "ones", "bitand": "bits", "bitor": "bits",
    "bitxor": "bits", "shl": "bits", "shr": "bits", "sqrt": "root", "rsqrt": "inverse_root",
}  # fmt: skip
_ROLE = re.compile(r"_(prog|step|lane|warp|reg|tile|run)\w*$")


def identifier(name: str) -> str:
    """Return a Python name for a name of the program."""
    text = re.sub(r"\W", "_", name)
    if not text or text[0].isdigit():
        return f"n{text}"
    return f"{text}_" if text in RESERVED else text


def arguments_of(kernel: Kernel) -> dict[str, str]:
    """Return the names of the generated function's arguments, in order.

    The number of a level is left out where a table has one component of that name.
    """
    names = [*(t.name for t in kernel.tables), *kernel.sizes]
    short = {n: identifier(re.sub(r"\.\d+(?=\.)", "", n)) for n in names}
    alike = list(short.values())
    return {n: s if alike.count(s) == 1 else identifier(n) for n, s in short.items()}


class Names:
    """The names of one generated function: proposals for its values, and which are taken."""

    def __init__(self, kernel: Kernel) -> None:
        self.arguments = arguments_of(kernel)
        self.proposed = _Proposals(kernel, self.arguments).found
        self.taken = {*RESERVED, *self.arguments.values(), identifier(kernel.name)}

    def fresh(self, hint: str) -> str:
        """Return a name not used before."""
        base = identifier(hint.lower())
        name, n = base, 1
        while name in self.taken:
            n += 1
            name = f"{base.rstrip('_')}_{n}"
        self.taken.add(name)
        return name

    def of(self, value: Value) -> str:
        """Return a name for a value not used before."""
        return self.fresh(self.proposed.get(value.id, "value"))


class _Proposals:
    """What each value of a kernel could be called; values are visited in order."""

    def __init__(self, kernel: Kernel, arguments: Mapping[str, str]) -> None:
        self.values = kernel.values()
        self.tables = {n: _table(s) for n, s in arguments.items()}
        self.roles = self._roles(kernel)
        self.found: dict[ValueId, str] = {}
        self.joined: dict[ValueId, None] = {}
        """Values whose names are made of others' names already."""
        for value in kernel.carried:
            self.found[value.id] = _STATES.get(value.hint, value.hint) or "state"
        for stmt in statements(kernel.body):
            if isinstance(stmt, Let):
                self.found[stmt.value.id] = self._name(stmt.value)

    def _roles(self, kernel: Kernel) -> dict[ValueId, str]:
        """Return what the first statement that uses a value uses it as."""
        found: dict[ValueId, str] = {}
        states = {v.id: _STATES.get(v.hint, v.hint) for v in kernel.carried}
        for stmt in statements(kernel.body):
            for value, role in self._used(stmt, states):
                if value is not None and value not in found:
                    found[value] = role
        return found

    def _used(
        self, stmt: Stmt, states: Mapping[ValueId, str]
    ) -> Iterable[tuple[ValueId | None, str]]:
        match stmt:
            case Let(Value(op=Load(table, _, mask))):
                yield mask, f"{self.tables[table]}_mask"
            case Let(Value(op=Address(_, offset))):
                yield offset, "offset"
            case Store(table, _, value, mask):
                yield value, self.tables[table]
                yield mask, f"{self.tables[table]}_mask"
            case For(digit, lo, hi, _, carries):
                yield lo, f"first_{digit}"
                yield hi, f"{digit}s"
                yield from ((c.next, f"next_{states[c.inside]}") for c in carries)
            case If(condition, _):
                yield condition, "wanted"
            case Let():
                pass

    def _name(self, value: Value) -> str:
        op = value.op
        match op:
            case Address():
                return f"{self.tables[self._base(op)]}_at"
            case Reduce() | Carried() | Final():
                return _RESULTS.get(value.hint, value.hint) or "total"
            case Load(table):
                name = self.tables[table]
                of = table.split(".")[0]
                return name if table.endswith(".val") else f"{of}_{value.hint or name}"
            case Apply() if not value.hint:
                return self._applied(value, op)
            case _:
                return value.hint or "value"

    def _base(self, op: Address) -> str:
        """Return the table an address points into."""
        base = op.base
        while not isinstance(base, str):
            inner = self.values[base].op
            assert isinstance(inner, Address)
            base = inner.base
        return base

    def _applied(self, value: Value, op: Apply) -> str:
        role = self.roles.get(value.id, "")
        if role == "offset":
            return self._offset(value)
        if role:
            return role
        operands = [self.values[a] for a in op.args]
        if op.fn in ("cast", "where"):
            named = [v.id for v in operands[-2:] if not isinstance(v.op, Const)]
            named = [v for v in named if self.found.get(v)]
            if any(v in self.joined for v in named[:1]):
                self.joined[value.id] = None
            return self.found[named[0]] if named else "value"
        words = [self._word(v) for v in operands]
        word = _WORDS.get(op.fn, op.fn)
        if op.fn in _BETWEEN and all(words) and not words[0][0].isdigit():
            self.joined[value.id] = None
            return f"{words[0]}_{_BETWEEN[op.fn]}_{words[1]}"
        if len(words) == 1 and words[0]:
            self.joined[value.id] = None
            return f"{word}_{words[0]}"
        return word

    def _word(self, value: Value) -> str:
        """Return a value's name if it may be part of another one."""
        if isinstance(value.op, Const):
            number = value.op.value
            return str(int(number)) if 0 <= number < 1 << 20 and number % 1 == 0 else ""
        return "" if value.id in self.joined else self.found.get(value.id, value.hint)

    def _offset(self, value: Value) -> str:
        """Name an offset after what it depends on."""
        leaves: dict[str, None] = {}
        self._leaves(value, leaves)
        if 0 < len(leaves) <= 3:
            return f"{'_'.join(leaves)}_offset"
        return "offset"

    def _leaves(self, value: Value, found: dict[str, None]) -> None:
        match value.op:
            case Coord(digit):
                found[_ROLE.sub("", digit)] = None
            case Load() | Carried() | Final() | Reduce():
                found[self.found.get(value.id, "value")] = None
            case SizeArg() | Const():
                pass
            case _:
                for used in arguments(value.op):
                    self._leaves(self.values[used], found)


def _table(argument: str) -> str:
    """Return what values of a table's component are called after: its table, for its values."""
    return argument.removesuffix("_val")
