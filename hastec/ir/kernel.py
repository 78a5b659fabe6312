"""The kernel: how one program of a launch computes its tile.

A value varies over a set of *digits*. A digit is one mixed-radix place of an axis with a role:

- ``grid``: one value a program; ``loop``: serial; ``thread``: a lane or warp, ``stride`` being the
  distance of neighbours in the program's thread axis; ``reg``: copies in registers (short);
  ``block``: a matrix tile whose spread over threads the backend owns.

Only ``Reduce``, ``Scan`` and ``Dot`` combine different coordinates of a digit; on thread and block
digits they are the only nodes that move data between threads. Programs share nothing but scratch
memory, of which the last one to ``Arrive`` sees everything. Sparsity does not appear here:
levels and codes have been expanded into these nodes.

Meaning (see the kernel interpreter): a program runs its statements in order for every combination
of grid digits. A load whose mask is false gives ``other`` and touches no memory. A store happens
once for every combination of the digits of its pointer and value where the mask holds; if it does
not vary over a thread digit, the copies all store the same value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from hastec.diag.span import Span
from hastec.ir.index import Interval, ValueId
from hastec.ir.types import DType, Kind
from hastec.sym.size import Size

Role = Literal["grid", "loop", "thread", "reg", "block"]
TableAccess = Literal["read", "write", "scratch", "count"]

ANY_SIZE = 2**62
"""No size is larger."""

POINTER = DType("ptr", Kind.UINT, 64, "int64")
"""The type of addresses; offsets count elements of the table."""


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit. ``extent`` is its number of values; None if known at run time only (grid: a size
    or count given with the grid; loop: the bounds of its ``For``).
    """

    name: str
    role: Role
    extent: int | None = None
    stride: int = 1

    def __str__(self) -> str:
        text = f"{self.name}: {self.role}"
        if self.extent is not None:
            text += f" {self.extent}"
        return text + (f" stride {self.stride}" if self.role == "thread" else "")


@dataclass(frozen=True, slots=True)
class Table:
    """One array a kernel reads or writes: a component of a table of the program.

    ``numel`` is its number of elements as a size expression, if one is known. The start of every
    array is aligned to ``align`` bytes. Two kinds are memory of the launch itself, and have a
    ``numel``: what one program puts into ``scratch``, another may read; a ``count`` of arrivals
    holds multiples of what arrives there, before a launch and after it.
    """

    name: str
    dtype: DType
    access: TableAccess = "read"
    numel: Size | None = None
    align: int = 16


# ---------------------------------------------------------------------------------------- values
@dataclass(frozen=True, slots=True)
class Const:
    """A number or truth value."""

    value: bool | int | float


@dataclass(frozen=True, slots=True)
class SizeArg:
    """A scalar argument of the kernel: a size of the program, or a number a table brings."""

    name: str


@dataclass(frozen=True, slots=True)
class Coord:
    """The coordinate of a digit: program id, loop counter, lane, register or tile index."""

    digit: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A scalar function (:mod:`hastec.ir.scalars`, primitive ones only) of values, elementwise."""

    fn: str
    args: tuple[ValueId, ...]


@dataclass(frozen=True, slots=True)
class Address:
    """A pointer: ``base`` (a table's name or a pointer) plus ``offset`` elements."""

    base: str | ValueId
    offset: ValueId | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What lies at ``pointer``; ``other`` where ``mask`` is false.

    ``unit`` names the digit along which neighbours are adjacent in memory (or ""), and ``align``
    is a proven divisor, in elements, of the offset where that digit is 0.
    """

    table: str
    pointer: ValueId
    mask: ValueId | None = None
    other: float = 0
    unit: str = ""
    align: int = 1


@dataclass(frozen=True, slots=True)
class Reduce:
    """``arg`` merged over ``digits`` by a commutative built-in monoid: sum prod max min any all."""

    monoid: str
    arg: ValueId
    digits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """Inclusive prefix of ``arg`` along one digit, by a built-in monoid."""

    monoid: str
    arg: ValueId
    digit: str


@dataclass(frozen=True, slots=True)
class Dot:
    """Sum of products of ``left`` and ``right`` over ``over`` (block digits), plus ``acc``."""

    left: ValueId
    right: ValueId
    acc: ValueId | None
    over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrive:
    """Count this program at a counter: true in the last of every ``among`` programs to arrive.

    That one sees what the others put into scratch memory before they arrived.
    """

    table: str
    pointer: ValueId
    among: int


@dataclass(frozen=True, slots=True)
class Carried:
    """Inside a loop: the state left by the previous iteration."""

    loop: str
    position: int


@dataclass(frozen=True, slots=True)
class Final:
    """After a loop: the state its last iteration left (the initial one if it had none)."""

    loop: str
    position: int


ValueOp: TypeAlias = (
    Const
    | SizeArg
    | Coord
    | Apply
    | Address
    | Load
    | Reduce
    | Scan
    | Dot
    | Arrive
    | Carried
    | Final
)


@dataclass(frozen=True, slots=True)
class Value:
    """A definition: id, operation, type, the digits it varies over (in the kernel's order).

    ``hint`` proposes a name for printed code; ``bounds`` encloses an integer's values.
    """

    id: ValueId
    op: ValueOp
    dtype: DType
    digits: tuple[str, ...] = ()
    hint: str = ""
    bounds: Interval | None = None
    span: Span | None = None


# ------------------------------------------------------------------------------------ statements
@dataclass(frozen=True, slots=True)
class Carry:
    """One state of a loop: its value before, the value that replaces it at the end of each
    iteration, and the ids of its ``Carried`` and ``Final`` values.
    """

    init: ValueId
    next: ValueId
    inside: ValueId
    after: ValueId


@dataclass(frozen=True, slots=True)
class Let:
    """A definition in its place: later statements of this block and of blocks inside may use it."""

    value: Value


@dataclass(frozen=True, slots=True)
class For:
    """``body`` for each ``lo <= digit < hi`` (scalars), ascending, carrying states.

    ``stages`` is how many iterations a backend may have in flight, ``unroll`` how many it writes
    out one after the other. A ``rare`` loop has no iteration but for unusual contents of tables:
    prices count none, and nothing is gained by pacing it. The ``Carried`` values are
    defined at the head of ``body``, the ``Final`` ones after the loop, both without a ``Let``.
    """

    digit: str
    lo: ValueId
    hi: ValueId
    body: tuple[Stmt, ...]
    carries: tuple[Carry, ...] = ()
    stages: int = 1
    unroll: int = 1
    rare: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class If:
    """``body`` if the scalar ``condition`` holds; it defines nothing for later statements."""

    condition: ValueId
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """``value`` written at ``pointer`` where ``mask`` holds. ``combine`` is ``set``, or a monoid
    exact in the table's type (integer sum, min, max, any), then merged atomically.
    """

    table: str
    pointer: ValueId
    value: ValueId
    mask: ValueId | None = None
    combine: str = "set"
    span: Span | None = None


Stmt: TypeAlias = Let | For | If | Store


@dataclass(frozen=True, slots=True)
class Requirement:
    """A fact about sizes a launch must check on the host before this kernel may run: ``size`` lies
    in ``at_least .. at_most`` (both included) and is a multiple of ``step``.
    """

    size: Size
    at_most: int = ANY_SIZE
    at_least: int = 0
    step: int = 1

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether sizes fulfil it."""
        value = self.size.evaluate(sizes)
        return self.at_least <= value <= self.at_most and value % self.step == 0

    def __str__(self) -> str:
        text = f"{self.size} in {self.at_least} .. {self.at_most + 1}"
        return text if self.step == 1 else f"{text} step {self.step}"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel: arrays, scalar arguments in order, digits, the grid (outermost digit first, with
    the number of values each takes), threads a program and its statements.

    ``carried`` holds the ``Carried`` and ``Final`` values the loops define.
    """

    name: str
    tables: tuple[Table, ...]
    sizes: tuple[str, ...]
    digits: tuple[Digit, ...]
    grid: tuple[tuple[str, Size], ...]
    threads: int
    body: tuple[Stmt, ...]
    carried: tuple[Value, ...] = ()
    requires: tuple[Requirement, ...] = ()
    wide: bool = False
    """True if offsets are 64-bit; else every table must have fewer than 2^31 elements."""

    def digit(self, name: str) -> Digit:
        """Return the digit called ``name``."""
        return next(d for d in self.digits if d.name == name)

    def table(self, name: str) -> Table:
        """Return the array called ``name``."""
        return next(t for t in self.tables if t.name == name)

    def values(self) -> dict[ValueId, Value]:
        """Return all values by id."""
        found = {v.id: v for v in self.carried}
        found.update((s.value.id, s.value) for s in statements(self.body) if isinstance(s, Let))
        return found


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Yield every statement, a compound one before what it contains."""
    for stmt in body:
        yield stmt
        if isinstance(stmt, For | If):
            yield from statements(stmt.body)


def paced(kernel: Kernel, stages: int, unroll: int) -> Kernel:
    """Return a kernel whose innermost loops, but rare ones, have ``stages`` and ``unroll``."""
    return replace(kernel, body=_paced(kernel.body, stages, unroll))


def _paced(body: tuple[Stmt, ...], stages: int, unroll: int) -> tuple[Stmt, ...]:
    found: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, If) or (isinstance(stmt, For) and not stmt.rare):
            inner = any(isinstance(s, For) for s in statements(stmt.body))
            stmt = replace(stmt, body=_paced(stmt.body, stages, unroll))
            if isinstance(stmt, For) and not inner:
                stmt = replace(stmt, stages=stages, unroll=unroll)
        found.append(stmt)
    return tuple(found)


def arguments(op: ValueOp) -> tuple[ValueId, ...]:
    """Return the values ``op`` uses."""
    match op:
        case Const() | SizeArg() | Coord() | Carried() | Final():
            return ()
        case Apply(_, args):
            return args
        case Address(base, offset):
            found = (base,) if isinstance(base, int) else ()
            return found if offset is None else (*found, offset)
        case Load(_, pointer, mask, _, _, _):
            return (pointer,) if mask is None else (pointer, mask)
        case Reduce(_, arg, _) | Scan(_, arg, _):
            return (arg,)
        case Dot(left, right, acc, _):
            return (left, right) if acc is None else (left, right, acc)
        case Arrive(_, pointer, _):
            return (pointer,)
