"""Values as whole multiples of a step that neighbours share: ``int1`` … ``int8(group, zero)``.

A group's step is ``max|w| / (2^(B-1) - 1)``, in the table's type; a value is the nearest multiple.
With ``zero`` the multiples count from a zero point, ``0 … 2^B - 1``, between the least and the
largest value (0 is among them): the step is ``(max - min) / (2^B - 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.arrays import Array, cast, clamp, first_true, flat, full, long, put, repeat, where
from hastec.ir.format import CodeSpec
from hastec.ir.kernel import Value
from hastec.ir.types import F32, F64, I32, U8, DType
from hastec.levels.checking import Checking
from hastec.levels.faults import fault
from hastec.levels.groups import group_count, group_form, group_numbers, refuse_groups
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Layout, Stored
from hastec.levels.reals import (
    at_most,
    extreme_along,
    extreme_at,
    finite,
    in_groups,
    most_finite,
    nearest,
    out_of_groups,
)
from hastec.levels.structure import wrong
from hastec.levels.unpacking import Unpacking
from hastec.levels.words import check_codes, load_codes, per_word, read_code, store_codes


@dataclass(frozen=True, slots=True)
class Integers:
    """``intB``: arrays ``val`` (B-bit words), ``scale`` (one a group) and, with ``zero``, ``zero``.

    ``group`` 0: all of a row share one step. Values must be finite.
    """

    spec: CodeSpec
    dtype: DType
    bits: int
    group: int
    zero: bool
    word: DType = I32
    sequential: bool = False

    @property
    def per_word(self) -> int:
        """How many values share a word."""
        return per_word(self.bits)

    @property
    def unit(self) -> int:
        """The neighbours that share a step."""
        return max(1, self.group)

    @property
    def steps(self) -> int:
        """How many steps the largest magnitude (with ``zero``: the whole range) is."""
        return (1 << self.bits) - 1 if self.zero else (1 << (self.bits - 1)) - 1

    @property
    def computed(self) -> DType:
        """The type steps are computed in."""
        return F64 if self.dtype == F64 else F32

    def refuse(self, layout: Layout) -> str:
        """Return why steps have no address in a layout, or ""."""
        padded = [lv.spec for lv in layout.levels if lv.facts.uniform or lv.facts.unit > 1]
        if self.zero and not self.group and padded:
            return f"the padding of {padded[0]} has no zero point without a group"
        return refuse_groups(layout, self.group)

    def arrays(self, layout: Layout) -> tuple[Stored, ...]:
        """Return words, steps and zero points."""
        found = (Stored("val", I32), Stored("scale", self.dtype))
        return (*found, Stored("zero", U8)) if self.zero else found

    def read(self, at: Cursor, mask: Value | None, other: float = 0) -> Value:
        """Return the value at the cursor in the table's type, ``other`` where masked off."""
        k, where_ = at.k, group_form(at, self.group)
        code = read_code(at, "val", self.bits, mask)
        if self.zero:
            zero = k.cast(at.load("zero", U8, where_, mask, hint="zero"), I32)
            multiple = k.apply("sub", code, zero)
        else:
            half = k.const(1 << (self.bits - 1))
            multiple = k.apply("sub", k.apply("bitxor", code, half), half)
        step = at.load("scale", self.dtype, where_, mask, hint="scale")
        number = k.cast(multiple, self.computed)
        value = k.cast(k.apply("mul", number, k.cast(step, self.computed)), self.dtype)
        if mask is None or other == 0:
            return value
        return k.apply("where", mask, value, k.const(other, value.dtype))

    # -------------------------------------------------------------------------------- meaning
    def rounded(self, values: Array) -> Array:
        """Return a table as this code holds it: what the program means by it."""
        self._check_finite(values, "values")
        rows = in_groups(self._number(values), self.group or values.shape[-1])
        low, high = extreme_along(rows, most=False), extreme_along(rows, most=True)
        step, zero = (x.reshape(-1, 1) for x in self._steps(low, high))
        numbers = self._value(self._multiple(rows, step, zero), step, zero)
        return out_of_groups(numbers, values.shape)

    def _number(self, x: Array) -> Array:
        return cast(x, self.computed.numpy)

    def _steps(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return the step (a number of the table's type) and zero point of ranges around 0."""
        span = high - low if self.zero else where(high > -low, high, -low)
        kind = self.dtype.numpy
        limit = at_most(kind, most_finite(kind) / self.steps)
        step = self._number(cast(clamp(span / self.steps, None, limit), self.dtype.numpy))
        zero = nearest(where(step > 0, -low / step, 0.0))
        zero = clamp(zero, 0, self.steps) if self.zero else zero * 0
        return step, long(zero)

    def _multiple(self, x: Array, step: Array, zero: Array) -> Array:
        """Return the nearest multiples, as they are stored but for their sign."""
        count = long(nearest(where(step > 0, x / step, 0.0))) + zero
        return clamp(count, 0 if self.zero else -self.steps, self.steps)

    def _value(self, multiple: Array, step: Array, zero: Array) -> Array:
        return cast(self._number(multiple - zero) * step, self.dtype.numpy)

    def _check_finite(self, values: Array, table: str) -> None:
        at = first_true(~finite(flat(values)))
        if at >= 0:
            rule = f"values {self.spec} cannot hold {flat(values)[at].tolist()}"
            raise fault("HST4018", table, rule, "remove it, or store the values as they are")

    # --------------------------------------------------------------------------------- arrays
    def encode(self, at: Packing, values: Array) -> None:
        """Store the multiples of entries, and each group's step and zero point."""
        self._check_finite(values, at.layout.table)
        numbers, groups = self._number(values), group_count(at, self.group)
        mine = group_numbers(at, self.group)
        ends = (extreme_at(mine, groups, numbers, most) for most in (False, True))
        step, zero = self._steps(*ends)
        at.reserve(groups, self.dtype.numpy)
        at.store("scale", step, self.dtype.numpy)
        codes = self._multiple(numbers, step[mine], zero[mine]) & ((1 << self.bits) - 1)
        rest: Array | int = 0
        if self.zero:
            at.reserve(groups, "uint8")
            at.store("zero", zero, "uint8")
            rest = self._zero_everywhere(at, zero)
        store_codes(at, "val", self.bits, codes, rest)

    def _zero_everywhere(self, at: Packing, zero: Array) -> Array:
        """Return the zero point at every position, which stands for 0 where no entry is."""
        if self.group:
            return repeat(zero, full(zero.shape[0], self.group, "int64", zero))
        every = at.above(len(at.layout.levels))
        found = full(at.positions(len(at.layout.levels) - 1), 0, "int64", zero)
        put(found, every.position(len(at.layout.levels) - 1), zero[group_numbers(every, 0)])
        return found

    def decode(self, at: Unpacking) -> Array:
        """Return the values."""
        code, mine = load_codes(at, "val", self.bits), group_numbers(at, self.group)
        step = self._number(at.arrays["scale"][mine])
        if self.zero:
            return self._value(code, step, long(at.arrays["zero"][mine]))
        half = 1 << (self.bits - 1)
        return self._value((code ^ half) - half, step, code * 0)

    def check(self, at: Checking) -> None:
        """Check the number of words, steps and zero points, and that steps are finite."""
        check_codes(at, "val", self.bits)
        groups = group_count(at, self.group)
        step = at.array("scale", (self.dtype.numpy,), groups)
        bad = first_true(~finite(step) | (step < 0))
        if bad >= 0:
            rule = f"holds {step[bad].tolist()} at position {bad}"
            raise at.fault("HST4018", "scale", rule, "a step is finite and not negative")
        if self.zero:
            at.array("zero", ("uint8",), groups)


def make_integers(spec: CodeSpec, dtype: DType) -> Integers:
    """Return ``intB``; HST4506 for a table that is not of floats, or one bit without ``zero``."""
    bits, zero = int(spec.name.removeprefix("int")), spec.option("zero", 0) != 0
    if not dtype.is_float or dtype.stores_only:
        advice = "use planes, or no value code"
        raise wrong("HST4506", f"values {spec} hold floating-point numbers, not {dtype}", advice)
    if bits == 1 and not zero:
        rule = f"values {spec}: with one bit, 0 is no multiple of the step"
        raise wrong("HST4506", rule, "write int1(zero = 1), whose values are two")
    return Integers(spec, dtype, bits, spec.option("group", 0), zero)
