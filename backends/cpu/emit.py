"""A kernel as LLVM IR text: one function that runs a range of programs, and its entry.

Programs are numbered with the last grid digit fastest. The entry takes ranges of programs from a
shared counter until none is left, so that threads which call it at the same time share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from hastec.backends.cpu import across, memory
from hastec.backends.cpu.arith import apply
from hastec.backends.cpu.code import Code, Machine, Module, Part
from hastec.backends.cpu.convert import cast, constant
from hastec.backends.cpu.entry import entry
from hastec.backends.cpu.layout import choose
from hastec.backends.cpu.panel import ROOM, Panels, Where
from hastec.backends.cpu.registers import Registers
from hastec.backends.cpu.split import FULL, split_loops
from hastec.backends.cpu.stage import panels
from hastec.backends.cpu.text import word
from hastec.diag import InternalError
from hastec.diag.span import Span
from hastec.ir.kernel import (
    Address,
    Apply,
    Arrive,
    Carried,
    Const,
    Coord,
    Dot,
    Final,
    For,
    If,
    Kernel,
    Let,
    Load,
    Reduce,
    Scan,
    SizeArg,
    Stmt,
    Store,
    Value,
    statements,
)
from hastec.ir.types import I64, Kind

ATTRIBUTES = """
attributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }
attributes #1 = { nounwind alwaysinline "min-legal-vector-width"="512" "prefer-vector-width"="512" }
attributes #2 = { nounwind noinline }
attributes #3 = { nounwind noinline "min-legal-vector-width"="512" "prefer-vector-width"="512" }
"""
RESERVED = (
    *("entry", "program", "next", "done"),
    *("begin", "end", "number", "following", "more", "nowhere"),
)
"""Names of the loop over programs."""


def emit(kernel: Kernel, lines: Mapping[int, str], machine: Machine) -> str:
    """Return the text of a module that runs ``kernel``; ``lines`` holds the program's text."""
    return _Emitter(split_loops(kernel), lines, machine).module_text()


class _Emitter:
    def __init__(self, kernel: Kernel, lines: Mapping[int, str], machine: Machine) -> None:
        self.kernel = kernel
        self.lines = lines
        self.module = Module(machine)
        self.code = Code(self.module)
        self.code.used.update(dict.fromkeys(RESERVED, 1))
        self.regs = Registers(kernel, choose(kernel, machine.bits, machine.gather), self.code)
        self.coords: dict[str, Part] = {}
        """Grid and loop digits in scope."""
        self.sizes = {s: Part(f"%{self.code.fresh(s)}", "i64") for s in kernel.sizes}
        self.grid = {d: Part(f"%{self.code.fresh(f'{d}.count')}", "i64") for d, _ in kernel.grid}
        self.at: Span | None = None
        self.panels = Panels(self.regs, self.loop, self.block, self.coords)

    # ------------------------------------------------------------------------------ the module
    def module_text(self) -> str:
        """Return everything: the programs, their entry, helpers and declarations."""
        parameters = self.parameters()
        self.programs()
        body = "\n".join(self.code.lines)
        shown = ",\n    ".join([*parameters, "i64 %begin, i64 %end"])
        head = f"define internal void @programs(\n    {shown}) #3 {{"
        start = entry(self.kernel)
        self.module.declarations["llvm.smin.i64"] = "declare i64 @llvm.smin.i64(i64, i64)"
        parts = (self.title(), f"{head}\nentry:\n{body}\n}}\n", start, self.module.text())
        return "\n".join(parts) + ATTRIBUTES

    def title(self) -> str:
        """Return the comment at the top: the grid, and which digit lies along the lanes."""
        kernel, layout = self.kernel, self.regs.layout
        grid = ", ".join(f"{d} = {size}" for d, size in kernel.grid) or "one program"
        lanes = ", ".join(f"{d} ({layout.extent[d]})" for d in layout.order) or "none"
        return f"; kernel {kernel.name}\n; grid: {grid}\n; lanes, by rank: {lanes}\n"

    def parameters(self) -> list[str]:
        found = []
        for table in self.kernel.tables:
            access = " readonly" if table.access == "read" else ""
            found.append(
                f"ptr noalias nocapture{access} align {table.align} {self.regs.arrays[table.name]}"
            )
        return [*found, *map(str, self.sizes.values()), *map(str, self.grid.values())]

    def programs(self) -> None:
        """Write the loop over programs."""
        code = self.code
        stores = [s for s in statements(self.kernel.body) if isinstance(s, Store)]
        code.line(f"%nowhere = alloca [{max([64, *map(self.widest, stores)])} x i8], align 64")
        rooms = code.hold()
        starts = self.first_program()
        code.line("br label %program")
        code.label("program")
        code.line("%number = phi i64 [ %begin, %entry ], [ %following, %next ]")
        held = {d: code.hold() for d in starts}
        names = {d: f"%{code.fresh(d)}" for d in starts}
        for digit in starts:
            self.coords[digit] = Part(names[digit], "i64")
        self.program()
        code.fill(rooms, "\n  ".join(self.panels.rooms))
        code.line("br label %next")
        code.label("next")
        self.next_program(starts, held)
        code.line("%following = add nuw nsw i64 %number, 1")
        code.line("%more = icmp slt i64 %following, %end")
        code.line("br i1 %more, label %program, label %done")
        code.label("done")
        code.line("ret void")

    def program(self) -> None:
        """Write one program; loops that share what they read with others have a panel."""
        found = panels(self.kernel, self.regs.layout)
        for at, stmt in enumerate(self.kernel.body):
            if at not in found or not isinstance(stmt, For):
                self.block((stmt,))
                continue
            self.note(stmt.span)
            digit = found[at].digit
            number, begin, end = (Part(f"%{n}", "i64") for n in ("number", "begin", "end"))
            where = Where(number, begin, end, self.coords[digit], self.grid[digit])
            self.panels.write(stmt, found[at], where, ROOM // len(found))

    def widest(self, store: Store) -> int:
        """Return the bytes one part of a store writes."""
        used = (store.pointer, store.value, *(() if store.mask is None else (store.mask,)))
        digits = frozenset(d for v in used for d in self.regs.values[v].digits)
        lanes = self.regs.width(self.regs.layout.along(digits)) or 1
        return lanes * self.kernel.table(store.table).dtype.bytes

    def first_program(self) -> dict[str, Part]:
        """Return the coordinates of the first program."""
        code, rest = self.code, Part("%begin", "i64")
        found: dict[str, Part] = {}
        for n, (digit, count) in enumerate(reversed(self.grid.items())):
            if n == len(self.grid) - 1:
                found[digit] = rest
            else:
                found[digit] = code.op(f"{digit}.first", "urem", rest, count)
                rest = code.op("rest", "udiv", rest, count)
        return found

    def next_program(self, starts: dict[str, Part], held: dict[str, int]) -> None:
        """Advance the coordinates like a counter, the last digit first."""
        code = self.code
        carry: Part | None = None
        for digit, start in starts.items():
            at = self.coords[digit]
            if carry is None:
                up = code.op(f"{digit}.up", "add nuw nsw", at, code.const(1, "i64"))
            else:
                one = code.convert("carry", "zext", carry, "i64")
                up = code.op(f"{digit}.up", "add nuw nsw", at, one)
            carry = code.compare("full", "eq", up, self.grid[digit])
            wrapped = code.select(f"{digit}.next", carry, code.const(0, "i64"), up)
            sources = f"[ {start.name}, %entry ], [ {wrapped.name}, %next ]"
            code.fill(held[digit], f"{at.name} = phi i64 {sources}")

    # ------------------------------------------------------------------------------ statements
    def block(self, body: tuple[Stmt, ...]) -> None:
        for stmt in body:
            match stmt:
                case Let(value):
                    self.note(value.span)
                    self.let(value)
                case Store():
                    self.note(stmt.span)
                    memory.store(self.regs, stmt)
                case If(condition, inner):
                    self.branch(self.regs.part(condition, "", {}), inner)
                case For():
                    self.note(stmt.span)
                    self.loop(stmt)
                case _ as never:
                    assert_never(never)

    def note(self, span: Span | None) -> None:
        """Write the line of the program that what follows comes from, where it changes."""
        if span is not None and (self.at is None or span.line != self.at.line):
            self.at = span
            text = self.lines.get(span.line, "").strip()
            self.code.note(f"{span.line}: {text}" if text else f"line {span.line}")

    def branch(self, condition: Part, body: tuple[Stmt, ...]) -> None:
        code = self.code
        then, after = code.fresh("then"), code.fresh("after")
        code.line(f"br {condition}, label %{then}, label %{after}")
        code.label(then)
        with self.regs.block():
            self.block(body)
        code.line(f"br label %{after}")
        code.label(after)

    def loop(self, loop: For, then: Callable[[], None] | None = None) -> None:
        """Write a loop; ``then`` writes more at the end of its body."""
        code, regs = self.code, self.regs
        lo, hi = regs.part(loop.lo, "", {}), regs.part(loop.hi, "", {})
        name = code.fresh(loop.digit)
        head, inside, after = (code.fresh(f"{name}.{part}") for part in ("head", "body", "end"))
        before = code.block
        starts = self.initial(loop)
        code.line(f"br label %{head}")
        code.label(head)
        counter = code.hold()
        states = self.states(loop, starts)
        predicate = "ult" if regs.values[loop.lo].dtype.kind is Kind.UINT else "slt"
        self.coords[loop.digit] = Part(f"%{name}", lo.element)
        more = code.compare(f"{name}.more", predicate, self.coords[loop.digit], hi)
        code.line(f"br {more}, label %{inside}, label %{after}")
        code.label(inside)
        with regs.block():
            self.block(loop.body)
            if then is not None:
                then()
            nexts = self.replaced(loop)
        up = code.emit(f"{name}.next", f"add nsw {lo.element} %{name}, 1")
        last = code.block
        code.line(f"br label %{head}{self.once(loop)}")
        sources = f"[ {lo.name}, %{before} ], [ {up}, %{last} ]"
        code.fill(counter, f"%{name} = phi {lo.element} {sources}")
        for at, part, start, following in zip(*states, starts, nexts, strict=True):
            ends = f"[ {start.name}, %{before} ], [ {following.name}, %{last} ]"
            code.fill(at, f"{part.name} = phi {part.type} {ends}")
        code.label(after)
        self.final(loop)

    def once(self, loop: For) -> str:
        """Return what marks a loop as the end of one that was split: it has an iteration at most,
        so that writing out several is of no use.
        """
        rest = self.regs.values[loop.lo].hint == FULL
        return f", !llvm.loop {self.module.rolled()}" if rest else ""

    def initial(self, loop: For) -> list[Part]:
        """Return the parts of all states before a loop, spread like the states inside it."""
        regs = self.regs
        return [
            regs.part(c.init, regs.layout.lanes[c.inside], at)
            for c in loop.carries
            for at in regs.places(regs.rest(c.inside))
        ]

    def states(self, loop: For, starts: list[Part]) -> tuple[list[int], list[Part]]:
        """Keep a line free for every part of every state, and name the parts."""
        regs, code = self.regs, self.code
        held, parts = [], []
        places = [(c, at) for c in loop.carries for at in regs.places(regs.rest(c.inside))]
        for (carry, at), start in zip(places, starts, strict=True):
            value = regs.values[carry.inside]
            part = Part(f"%{code.fresh(regs.hint(value, at))}", start.element, start.lanes)
            regs.put(value.id, at, part)
            held.append(code.hold())
            parts.append(part)
        return held, parts

    def replaced(self, loop: For) -> list[Part]:
        regs = self.regs
        return [
            regs.part(c.next, regs.layout.lanes[c.inside], at)
            for c in loop.carries
            for at in regs.places(regs.rest(c.inside))
        ]

    def final(self, loop: For) -> None:
        """What a state is at the loop's head is also what it is after the loop."""
        for carry in loop.carries:
            self.regs.held[carry.after] = self.regs.held[carry.inside]

    # ---------------------------------------------------------------------------------- values
    def let(self, value: Value) -> None:
        if self.panels.reads(value):
            return
        regs, op = self.regs, value.op
        match op:
            case Address(base, offset):
                regs.point(value, base, offset)
            case Load():
                memory.load(regs, value, op)
            case Reduce():
                across.reduce(regs, value, op)
            case Scan():
                across.scan(regs, value, op)
            case Const() | SizeArg() | Coord() | Apply():
                for at in regs.places(regs.rest(value.id)):
                    regs.put(value.id, at, self.simple(value, at))
            case Dot() | Arrive() | Carried() | Final():
                raise InternalError(f"the CPU backend has no {type(op).__name__}")
            case _ as never:
                assert_never(never)

    def simple(self, value: Value, at: Mapping[str, int]) -> Part:
        """Return a part of a value that is computed element by element."""
        code, regs = self.code, self.regs
        along = regs.layout.lanes[value.id]
        match value.op:
            case Const(number):
                return constant(code, number, value.dtype)
            case SizeArg(name):
                return cast(code, self.sizes[name], I64, value.dtype, regs.hint(value, at))
            case Coord(digit):
                return self.coord(value, digit, along, at)
            case Apply(fn, args):
                parts = [regs.part(a, along, at) for a in args]
                hint = regs.hint(value, at)
                if fn == "where":
                    return code.select(hint, *parts)
                if fn == "cast":
                    return cast(code, parts[0], regs.values[args[0]].dtype, value.dtype, hint)
                return apply(regs.site(value, at), fn, parts)
            case _:
                raise InternalError(f"%{value.id} is not computed element by element")

    def coord(self, value: Value, digit: str, along: str, at: Mapping[str, int]) -> Part:
        if digit in self.coords:
            part = self.coords[digit]
            hint = self.regs.hint(value, at)
            if part.bits > value.dtype.bits:
                return self.code.convert(hint, "trunc", part, word(value.dtype))
            return self.code.convert(hint, "sext", part, word(value.dtype))
        if along == digit:
            return self.code.numbers(range(self.regs.width(digit)), word(value.dtype))
        return constant(self.code, at[digit], value.dtype)
