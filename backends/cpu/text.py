"""LLVM IR as text: type names, literals, fresh names and lines."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

from hastec.ir.kernel import POINTER
from hastec.ir.types import BOOL, F32, F64, DType

Name = str
"""A value of the text: a local name such as ``%acc`` or a literal such as ``3``."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.]")


def word(dtype: DType) -> str:
    """Return the register type of one element: 16-bit floats are carried as ``i16``."""
    if dtype == POINTER:
        return "ptr"
    if dtype == BOOL:
        return "i1"
    if dtype == F32:
        return "float"
    if dtype == F64:
        return "double"
    return f"i{dtype.bits}"


def stored(dtype: DType) -> str:
    """Return the type one element has in memory."""
    return "i8" if dtype == BOOL else word(dtype)


def vector(element: str, lanes: int) -> str:
    """Return the type of ``lanes`` elements; of one element if there are no lanes (0)."""
    return f"<{lanes} x {element}>" if lanes else element


def literal(number: bool | int | float, element: str) -> str:
    """Return a scalar literal; floats as their exact bits."""
    if element == "i1":
        return "true" if number else "false"
    if element == "double":
        return "0x" + struct.pack(">d", number).hex().upper()
    if element == "float":
        # A float literal is written as the double of the same value.
        return "0x" + struct.pack(">d", single(float(number))).hex().upper()
    bits = int(element[1:])
    value = int(number) % 2**bits
    return str(value - 2**bits if value >= 2 ** (bits - 1) else value)


def single(number: float) -> float:
    """Return the f32 nearest to a number."""
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def splat(value: str, element: str, lanes: int) -> str:
    """Return a constant with the same literal in every lane."""
    return f"splat ({element} {value})" if lanes else value


class Lines:
    """The body of one function: lines, fresh local names, and the block being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.used: dict[str, int] = {}
        self.block = "entry"

    def fresh(self, hint: str) -> str:
        """Return an unused name that resembles ``hint``, without its sigil."""
        base = _UNSAFE.sub("_", hint) or "v"
        base = f"v{base}" if base[0].isdigit() else base
        count = self.used.get(base, 0)
        self.used[base] = count + 1
        return base if count == 0 else self.fresh(f"{base}.{count}")

    def emit(self, hint: str, text: str) -> Name:
        """Write an instruction with a result and return its name."""
        name = f"%{self.fresh(hint)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def line(self, text: str) -> None:
        """Write an instruction without a result."""
        self.lines.append(f"  {text}")

    def note(self, text: str) -> None:
        """Write a comment."""
        self.lines.append(f"  ; {text}")

    def label(self, name: str) -> None:
        """Start a basic block."""
        self.lines.append(f"{name}:")
        self.block = name

    def hold(self) -> int:
        """Keep a line free, to be written by :meth:`fill` once its operands are known."""
        self.lines.append("")
        return len(self.lines) - 1

    def fill(self, at: int, text: str) -> None:
        """Write a line kept free by :meth:`hold`."""
        self.lines[at] = f"  {text}"

    def call(self, hint: str, result: str, callee: str, args: Iterable[tuple[str, Name]]) -> Name:
        """Write a call; ``args`` are (type, value)."""
        shown = ", ".join(f"{t} {v}" for t, v in args)
        return self.emit(hint, f"call {result} @{callee}({shown})")
