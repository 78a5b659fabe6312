"""Typed instructions: a thin layer over the text, used by arithmetic, memory and formulas alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hastec.backends.cpu.text import Lines, Name, literal, splat, vector


@dataclass(frozen=True, slots=True)
class Part:
    """A value of the text: one element (``lanes`` 0) or a vector of ``element``."""

    name: Name
    element: str
    lanes: int = 0

    @property
    def type(self) -> str:
        """The type as it is written."""
        return vector(self.element, self.lanes)

    @property
    def bits(self) -> int:
        """Width of one element."""
        return {"float": 32, "double": 64, "ptr": 64}.get(self.element) or int(self.element[1:])

    @property
    def real(self) -> bool:
        """True for float and double."""
        return self.element in ("float", "double")

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True, slots=True)
class Machine:
    """What instructions a text may rely on.

    ``half``: conversions between f16 and f32; ``fma``: fused multiply-add; ``scale``: powers of
    two as one instruction; ``gather``: vector loads from scattered addresses; ``bits``: width of
    the widest register.
    """

    half: bool = False
    fma: bool = False
    scale: bool = False
    gather: bool = False
    bits: int = 128


@dataclass(frozen=True, slots=True)
class Module:
    """Everything outside the function being written, in the order of its first use."""

    machine: Machine
    declarations: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def rolled(self) -> str:
        """Return a mark for one more loop: LLVM leaves it as it is written."""
        name, why = f"!{2 * len(self.marks)}", f"!{2 * len(self.marks) + 1}"
        self.marks[name] = (
            f'{name} = distinct !{{{name}, {why}}}\n{why} = !{{!"llvm.loop.unroll.disable"}}'
        )
        return name

    def text(self) -> str:
        """Return constants, functions, declarations and marks."""
        groups = (self.constants, self.functions, self.declarations, self.marks)
        return "\n".join("\n".join(g.values()) + "\n" for g in groups if g)


class Code(Lines):
    """The body of a function with typed instructions."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    # ------------------------------------------------------------------------------ constants
    def const(self, number: bool | int | float, element: str, lanes: int = 0) -> Part:
        """Return a literal in every lane."""
        return Part(splat(literal(number, element), element, lanes), element, lanes)

    def like(self, number: bool | int | float, part: Part) -> Part:
        """Return a literal of the type of ``part``."""
        return self.const(number, part.element, part.lanes)

    def numbers(self, numbers: Iterable[int | float], element: str) -> Part:
        """Return a vector literal."""
        shown = [f"{element} {literal(n, element)}" for n in numbers]
        return Part(f"<{', '.join(shown)}>", element, len(shown))

    # --------------------------------------------------------------------------- instructions
    def op(self, hint: str, opcode: str, left: Part, right: Part) -> Part:
        """Write an instruction of two operands of one type."""
        text = f"{opcode} {left}, {right.name}"
        return Part(self.emit(hint, text), left.element, left.lanes)

    def compare(self, hint: str, predicate: str, left: Part, right: Part) -> Part:
        """Write a comparison; the predicate is of numbers or of words (``olt``, ``slt``)."""
        kind = "fcmp" if left.real else "icmp"
        name = self.emit(hint, f"{kind} {predicate} {left}, {right.name}")
        return Part(name, "i1", left.lanes)

    def select(self, hint: str, where: Part, yes: Part, no: Part) -> Part:
        """Write a choice; a scalar condition chooses whole vectors."""
        name = self.emit(hint, f"select {where}, {yes}, {no}")
        return Part(name, yes.element, yes.lanes)

    def convert(self, hint: str, opcode: str, part: Part, element: str) -> Part:
        """Write a conversion, element by element (``bitcast`` keeps the width of elements)."""
        if part.element == element:
            return part
        name = self.emit(hint, f"{opcode} {part} to {vector(element, part.lanes)}")
        return Part(name, element, part.lanes)

    def intrinsic(self, hint: str, name: str, *args: Part, result: Part | None = None) -> Part:
        """Write a call of an LLVM intrinsic whose name ends in the first operand's type."""
        found = result or args[0]
        return self.named(hint, f"llvm.{name}.{suffix(args[0])}", found, *args)

    def named(self, hint: str, callee: str, result: Part, *args: Part) -> Part:
        """Write a call of a declared function; ``result`` gives the type."""
        types = ", ".join(a.type for a in args)
        self.module.declarations[callee] = f"declare {result.type} @{callee}({types})"
        return self.own(hint, callee, result, *args)

    def own(self, hint: str, callee: str, result: Part, *args: Part) -> Part:
        """Write a call of a function of this module; ``result`` gives the type."""
        name = self.call(hint, result.type, callee, ((a.type, a.name) for a in args))
        return Part(name, result.element, result.lanes)

    # -------------------------------------------------------------------------------- vectors
    def splat(self, hint: str, part: Part, lanes: int) -> Part:
        """Return a scalar in every lane (itself if there are no lanes)."""
        if not lanes or part.lanes:
            return part
        kind = vector(part.element, lanes)
        if not part.name.startswith("%"):
            return Part(splat(part.name, part.element, lanes), part.element, lanes)
        one = self.emit(hint, f"insertelement {kind} poison, {part}, i64 0")
        text = f"shufflevector {kind} {one}, {kind} poison, <{lanes} x i32> zeroinitializer"
        return Part(self.emit(hint, text), part.element, lanes)

    def extract(self, hint: str, part: Part, lane: int) -> Part:
        """Return one lane."""
        return Part(self.emit(hint, f"extractelement {part}, i64 {lane}"), part.element)

    def insert(self, hint: str, part: Part, scalar: Part, lane: int) -> Part:
        """Return ``part`` with one lane replaced."""
        name = self.emit(hint, f"insertelement {part}, {scalar}, i64 {lane}")
        return Part(name, part.element, part.lanes)

    def gathered(self, hint: str, scalars: list[Part]) -> Part:
        """Return a vector of scalars."""
        total = Part("poison", scalars[0].element, len(scalars))
        for lane, scalar in enumerate(scalars):
            total = self.insert(hint, total, scalar, lane)
        return total

    def shuffle(self, hint: str, left: Part, right: Part | None, lanes: Iterable[int]) -> Part:
        """Return lanes of ``left``, then of ``right``, by number."""
        order = list(lanes)
        other = f"{left.type} poison" if right is None else str(right)
        mask = ", ".join(f"i32 {n}" for n in order)
        name = self.emit(hint, f"shufflevector {left}, {other}, <{len(order)} x i32> <{mask}>")
        return Part(name, left.element, len(order))

    def any(self, hint: str, part: Part) -> Part:
        """Return whether any lane is true."""
        if not part.lanes:
            return part
        return self.intrinsic(hint, "vector.reduce.or", part, result=Part("", "i1"))

    # -------------------------------------------------------------------------------- helpers
    def helper(self, name: str, write: Callable[[Module, str], str]) -> str:
        """Return the name of a function of this module, written on its first use."""
        if name not in self.module.functions:
            self.module.functions[name] = ""  # keeps its place before those it calls
            text = write(self.module, name)
            del self.module.functions[name]
            self.module.functions[name] = text
        return name


def suffix(part: Part) -> str:
    """Return the ending of an overloaded intrinsic's name: ``v16f32``, ``i64``."""
    short = {"float": "f32", "double": "f64", "ptr": "p0"}.get(part.element, part.element)
    return f"v{part.lanes}{short}" if part.lanes else short
