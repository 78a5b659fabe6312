"""Values as floats of a few bits: ``fp8`` (e4m3; with ``group``, one step a group) and ``mx``
(e2m1 and a power of two a group of 32, unless said otherwise).
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.arrays import Array, cast, clamp, first_true, flat, long, where
from hastec.ir.format import CodeSpec
from hastec.ir.kernel import Value
from hastec.ir.types import BF16, F32, F64, I32, DType
from hastec.levels import reals
from hastec.levels.checking import Checking
from hastec.levels.faults import fault
from hastec.levels.groups import group_count, group_form, group_numbers, refuse_groups
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Layout, Stored
from hastec.levels.structure import wrong
from hastec.levels.unpacking import Unpacking
from hastec.levels.words import check_codes, load_codes, per_word, read_code, store_codes


@dataclass(frozen=True, slots=True)
class Grid:
    """A float format of sign, ``exponent`` bits (the least is ``low``) and ``mantissa`` bits."""

    mantissa: int
    low: int
    most: float
    bits: int
    nan: bool

    def nearest(self, x: Array) -> Array:
        """Return the nearest number of the format, ties to even; past the largest, the largest."""
        power = clamp(
            reals.exponent(where(reals.finite(x), reals.magnitude(x), 0.0)), self.low, None
        )
        whole = reals.nearest(reals.scaled(x, -power + self.mantissa))
        return clamp(reals.scaled(whole, power - self.mantissa), -self.most, self.most)

    def code(self, x: Array) -> Array:
        """Return the bits of numbers of the format."""
        size = where(reals.finite(x), reals.magnitude(x), 0.0)
        power = clamp(where(size > 0, reals.exponent(size), self.low), self.low, None)
        whole = long(reals.scaled(size, -power + self.mantissa))
        code = ((power - self.low) << self.mantissa) + whole
        sign = 1 << (self.bits - 1)
        code = code + long(reals.negative(x)) * sign
        return where(reals.finite(x), code, sign - 1)

    def number(self, code: Array, kind: str) -> Array:
        """Return the numbers of bits."""
        sign = 1 << (self.bits - 1)
        field = (code & (sign - 1)) >> self.mantissa
        rest = code & ((1 << self.mantissa) - 1)
        whole = where(field > 0, rest + (1 << self.mantissa), rest)
        size = reals.scaled(
            cast(whole, kind), clamp(field, 1, None) + (self.low - 1 - self.mantissa)
        )
        if self.nan:
            size = where((code & (sign - 1)).eq(sign - 1), float("nan"), size)
        return where((code & sign).ne(0), -size, size)

    def read(self, at: Cursor, code: Value, dtype: DType) -> Value:
        """Return the number of bits in a kernel."""
        k, sign = at.k, 1 << (self.bits - 1)
        low = k.apply("bitand", code, k.const(sign - 1))
        field = k.apply("shr", low, k.const(self.mantissa))
        rest = k.apply("bitand", code, k.const((1 << self.mantissa) - 1))
        normal = k.apply("bitor", rest, k.const(1 << self.mantissa))
        shift = k.apply("sub", k.apply("max", field, k.const(1)), k.const(1))
        whole = k.apply("where", k.apply("gt", field, k.const(0)), normal, rest)
        whole = k.apply("shl", whole, shift)
        unit = k.const(2.0 ** (self.low - self.mantissa), dtype)
        size = k.apply("mul", k.cast(whole, dtype), unit)
        if self.nan:
            lost = k.apply("eq", low, k.const(sign - 1))
            size = k.apply("where", lost, k.const(float("nan"), dtype), size)
        minus = k.apply("ge", code, k.const(sign))
        return k.apply("where", minus, k.apply("neg", size), size)


E4M3 = Grid(mantissa=3, low=-6, most=448.0, bits=8, nan=True)
E2M1 = Grid(mantissa=1, low=0, most=6.0, bits=4, nan=False)


@dataclass(frozen=True, slots=True)
class SmallFloats:
    """Values of a small float format: ``val`` (words) and, if groups are scaled, ``scale``.

    ``power``: scales are powers of two (bf16), such that the largest value keeps its exponent;
    else they are ``max|w| / largest`` in the table's type.
    """

    spec: CodeSpec
    dtype: DType
    grid: Grid
    group: int
    power: bool
    word: DType = I32
    sequential: bool = False

    @property
    def per_word(self) -> int:
        """How many values share a word."""
        return per_word(self.grid.bits)

    @property
    def unit(self) -> int:
        """The neighbours that share a scale."""
        return max(1, self.group)

    @property
    def computed(self) -> DType:
        """The type values are computed in."""
        return F64 if self.dtype == F64 else F32

    @property
    def scale(self) -> DType:
        """The type of scales."""
        return BF16 if self.power else self.dtype

    def refuse(self, layout: Layout) -> str:
        """Return why scales have no address in a layout, or ""."""
        if self.group:
            return refuse_groups(layout, self.group)
        return "" if abs(layout.fill) <= self.grid.most else f"it cannot hold {layout.fill}"

    def arrays(self, layout: Layout) -> tuple[Stored, ...]:
        """Return words and scales."""
        found = (Stored("val", I32),)
        return (*found, Stored("scale", self.scale)) if self.group else found

    def read(self, at: Cursor, mask: Value | None, other: float = 0) -> Value:
        """Return the value at the cursor in the table's type, ``other`` where masked off."""
        k = at.k
        code = read_code(at, "val", self.grid.bits, mask)
        value = self.grid.read(at, code, self.computed)
        if self.group:
            scale = at.load("scale", self.scale, group_form(at, self.group), mask, hint="scale")
            value = k.apply("mul", value, k.cast(scale, self.computed))
        value = k.cast(value, self.dtype)
        if mask is None or other == 0:
            return value
        return k.apply("where", mask, value, k.const(other, value.dtype))

    # -------------------------------------------------------------------------------- meaning
    def rounded(self, values: Array) -> Array:
        """Return a table as this code holds it: what the program means by it."""
        self._check(values, "values")
        x = cast(values, self.computed.numpy)
        if not self.group:
            return cast(self.grid.nearest(x), self.dtype.numpy)
        rows = reals.in_groups(x, self.group)
        most = reals.extreme_along(reals.magnitude(rows), most=True)
        scale = self._scales(most).reshape(-1, 1)
        back = self._value(self._nearest(rows, scale), scale)
        return reals.out_of_groups(back, values.shape)

    def _scales(self, most: Array) -> Array:
        """Return the scales of groups with these largest magnitudes, in the computed type."""
        kind = self.scale.numpy
        if self.power:
            exponent = reals.exponent(most) - reals.exponent(most * 0 + self.grid.most)
            exponent = clamp(where(most > 0, exponent, 0), -126, 127)
            return reals.scaled(most * 0 + 1, exponent)
        limit = reals.at_most(kind, reals.most_finite(kind) / self.grid.most)
        return cast(cast(clamp(most / self.grid.most, None, limit), kind), self.computed.numpy)

    def _nearest(self, x: Array, scale: Array) -> Array:
        return self.grid.nearest(where(scale > 0, x / scale, 0.0))

    def _value(self, x: Array, scale: Array) -> Array:
        return cast(x * scale, self.dtype.numpy)

    def _check(self, values: Array, table: str) -> None:
        at = first_true(~reals.finite(flat(values))) if self.group or not self.grid.nan else -1
        if at >= 0:
            rule = f"values {self.spec} cannot hold {flat(values)[at].tolist()}"
            raise fault("HST4018", table, rule, "remove it, or store the values as they are")

    # --------------------------------------------------------------------------------- arrays
    def encode(self, at: Packing, values: Array) -> None:
        """Store the bits of entries and the scales of groups."""
        self._check(values, at.layout.table)
        x = cast(values, self.computed.numpy)
        if self.group:
            mine, groups = group_numbers(at, self.group), group_count(at, self.group)
            scale = self._scales(reals.extreme_at(mine, groups, reals.magnitude(x), most=True))
            at.reserve(groups, self.scale.numpy)
            at.store("scale", scale, self.scale.numpy)
            near = self._nearest(x, scale[mine])
        else:
            near = self.grid.nearest(x)
        store_codes(at, "val", self.grid.bits, self.grid.code(near), self._fill(at))

    def _fill(self, at: Packing) -> int:
        one = reals.real(at.layout.fill, self.computed.numpy, at.like)
        return int(self.grid.code(self.grid.nearest(one))[0].tolist())

    def decode(self, at: Unpacking) -> Array:
        """Return the values."""
        x = self.grid.number(load_codes(at, "val", self.grid.bits), self.computed.numpy)
        if not self.group:
            return cast(x, self.dtype.numpy)
        scale = cast(at.arrays["scale"][group_numbers(at, self.group)], self.computed.numpy)
        return self._value(x, scale)

    def check(self, at: Checking) -> None:
        """Check the number of words and scales, and that scales are finite."""
        check_codes(at, "val", self.grid.bits)
        if not self.group:
            return
        scale = at.array("scale", (self.scale.numpy,), group_count(at, self.group))
        bad = first_true(~reals.finite(scale) | (scale < 0))
        if bad >= 0:
            rule = f"holds {scale[bad].tolist()} at position {bad}"
            raise at.fault("HST4018", "scale", rule, "a scale is finite and not negative")


def make_fp8(spec: CodeSpec, dtype: DType) -> SmallFloats:
    """Return ``fp8``: e4m3, scaled by groups if ``group`` is given."""
    return SmallFloats(spec, _floats(spec, dtype), E4M3, spec.option("group", 0), power=False)


def make_mx(spec: CodeSpec, dtype: DType) -> SmallFloats:
    """Return ``mx``: e2m1 scaled by a power of two a group (of 32 if not said)."""
    return SmallFloats(spec, _floats(spec, dtype), E2M1, spec.option("group", 32), power=True)


def _floats(spec: CodeSpec, dtype: DType) -> DType:
    if not dtype.is_float or dtype.stores_only:
        advice = "use planes, or no value code"
        raise wrong("HST4506", f"values {spec} hold floating-point numbers, not {dtype}", advice)
    return dtype
