"""Values as their bits: planes of an unsigned split, upper bits first, and a palette of values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from hastec.arrays import Array, cast, concat, distinct, flat, full_like, long, take
from hastec.ir.format import CodeSpec
from hastec.ir.kernel import Value
from hastec.ir.types import I32, DType, Kind
from hastec.levels.checking import Checking
from hastec.levels.faults import fault
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor, Layout, Stored
from hastec.levels.structure import wrong
from hastec.levels.unpacking import Unpacking
from hastec.levels.words import check_codes, load_codes, per_word, read_code, store_codes


@dataclass(frozen=True, slots=True)
class Planes:
    """``planes(4, 4)``: arrays ``plane0`` (the uppermost bits), ``plane1`` … of an integer table.

    Exact: what is read is what was stored, and a reader of the upper bits needs no other plane.
    """

    spec: CodeSpec
    dtype: DType
    widths: tuple[int, ...]
    word: DType = I32
    per_word: int = 1
    sequential: bool = False
    unit: int = 1

    @property
    def shifts(self) -> tuple[int, ...]:
        """How far up the bits of each plane stand."""
        ends = list(accumulate(self.widths))
        return tuple(ends[-1] - end for end in ends)

    def refuse(self, layout: Layout) -> str:
        """Return why these planes cannot hold the fill of a layout, or ""."""
        return "" if layout.fill == 0 else "its fill is not 0"

    def arrays(self, layout: Layout) -> tuple[Stored, ...]:
        """Return the planes."""
        return tuple(Stored(f"plane{n}", I32) for n in range(len(self.widths)))

    def read(self, at: Cursor, mask: Value | None, other: float = 0) -> Value:
        """Return the value at the cursor in the table's type."""
        k, total = at.k, None
        for n, (bits, shift) in enumerate(zip(self.widths, self.shifts, strict=True)):
            code = read_code(at, f"plane{n}", bits, mask)
            part = k.apply("shl", code, k.const(shift)) if shift else code
            total = part if total is None else k.apply("bitor", total, part)
        assert total is not None
        value = k.cast(total, self.dtype)
        if mask is None or other == 0:
            return value
        return k.apply("where", mask, value, k.const(other, value.dtype))

    def rounded(self, values: Array) -> Array:
        """Return the values: nothing is lost."""
        return values

    # --------------------------------------------------------------------------------- arrays
    def encode(self, at: Packing, values: Array) -> None:
        """Store the bits of entries, plane by plane."""
        whole = long(values)
        for n, (bits, shift) in enumerate(zip(self.widths, self.shifts, strict=True)):
            code = (whole >> shift) & ((1 << bits) - 1)
            store_codes(at, f"plane{n}", bits, code, 0)

    def decode(self, at: Unpacking) -> Array:
        """Return the values."""
        total: Array | None = None
        for n, (bits, shift) in enumerate(zip(self.widths, self.shifts, strict=True)):
            part = load_codes(at, f"plane{n}", bits) << shift
            total = part if total is None else total | part
        assert total is not None
        return cast(total, self.dtype.numpy)

    def check(self, at: Checking) -> None:
        """Check the number of words of each plane."""
        for n, bits in enumerate(self.widths):
            check_codes(at, f"plane{n}", bits)


def make_planes(spec: CodeSpec, dtype: DType) -> Planes:
    """Return planes; HST4506 unless their bits are those of an integer type of 32 bits at most."""
    widths = tuple(bits for _, bits in spec.options)
    whole = sum(widths) == dtype.bits and all(1 <= bits <= 16 for bits in widths)
    if not dtype.is_integer or dtype.bits > 32 or not whole:
        rule = f"values {spec} do not split the bits of {dtype}"
        raise wrong(
            "HST4506", rule, "write planes(4, 4) for u8: the widths add up, each at most 16"
        )
    return Planes(spec, dtype, widths)


@dataclass(frozen=True, slots=True)
class Palette:
    """``palette(bits)``: arrays ``val`` (numbers of the palette) and ``palette`` (its values).

    Exact: a table with more than ``2^bits`` different values is refused.
    """

    spec: CodeSpec
    dtype: DType
    bits: int
    word: DType = I32
    sequential: bool = False
    unit: int = 1

    @property
    def per_word(self) -> int:
        """How many values share a word."""
        return per_word(self.bits)

    def refuse(self, layout: Layout) -> str:
        """Return "": any layout will do."""
        return ""

    def arrays(self, layout: Layout) -> tuple[Stored, ...]:
        """Return the numbers and the palette."""
        return (Stored("val", I32), Stored("palette", self.dtype))

    def read(self, at: Cursor, mask: Value | None, other: float = 0) -> Value:
        """Return the value at the cursor in the table's type, ``other`` where masked off."""
        code = read_code(at, "val", self.bits, mask)
        return at.load("palette", self.dtype, at.k.form(code), mask, hint="val", other=other)

    def rounded(self, values: Array) -> Array:
        """Return the values: nothing is lost; HST4018 if there are too many different ones."""
        self._check_room(distinct(flat(values))[0].shape[0], "values")
        return values

    def _check_room(self, count: int, table: str) -> None:
        if count > 1 << self.bits:
            rule = f"holds {count} different values, {self.spec} has room for {1 << self.bits}"
            raise fault("HST4018", table, rule, "use more bits, or another value code")

    # --------------------------------------------------------------------------------- arrays
    def encode(self, at: Packing, values: Array) -> None:
        """Store the palette, the fill first, and the number of each entry's value."""
        fill = full_like(1, at.layout.fill, values)
        found, which = distinct(concat((fill, values)))
        self._check_room(found.shape[0], at.layout.table)
        table = at.make(1 << self.bits, self.dtype.numpy)
        whole = concat((found, table[found.shape[0] :]))
        at.arrays["palette"] = whole
        store_codes(at, "val", self.bits, which[1:], int(which[0].tolist()))

    def decode(self, at: Unpacking) -> Array:
        """Return the values."""
        return take(at.arrays["palette"], load_codes(at, "val", self.bits))

    def check(self, at: Checking) -> None:
        """Check the number of words and the length of the palette."""
        check_codes(at, "val", self.bits)
        at.array("palette", (self.dtype.numpy,), 1 << self.bits)


def make_palette(spec: CodeSpec, dtype: DType) -> Palette:
    """Return a palette; HST4506 unless it has 1 to 16 bits, one for the table, and plain values."""
    bits = spec.option("bits", 4)
    if (
        not 1 <= bits <= 16
        or spec.option("group", 0)
        or dtype.stores_only
        or dtype.kind is Kind.BOOL
    ):
        rule = f"values {spec} are no palette of {dtype}"
        raise wrong("HST4506", rule, "write palette(bits), 1 to 16 bits, for a table of numbers")
    return Palette(spec, dtype, bits)
