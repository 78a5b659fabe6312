"""Index forms into values and addresses."""

from __future__ import annotations

from dataclasses import replace
from math import gcd, prod

from hastec.ir import arith
from hastec.ir.define import Definitions
from hastec.ir.index import Form, Interval, ValueId, content
from hastec.ir.kernel import (
    POINTER,
    Address,
    Arrive,
    Const,
    Coord,
    Let,
    Load,
    SizeArg,
    Store,
    Value,
)
from hastec.ir.types import BOOL, I32, I64, DType
from hastec.sym.size import Divided, Name, Size

RUN = 16
"""Bytes a thread reads with one access."""


class Indexing(Definitions):
    """Builds offsets from the outermost block inwards, and loads and stores through them."""

    # --------------------------------------------------------------------------- index forms
    def interval(self, form: Form) -> Interval | None:
        """Return bounds of an index form, if all its values have some."""
        known = {v: b for v, _ in form.terms if (b := self.values[v].bounds) is not None}
        return form.interval(known, self.size_bound)

    def form(self, value: Value) -> Form:
        """Return a value as an index form (constants fold into it)."""
        if isinstance(value.op, Const):
            return Form.of(int(value.op.value))
        if isinstance(value.op, SizeArg) and value.op.name.isidentifier():
            return Form.of(Size.of(value.op.name))
        return Form.value(value.id)

    def scalar(self, size: Size) -> Value:
        """Return a size expression as a value."""
        total: Value | None = None
        for monomial, c in size.terms:
            term: Value | None = None if c == 1 and monomial else self.const(c, self.index_type)
            for atom in monomial:
                match atom:
                    case Name(name):
                        factor = self.size(name)
                    case Divided(op, left, right):
                        fn = "div" if op == "/" else "mod"
                        factor = self.apply(fn, self.scalar(left), self.scalar(right))
                term = factor if term is None else self.apply("mul", factor, term)
            assert term is not None
            total = term if total is None else self.apply("add", total, term)
        return total if total is not None else self.const(0, self.index_type)

    def value(self, form: Form) -> Value:
        """Return an index form as an integer value, the least varying terms added first.

        It is computed in 64 bits unless its bounds show that 32 are enough.
        """
        bounds = self.interval(form)
        if not self.wide and not _fits(bounds) and len(form.terms) + len(form.const.terms) > 1:
            form = Form(tuple(self._long(v, c) for v, c in form.terms), form.const)
        return self.offset(form)

    def _long(self, value: ValueId, coefficient: Size) -> tuple[ValueId, Size]:
        return self.cast(self.values[value], I64).id, coefficient

    def offset(self, form: Form) -> Value:
        """Return an index form as a value in the kernel's offset type.

        In a narrow kernel that is 32 bits: the caller knows that the result is an offset into a
        table (all have fewer than 2^31 elements); sums that wrap on the way are still right.
        """
        bounds = self.interval(form)
        total: Value | None = None
        for term in sorted(form.terms, key=self._rank_of):
            part = self._term(*term)
            total = part if total is None else self.apply("add", total, part)
        if total is None or form.const.terms:
            const = self._scalar_like(form.const, total)
            total = const if total is None else self.apply("add", total, const)
        return self.bounded(total, bounds)

    def bounded(self, value: Value, bounds: Interval | None) -> Value:
        """Return a value about which more is known: its bounds are narrowed."""
        if bounds is None or (value.bounds is not None and value.bounds == bounds):
            return value
        if value.bounds is not None:
            bounds = max(bounds[0], value.bounds[0]), min(bounds[1], value.bounds[1])
        value = replace(value, bounds=bounds)
        self.values[value.id] = value
        return value

    def _rank_of(self, term: tuple[ValueId, Size]) -> tuple[int, int, int]:
        value = self.values[term[0]]
        return (self.home[value.id].depth, len(value.digits), value.id)

    def _scalar_like(self, size: Size, like: Value | None) -> Value:
        if size.constant is not None:
            return self.const(size.constant, like.dtype if like is not None else None)
        return self.scalar(size)

    def _term(self, value: ValueId, coefficient: Size) -> Value:
        v = self.values[value]
        if coefficient.constant == 1:
            return v
        if coefficient.constant is None:
            return self.apply("mul", v, self.scalar(coefficient))
        bounds = arith.bounds("mul", (v.bounds, (coefficient.constant,) * 2))
        if self.wide and v.dtype == I32 and not _fits(bounds):
            v = self.cast(v, I64)
        return self.apply("mul", v, self.const(coefficient.constant, v.dtype))

    def divide(self, form: Form, by: int | Size, hint: str = "") -> tuple[Form, Form]:
        """Return quotient and remainder by a positive number, exact where terms cancel.

        What has to be computed is named after ``hint``.
        """
        size = Size.of(by)
        number = size.constant
        if number == 1:
            return form, Form.of(0)
        if number is None:
            if not form.terms:
                return Form.of(form.const // size), Form.of(form.const % size)
            return self._divided(self.value(form), self.scalar(size), hint)
        quotient, rest = form.divide(number)
        bounds = self.interval(rest)
        if bounds is not None and bounds[0] >= 0 and bounds[1] < number:
            return quotient, rest
        coarse = self._coarser(rest, number)
        if coarse is not None:
            (high, low), step = self.divide(coarse[0], number // coarse[2]), coarse[2]
            return quotient + high, low * step + coarse[1]
        v = self.value(rest)
        more, rest = self._divided(v, self.const(number, v.dtype), hint)
        return quotient + more, rest

    def _divided(self, value: Value, by: Value, hint: str) -> tuple[Form, Form]:
        parts = self.apply("div", value, by), self.apply("mod", value, by)
        if hint:
            parts = self.named(parts[0], f"{hint}_outer"), self.named(parts[1], f"{hint}_inner")
        return self.form(parts[0]), self.form(parts[1])

    def _coarser(self, form: Form, by: int) -> tuple[Form, Form, int] | None:
        """Return ``(a, b, step)`` with ``form == a * step + b``, ``0 <= b < step`` and ``step`` a
        divisor of ``by``: then only ``a`` need be divided. None if no term can be left out.
        """
        steps = {gcd(content(c), by) for _, c in form.terms} - {1, by}
        for step in sorted(steps, reverse=True):
            high, low = form.divide(step)
            bounds = self.interval(low)
            if low.terms and bounds is not None and bounds[0] >= 0 and bounds[1] < step:
                return high, low, step
        return None

    # -------------------------------------------------------------------------------- memory
    def pointer(self, table: str, form: Form) -> Value:
        """Return the address ``form`` elements into a table.

        Offsets are added from the outermost block inwards, scalars before what varies, constants
        last, so that what does not change in a loop is computed before it.
        """
        groups: dict[tuple[int, bool], list[tuple[ValueId, Size]]] = {}
        for term in form.terms:
            v = self.values[term[0]]
            groups.setdefault((self.home[v.id].depth, bool(v.digits)), []).append(term)
        base: str | ValueId = table
        digits: tuple[str, ...] = ()
        keys = sorted(groups)
        for key in keys:
            const = form.const if key == keys[-1] else Size()
            part = self.offset(Form(tuple(groups[key]), const))
            digits = (*digits, *part.digits)
            base = self.define(Address(base, part.id), POINTER, digits, "at").id
        if not keys:
            offset = None if not form.const.terms else self.offset(form)
            op = Address(table, None if offset is None else offset.id)
            return self.define(op, POINTER, (), "at")
        return self.values[int(base)]

    def unit(self, form: Form) -> tuple[str, int]:
        """Return the register or block digit along which ``form`` counts up by 1, or "", and the
        divisor of the rest.
        """
        for v, c in form.terms:
            op = self.values[v].op
            if not isinstance(op, Coord) or c.constant != 1:
                continue
            rest = form - Form.value(v)
            alone = all(op.digit not in self.values[o].digits for o, _ in rest.terms)
            if alone and self.digits[op.digit].role in ("reg", "block"):
                return op.digit, self.divisor(rest)
        return "", self.divisor(form)

    def divisor(self, form: Form) -> int:
        """Return the greatest power of two up to 128 that divides a form wherever it is used."""
        best = 128
        for size in (*(c for _, c in form.terms), form.const):
            for monomial, c in size.terms:
                known = c * prod(self.multiples.get(str(a), 1) for a in monomial)
                while known % best:
                    best //= 2
        return best

    def divides(self, by: int, size: Size) -> bool:
        """Whether a power of two is known to divide a size."""
        return self.divisor(Form.of(size)) % by == 0 if by <= 128 else size.constant == by

    def _too_wide(self, digit: str, dtype: DType) -> bool:
        """Whether a run along a register digit is more than one access of a thread can read."""
        d = self.digits[digit]
        lanes = any(x.role == "thread" for x in self.digits.values())
        return lanes and d.role == "reg" and (d.extent or 1) * dtype.bytes > RUN

    def load(
        self, table: str, form: Form, mask: Value | None = None, other: float = 0, hint: str = ""
    ) -> Value:
        """Return what lies at an index of a table; ``other`` where ``mask`` is false."""
        op = self._access(table, form, mask, other)
        digits = self.digits_of(self.values[op.pointer], mask)
        return self.define(op, self.tables[table].dtype, digits, hint)

    def fetch(self, table: str, form: Form, hint: str = "") -> Value:
        """Return what lies at an index of scratch memory now: read here, not earlier."""
        op = self._access(table, form, None, 0)
        digits = self.values[op.pointer].digits
        value = self._new(op, self.tables[table].dtype, digits, hint, None, self.block)
        self.block.stmts.append(Let(value))
        return value

    def _access(self, table: str, form: Form, mask: Value | None, other: float) -> Load:
        """Return a load, with what is known of neighbours."""
        pointer = self.pointer(table, form)
        unit, align = self.unit(form)
        if unit and self._too_wide(unit, self.tables[table].dtype):
            unit = ""
        return Load(table, pointer.id, None if mask is None else mask.id, other, unit, align)

    def arrive(self, table: str, form: Form, among: int) -> Value:
        """Return whether this is the last of ``among`` programs to arrive at a counter."""
        op = Arrive(table, self.pointer(table, form).id, among)
        return self.define(op, BOOL, hint="last")

    def store(
        self, table: str, form: Form, value: Value, mask: Value | None = None, combine: str = "set"
    ) -> None:
        """Write ``value`` at an index of a table where ``mask`` holds."""
        pointer = self.pointer(table, form)
        where = None if mask is None else mask.id
        self.block.stmts.append(Store(table, pointer.id, value.id, where, combine, self.span))


def _fits(bounds: Interval | None) -> bool:
    return bounds is not None and bounds[0] >= -arith.I32_MAX and bounds[1] <= arith.I32_MAX
