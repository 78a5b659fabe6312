"""Checks the promises of a kernel that its types cannot state.

Everything wrong here is a defect of what built the kernel, never of a user's program.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn, assert_never

from hastec.diag import InternalError
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    POINTER,
    Address,
    Apply,
    Arrive,
    Carried,
    Carry,
    Const,
    Coord,
    Digit,
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
    arguments,
)
from hastec.ir.kernel_show import show_kernel, show_stmt
from hastec.ir.primitive_types import type_error
from hastec.ir.types import BOOL, I32, DType

VECTOR_BYTES = 16
"""Widest access of one thread along a register digit."""


def verify_kernel(kernel: Kernel) -> None:
    """Raise ``InternalError``, with the printed kernel and the statement, if a promise is broken.

    Checked are: names and ids are unique and known where they are used; digits of a value are the
    union of its operands' (less those it combines) in the order of the kernel; thread digits fill
    the threads; register and thread digits never mix with block digits; types agree; loop bounds
    and conditions are scalars; arrays are read or written as declared; atomic merges are exact.
    """
    _Checker(kernel).kernel_is_sound()


class _Checker:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.digits = {d.name: d for d in kernel.digits}
        self.order = {d.name: i for i, d in enumerate(kernel.digits)}
        self.tables = {t.name: t for t in kernel.tables}
        self.carried = {v.id: v for v in kernel.carried}
        self.seen: set[ValueId] = set()
        self.scope: dict[ValueId, Value] = {}
        self.roots: dict[ValueId, str] = {}
        """The table every pointer leads into."""
        self.loops: list[str] = []
        self.tests: list[Value] = []
        """The conditions around this statement."""
        self.at: Stmt | None = None

    def fail(self, problem: str) -> NoReturn:
        where = "" if self.at is None else f"\n  at: {next(show_stmt(self.at))}"
        raise InternalError(
            f"kernel {self.kernel.name}: {problem}{where}\n{show_kernel(self.kernel)}"
        )

    def need(self, holds: bool, problem: str) -> None:
        if not holds:
            self.fail(problem)

    # ------------------------------------------------------------------------- declarations
    def kernel_is_sound(self) -> None:
        kernel = self.kernel
        self.unique("array", (t.name for t in kernel.tables))
        self.unique("size", kernel.sizes)
        self.unique("digit", (d.name for d in kernel.digits))
        self.unique("state", (v.id for v in kernel.carried))
        for table in kernel.tables:
            self.need(not table.dtype.stores_only, f"{table.name}: {table.dtype} only stores")
            own = table.access in ("scratch", "count")
            self.need(not own or table.numel is not None, f"{table.name} has no number of elements")
        for digit in kernel.digits:
            self.digit(digit)
        grid = [d.name for d in kernel.digits if d.role == "grid"]
        self.need(sorted(d for d, _ in kernel.grid) == sorted(grid), "grid digits are not the grid")
        self.threads()
        self.block(kernel.body)
        self.at = None
        self.need(self.seen >= self.carried.keys(), "a state belongs to no loop")

    def unique(self, what: str, names: Iterable[object]) -> None:
        known: set[object] = set()
        for name in names:
            self.need(name not in known, f"{what} {name} is declared twice")
            known.add(name)

    def digit(self, digit: Digit) -> None:
        fixed = digit.role in ("thread", "reg", "block")
        self.need(not fixed or digit.extent is not None, f"digit {digit.name} has no extent")
        self.need(digit.extent is None or digit.extent > 0, f"digit {digit.name} is empty")

    def threads(self) -> None:
        """Thread digits are the places of one mixed-radix number below ``threads``."""
        places = [d for d in self.kernel.digits if d.role == "thread"]
        product = 1
        for d in sorted(places, key=lambda d: (d.stride, d.extent != 1)):
            self.need(d.stride == product or d.extent == 1, f"thread digit {d.name} leaves a gap")
            product *= d.extent or 1
        filled = not places or product == self.kernel.threads
        self.need(filled, f"thread digits fill {product} of {self.kernel.threads} threads")

    # --------------------------------------------------------------------------- statements
    def block(self, body: tuple[Stmt, ...]) -> None:
        """Check statements in a scope that already holds what encloses them."""
        for stmt in body:
            self.at = stmt
            self.statement(stmt)

    def statement(self, stmt: Stmt) -> None:
        match stmt:
            case Let(value):
                self.let(value)
            case Store():
                self.store(stmt)
            case If(condition, body):
                self.scalar(condition, "the condition")
                self.need(self.use(condition).dtype == BOOL, "the condition is no truth value")
                outer = dict(self.scope)
                self.tests.append(self.use(condition))
                self.block(body)
                self.tests.pop()
                self.scope = outer
            case For():
                self.loop(stmt)
            case _ as never:
                assert_never(never)

    def define(self, value: Value) -> None:
        self.need(value.id not in self.seen, f"%{value.id} is defined twice")
        self.seen.add(value.id)
        known = [d for d in value.digits if d in self.digits]
        self.need(len(known) == len(value.digits), "a digit is not declared")
        self.need(value.digits == self.canonical(value.digits), "digits are not in order")
        roles = {self.digits[d].role for d in value.digits}
        self.need(not roles & {"grid", "loop"}, "grid and loop digits are no digits of a value")
        self.need("block" not in roles or roles == {"block"}, "block digits mix with others")
        self.need(not value.dtype.stores_only, f"{value.dtype} only stores")
        lo, hi = value.bounds or (0, 0)
        self.need(lo <= hi, "bounds are empty")
        self.need(value.bounds is None or value.dtype.is_integer, "bounds of no integer")
        self.scope[value.id] = value

    def canonical(self, digits: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(set(digits), key=self.order.__getitem__))

    def use(self, value: ValueId) -> Value:
        found = self.scope.get(value)
        if found is None:
            self.fail(f"%{value} is used where it is not defined")
        return found

    def scalar(self, value: ValueId, what: str) -> None:
        self.need(not self.use(value).digits, f"{what} is no scalar")

    def loop(self, loop: For) -> None:
        digit = self.digits.get(loop.digit)
        self.need(digit is not None and digit.role == "loop", f"{loop.digit} is no loop digit")
        self.need(loop.digit not in self.loops, f"a loop over {loop.digit} is open already")
        self.scalar(loop.lo, "the lower bound")
        self.scalar(loop.hi, "the upper bound")
        types = {self.use(loop.lo).dtype, self.use(loop.hi).dtype}
        self.need(len(types) == 1 and all(t.is_integer for t in types), "bounds differ in type")
        self.need(loop.stages >= 1 and loop.unroll >= 1, "fewer than one stage or iteration")
        states = [self.state(c, n, loop.digit) for n, c in enumerate(loop.carries)]
        outer = dict(self.scope)
        self.loops.append(loop.digit)
        for inside, _ in states:
            self.define(inside)
        self.block(loop.body)
        self.at = loop
        self.replaced(loop, tuple(inside for inside, _ in states))
        self.loops.pop()
        self.scope = outer
        for _, after in states:
            self.define(after)

    def replaced(self, loop: For, heads: tuple[Value, ...]) -> None:
        """Check what replaces each state at the end of an iteration."""
        for inside, carry in zip(heads, loop.carries, strict=True):
            following = self.use(carry.next)
            self.need(following.dtype == inside.dtype, f"%{carry.next} changes the state's type")
            wider = set(following.digits) <= set(inside.digits)
            self.need(wider, f"%{carry.next} varies over more than its state")

    def state(self, carry: Carry, position: int, loop: str) -> tuple[Value, Value]:
        """Return the values a state has inside and after a loop."""
        init = self.use(carry.init)
        inside, after = self.carried.get(carry.inside), self.carried.get(carry.after)
        if inside is None or after is None:
            self.fail(f"a state of loop {loop} is not declared")
        self.need(inside.op == Carried(loop, position), f"%{inside.id} is another state")
        self.need(after.op == Final(loop, position), f"%{after.id} is another state")
        self.need({inside.dtype, after.dtype} == {init.dtype}, "a state changes its type")
        self.need(inside.digits == after.digits, "a state varies differently after the loop")
        # The initial value is broadcast over the digits it lacks.
        self.need(set(init.digits) <= set(inside.digits), "a state varies over less than at first")
        return inside, after

    def store(self, store: Store) -> None:
        table = self.tables.get(store.table)
        if table is None:
            self.fail(f"array {store.table} is not declared")
        self.need(table.access in ("write", "scratch"), f"array {store.table} is not written")
        self.points(store.pointer, store.table)
        self.need(self.use(store.value).dtype == table.dtype, "the value has another type")
        self.mask(store.mask)
        exact = {
            "set": True,
            "sum": table.dtype.is_integer,
            "min": table.dtype != BOOL,
            "max": table.dtype != BOOL,
            "any": table.dtype == BOOL,
        }
        self.need(exact.get(store.combine, False), f"{store.combine} is not exact in the array")

    def arrive(self, value: Value, name: str, pointer: ValueId, among: int) -> None:
        table = self.tables.get(name)
        counts = table is not None and table.access == "count" and table.dtype == I32
        self.need(counts, f"array {name} does not count arrivals")
        self.points(pointer, name)
        self.need(among > 1 and among & (among - 1) == 0, f"{among} programs are no power of two")
        self.need(value.dtype == BOOL, "an arrival is the last one or not")
        self.need(not self.loops and not self.tests, "an arrival inside a loop or a condition")
        self.scalar(pointer, "a counter's address")

    def points(self, pointer: ValueId, table: str) -> None:
        self.need(self.use(pointer).dtype == POINTER, f"%{pointer} is no pointer")
        self.need(self.roots.get(pointer) == table, f"%{pointer} leads into another array")

    def mask(self, mask: ValueId | None) -> None:
        if mask is not None:
            self.need(self.use(mask).dtype == BOOL, f"%{mask} is no mask")

    # ------------------------------------------------------------------------------- values
    def let(self, value: Value) -> None:
        used = [self.use(a) for a in arguments(value.op)]
        digits = {d for v in used for d in v.digits}
        self.operation(value, used)
        match value.op:
            case Coord(digit) if self.digits[digit].role not in ("grid", "loop"):
                digits = {digit}
            case Reduce(_, _, over) | Dot(_, _, _, over):
                digits -= set(over)
            case _:
                pass
        self.need(
            set(value.digits) == digits, f"it varies over {', '.join(self.canonical(digits))}"
        )
        self.define(value)

    def operation(self, value: Value, used: list[Value]) -> None:
        match value.op:
            case Const(number):
                self.const(number, value.dtype)
            case SizeArg(name):
                self.need(name in self.kernel.sizes, f"size {name} is not declared")
                self.need(value.dtype.is_integer, "a size is an integer")
            case Coord(digit):
                self.coord(digit, value.dtype)
            case Apply(fn, _):
                problem = type_error(fn, tuple(v.dtype for v in used), value.dtype)
                self.need(not problem, problem)
                pointers = POINTER in {value.dtype, *(v.dtype for v in used)}
                self.need(not pointers, "arithmetic on pointers")
            case Address(base, offset):
                self.address(value, base, offset)
            case Load():
                self.load(value, value.op)
            case Reduce(monoid, _, over):
                self.merged(monoid, value, used[0], over)
            case Scan(monoid, _, digit):
                self.merged(monoid, value, used[0], (digit,))
            case Dot(_, _, _, over):
                self.dot(value, used, over)
            case Arrive(name, pointer, among):
                self.arrive(value, name, pointer, among)
            case Carried() | Final():
                self.fail("states are defined by their loops")
            case _ as never:
                assert_never(never)

    def const(self, number: bool | int | float, dtype: DType) -> None:
        if dtype == BOOL or isinstance(number, bool):
            self.need(dtype == BOOL and isinstance(number, bool), "a truth value of another type")
        elif dtype.is_integer:
            low = -(2 ** (dtype.bits - 1))
            fits = isinstance(number, int) and low <= number < 2**dtype.bits
            self.need(fits, f"{number} is no {dtype}")
        else:
            self.need(dtype.is_float, f"a number of type {dtype}")

    def coord(self, digit: str, dtype: DType) -> None:
        found = self.digits.get(digit)
        if found is None:
            self.fail(f"digit {digit} is not declared")
        inside = found.role != "loop" or digit in self.loops
        self.need(inside, f"the coordinate of {digit} outside its loop")
        self.need(dtype.is_integer, "a coordinate is an integer")

    def address(self, value: Value, base: str | ValueId, offset: ValueId | None) -> None:
        self.need(value.dtype == POINTER, "an address is a pointer")
        if isinstance(base, str):
            self.need(base in self.tables, f"array {base} is not declared")
            self.roots[value.id] = base
        else:
            self.need(self.use(base).dtype == POINTER, f"%{base} is no pointer")
            self.roots[value.id] = self.roots[base]
        if offset is not None:
            dtype = self.use(offset).dtype
            self.need(dtype.is_integer and dtype != POINTER, "an offset is an integer")

    def load(self, value: Value, load: Load) -> None:
        table = self.tables.get(load.table)
        if table is None:
            self.fail(f"array {load.table} is not declared")
        last = any(isinstance(t.op, Arrive) for t in self.tests)
        shared = table.access == "scratch" and last
        self.need(table.access == "read" or shared, f"array {load.table} is not read")
        self.points(load.pointer, load.table)
        self.mask(load.mask)
        self.need(value.dtype == table.dtype, f"the array holds {table.dtype}")
        self.need(load.align >= 1, "alignment below one element")
        if not load.unit:
            return
        self.need(load.unit in self.use(load.pointer).digits, f"no digit {load.unit} to be unit")
        unit = self.digits[load.unit]
        lanes = any(d.role == "thread" for d in self.kernel.digits)
        width = (unit.extent or 0) * table.dtype.bytes
        narrow = unit.role != "reg" or not lanes or width <= VECTOR_BYTES
        self.need(narrow, f"a thread reads {width} bytes along {load.unit}")

    def merged(self, monoid: str, value: Value, arg: Value, over: tuple[str, ...]) -> None:
        logical = monoid in ("any", "all")
        known = logical or monoid in ("sum", "prod", "min", "max")
        self.need(known, f"{monoid} is no built-in monoid")
        self.need((arg.dtype == BOOL) == logical, f"{monoid} of {arg.dtype}")
        self.need(value.dtype == arg.dtype, f"{monoid} does not change the type")
        self.need(bool(over) and set(over) <= set(arg.digits), f"%{arg.id} lacks a merged digit")

    def dot(self, value: Value, used: list[Value], over: tuple[str, ...]) -> None:
        shared = set(used[0].digits) & set(used[1].digits)
        self.need(bool(over) and set(over) <= shared, "an operand lacks a summed digit")
        self.need(all(self.digits[d].role == "block" for d in over), "dots sum block digits")
        self.need(used[0].dtype == used[1].dtype, "operands differ in type")
        self.need(len(used) < 3 or used[2].dtype == value.dtype, "acc has another type")
        kept = len(used) < 3 or not set(over) & set(used[2].digits)
        self.need(kept, "acc varies over a summed digit")
