"""Definitions of a kernel under construction: each once, each where its operands first exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from hastec.diag.diagnostic import InternalError
from hastec.diag.span import Span
from hastec.ir import arith
from hastec.ir.index import Interval, ValueId
from hastec.ir.kernel import (
    Apply,
    Const,
    Coord,
    Digit,
    Let,
    Requirement,
    SizeArg,
    Stmt,
    Table,
    Value,
    ValueOp,
    arguments,
)
from hastec.ir.scalars import SCALARS, Result
from hastec.ir.types import BOOL, F16, F32, I32, I64, DType
from hastec.sym.size import Size

HALF_WHOLE = 2048
"""Whole numbers up to this are 16-bit floats."""


@dataclass(slots=True, eq=False)
class Block:
    """Statements under construction; ``depth`` counts the loops around them."""

    parent: Block | None
    depth: int
    stmts: list[Stmt] = field(default_factory=list)
    memo: dict[tuple[ValueOp | str, DType], ValueId] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Loop:
    """An open loop: its own digit, and the schedule's digit it stands for.

    ``states`` are (before, inside, replacement, after).
    """

    digit: str
    block: Block
    wanted: str
    bounds: Interval
    states: list[tuple[Value, Value, Value | None, Value]] = field(default_factory=list)


class Definitions:
    """What a kernel defines so far, block by block, and the arithmetic on it."""

    def __init__(
        self,
        name: str,
        digits: Iterable[Digit],
        threads: int,
        wide: bool = False,
        multiples: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.digits = {d.name: d for d in digits}
        self.order = {d: i for i, d in enumerate(self.digits)}
        self.threads = threads
        self.wide = wide
        self.tables: dict[str, Table] = {}
        self.sizes: dict[str, None] = {}
        self.multiples = dict(multiples or {})
        """Powers of two that divide sizes, which are positive then."""
        self.requires: dict[Requirement, None] = {
            Requirement(Size.of(n), at_least=by, step=by): None for n, by in self.multiples.items()
        }
        self.values: dict[ValueId, Value] = {}
        self.home: dict[ValueId, Block] = {}
        self.root = Block(None, 0)
        self.block = self.root
        self.floor: Block | None = None
        """The block that nothing computed may be moved out of."""
        self.taken: dict[str, str] = {}
        """Loops whose coordinates stand in for those of other digits."""
        self.loops: dict[str, Loop] = {}
        """Open loops by the schedule's digit."""
        self.open: dict[str, Loop] = {}
        """Open loops by their own digit."""
        self.opened: dict[str, int] = {}
        """How many loops each of the schedule's digits has had."""
        self.span: Span | None = None

    # ---------------------------------------------------------------------------- definitions
    @property
    def index_type(self) -> DType:
        """The type of sizes and whole offsets: i64 in a wide kernel, else i32."""
        return I64 if self.wide else I32

    @property
    def size_bound(self) -> Interval:
        """Bounds of every size this kernel may run at."""
        return 0, arith.WIDE_SIZE if self.wide else arith.NARROW_SIZE

    def table(self, table: Table) -> str:
        """Declare an array (again is fine) and return its name."""
        known = self.tables.setdefault(table.name, table)
        if known.access != table.access:
            raise InternalError(f"array {table.name} is both read and written")
        return table.name

    def define(
        self,
        op: ValueOp,
        dtype: DType,
        digits: Iterable[str] = (),
        hint: str = "",
        bounds: Interval | None = None,
    ) -> Value:
        """Return the value of ``op``, an earlier equal one if there is one."""
        block = self._home_of(op)
        found = block.memo.get((_key(op), dtype))
        if found is not None:
            return self.values[found]
        if not all(self.visible(self.values[a]) for a in arguments(op)):
            raise InternalError(f"{op} uses what a loop that has ended defined")
        value = self._new(op, dtype, digits, hint, bounds, block)
        block.memo[_key(op), dtype] = value.id
        block.stmts.append(Let(value))
        return value

    def _new(
        self,
        op: ValueOp,
        dtype: DType,
        digits: Iterable[str],
        hint: str,
        bounds: Interval | None,
        block: Block,
    ) -> Value:
        kept = tuple(sorted(set(digits), key=self.order.__getitem__))
        value = Value(len(self.values), op, dtype, kept, hint, bounds, self.span)
        self.values[value.id] = value
        self.home[value.id] = block
        return value

    def visible(self, value: Value) -> bool:
        """Whether a value's definition stands in this block or in one around it."""
        block: Block | None = self.block
        home = self.home[value.id]
        while block is not None:
            if block is home:
                return True
            block = block.parent
        return False

    def _home_of(self, op: ValueOp) -> Block:
        if isinstance(op, Coord) and op.digit in self.open:
            return self.open[op.digit].block
        used = [self.home[a] for a in arguments(op)]
        if used and self.floor is not None:
            used.append(self.floor)
        return max(used, key=lambda b: b.depth, default=self.root)

    def const(self, value: bool | int | float, dtype: DType | None = None) -> Value:
        """Return a constant; numbers without a type are i32, or i64 if they do not fit."""
        if dtype is None:
            if isinstance(value, bool):
                dtype = BOOL
            elif isinstance(value, float):
                dtype = F32
            else:
                dtype = I32 if -(2**31) <= value < 2**31 else I64
        if dtype.is_float:
            value = float(value)
        bounds = (value, value) if isinstance(value, int) and dtype.is_integer else None
        return self.define(Const(value), dtype, bounds=bounds)

    def size(self, name: str, bounds: Interval | None = None) -> Value:
        """Return a scalar argument."""
        self.sizes[name] = None
        bounds = bounds or self.size_bound
        return self.define(SizeArg(name), self.index_type, hint=name, bounds=bounds)

    def coord(self, digit: str, bounds: Interval | None = None) -> Value:
        """Return the coordinate of a digit (of a loop: only inside it)."""
        digit = self.taken.get(digit, digit)
        d = self.digits[digit]
        if d.role == "loop":
            if digit not in self.loops:
                raise InternalError(f"loop digit {digit} is used outside its loop")
            bounds = self.loops[digit].bounds
            digit = self.loops[digit].digit
        varies = () if d.role in ("grid", "loop") else (digit,)
        if d.extent is not None:
            bounds = (0, d.extent - 1)
        return self.define(Coord(digit), I32 if varies else self.index_type, varies, digit,
                           bounds or self.size_bound)  # fmt: skip

    def digits_of(self, *values: Value | None) -> tuple[str, ...]:
        """Return the digits any of the values varies over."""
        return tuple(d for v in values if v is not None for d in v.digits)

    # ------------------------------------------------------------------------------ arithmetic
    def apply(self, fn: str, *args: Value, dtype: DType | None = None, hint: str = "") -> Value:
        """Return a primitive scalar function of values; integer operands are widened to agree."""
        if fn not in ("cast", "where"):
            args = self._agree(args)
        elif fn == "where":
            args = (args[0], *self._agree(args[1:]))
        simpler = self._simplify(fn, args) if dtype is None else None
        if simpler is not None:
            return simpler
        if dtype is None:
            dtype = BOOL if SCALARS[fn].result is Result.BOOL else args[-1].dtype
        bounds = None
        if dtype.is_integer:
            bounds = arith.bounds(fn, tuple(a.bounds for a in args))
        op = Apply(fn, tuple(a.id for a in args))
        return self.define(op, dtype, self.digits_of(*args), hint, bounds)

    def _agree(self, args: tuple[Value, ...]) -> tuple[Value, ...]:
        if any(a.dtype == I64 for a in args) and any(a.dtype == I32 for a in args):
            return tuple(self.cast(a, I64) if a.dtype == I32 else a for a in args)
        return args

    def _simplify(self, fn: str, args: tuple[Value, ...]) -> Value | None:
        consts = [a.op.value if isinstance(a.op, Const) else None for a in args]
        if fn == "where":
            if consts[0] is None:
                return args[1] if args[1].id == args[2].id else None
            return args[1] if consts[0] else args[2]
        if fn in ("and", "or"):
            for mine, other in ((0, 1), (1, 0)):
                if consts[mine] is not None:
                    return args[other] if consts[mine] is (fn == "and") else args[mine]
            return args[0] if args[0].id == args[1].id else None
        if not args[0].dtype.is_integer:
            return None
        if all(isinstance(c, int) for c in consts):
            value = arith.fold(fn, tuple(int(c) for c in consts if c is not None))
            if isinstance(value, bool):
                return self.const(value)
            if value is not None and (args[0].dtype == I64 or abs(value) <= arith.I32_MAX):
                return self.const(value, args[0].dtype)
        if fn in ("min", "max") and args[0].id == args[1].id:
            return args[0]
        return self._decided(fn, args) or self._neutral(fn, args, consts)

    def _decided(self, fn: str, args: tuple[Value, ...]) -> Value | None:
        """Comparisons and extrema that bounds decide."""
        if len(args) != 2 or args[0].bounds is None or args[1].bounds is None:
            return None
        (a, b), (c, d) = args[0].bounds, args[1].bounds
        match fn:
            case "lt" | "ge" if b < c or a >= d:
                return self.const((b < c) == (fn == "lt"))
            case "le" | "gt" if b <= c or a > d:
                return self.const((b <= c) == (fn == "le"))
            case "min" | "max" if b <= c or d <= a:
                return args[0] if (b <= c) == (fn == "min") else args[1]
            case _:
                return None

    def _neutral(
        self, fn: str, args: tuple[Value, ...], consts: list[bool | int | float | None]
    ) -> Value | None:
        if len(args) != 2 or args[0].dtype != args[1].dtype:
            return None
        match fn:
            case "add" | "bitor" | "bitxor" if consts[0] == 0:
                return args[1]
            case "add" | "sub" | "shl" | "shr" | "bitor" | "bitxor" if consts[1] == 0:
                return args[0]
            case "mul" if consts[0] == 1:
                return args[1]
            case "mul" | "div" if consts[1] == 1:
                return args[0]
            case "div" if isinstance(consts[1], int) and _power(consts[1]):
                return self.apply("shr", args[0], self.const(_power(consts[1]), args[0].dtype))
            case "mod" if isinstance(consts[1], int) and _power(consts[1]):
                return self.apply("bitand", args[0], self.const(consts[1] - 1, args[0].dtype))
            case _:
                return None

    def cast(self, value: Value, dtype: DType, hint: str = "") -> Value:
        """Return ``value`` in another type (itself if it has it)."""
        if value.dtype == dtype:
            return value
        if isinstance(value.op, Const) and not (dtype.is_integer and value.dtype.is_float):
            if dtype == BOOL:
                return self.const(bool(value.op.value))
            return self.const(
                float(value.op.value) if dtype.is_float else int(value.op.value), dtype
            )
        narrow = self._exact_product(value) if dtype == F16 else None
        if narrow is not None:
            return self.apply("mul", *narrow, hint=hint or value.hint)
        bounds = value.bounds if dtype.is_integer and value.dtype.is_integer else None
        op = Apply("cast", (value.id,))
        return self.define(op, dtype, value.digits, hint or value.hint, bounds)

    def _exact_product(self, value: Value) -> tuple[Value, Value] | None:
        """Return the factors of a product of wider numbers as 16-bit floats, if both are some.

        Then the wider product is exact, and rounding it is what multiplying in 16 bits does.
        """
        if value.dtype != F32 or not isinstance(value.op, Apply) or value.op.fn != "mul":
            return None
        left, right = (self._half(self.values[a]) for a in value.op.args)
        return None if left is None or right is None else (left, right)

    def _half(self, value: Value) -> Value | None:
        """Return a converted value as the 16-bit float that it equals, if it surely does."""
        if not isinstance(value.op, Apply) or value.op.fn != "cast":
            return None
        source = self.values[value.op.args[0]]
        if source.dtype == F16:
            return source
        bounds = source.bounds if source.dtype.is_integer else None
        fits = bounds is not None and bounds[0] >= -HALF_WHOLE and bounds[1] <= HALF_WHOLE
        return self.cast(source, F16) if fits else None

    def named(self, value: Value, hint: str) -> Value:
        """Return a value, named if it is computed and has no name yet.

        Masks are told apart as they were made, and keep the names they were given then.
        """
        if value.hint or not isinstance(value.op, Apply) or value.dtype == BOOL:
            return self.values[value.id]
        self.values[value.id] = replace(value, hint=hint)
        return self.values[value.id]

    def conj(self, masks: Iterable[Value | None]) -> Value | None:
        """Return the conjunction of masks; None if there is none."""
        total: Value | None = None
        for mask in masks:
            if mask is not None:
                total = mask if total is None else self.apply("and", total, mask)
        return total


def _key(op: ValueOp) -> ValueOp | str:
    """Return what equal definitions share; 0.0 and -0.0 are equal numbers, yet not the same."""
    return repr(op) if isinstance(op, Const) else op


def _power(number: int) -> int:
    """Return the exponent if ``number`` is a power of two above 1, else 0."""
    return number.bit_length() - 1 if number > 1 and number & (number - 1) == 0 else 0
