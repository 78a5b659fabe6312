"""Element types and what arithmetic on them computes in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an element type holds."""

    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"


@dataclass(frozen=True, slots=True)
class DType:
    """An element type: its name in programs, its kind and its width in bits.

    ``numpy`` names the array type that carries it between Python and a kernel; types that only
    store (``u4``, ``e2m1``, ``bits`` …) travel in a wider one.
    """

    name: str
    kind: Kind
    bits: int
    numpy: str
    stores_only: bool = False

    @property
    def bytes(self) -> int:
        """Width in bytes of the carrying type (what a table of it costs an element)."""
        return max(1, self.bits // 8)

    @property
    def is_float(self) -> bool:
        """True for binary floating point."""
        return self.kind is Kind.FLOAT

    @property
    def is_integer(self) -> bool:
        """True for signed and unsigned integers (not for bool)."""
        return self.kind in (Kind.INT, Kind.UINT)

    def __str__(self) -> str:
        return self.name


BOOL = DType("bool", Kind.BOOL, 8, "bool")
BITS = DType("bits", Kind.BOOL, 1, "bool", stores_only=True)
I8 = DType("i8", Kind.INT, 8, "int8")
I16 = DType("i16", Kind.INT, 16, "int16")
I32 = DType("i32", Kind.INT, 32, "int32")
I64 = DType("i64", Kind.INT, 64, "int64")
U8 = DType("u8", Kind.UINT, 8, "uint8")
U16 = DType("u16", Kind.UINT, 16, "uint16")
U32 = DType("u32", Kind.UINT, 32, "uint32")
F16 = DType("f16", Kind.FLOAT, 16, "float16")
BF16 = DType("bf16", Kind.FLOAT, 16, "bfloat16")
F32 = DType("f32", Kind.FLOAT, 32, "float32")
F64 = DType("f64", Kind.FLOAT, 64, "float64")
_NARROW = tuple(
    DType(f"{letter}{bits}", kind, bits, carrier, stores_only=True)
    for letter, kind, carrier in (("i", Kind.INT, "int8"), ("u", Kind.UINT, "uint8"))
    for bits in (2, 3, 4, 5, 6, 7)
)
E2M1 = DType("e2m1", Kind.FLOAT, 4, "uint8", stores_only=True)
E4M3 = DType("e4m3", Kind.FLOAT, 8, "uint8", stores_only=True)
E5M2 = DType("e5m2", Kind.FLOAT, 8, "uint8", stores_only=True)

ALL: tuple[DType, ...] = (
    *(BOOL, BITS, I8, I16, I32, I64, U8, U16, U32, F16, BF16, F32, F64),
    *_NARROW,
    *(E2M1, E4M3, E5M2),
)
BY_NAME: dict[str, DType] = {t.name: t for t in ALL}


def compute_type(operands: Iterable[DType]) -> DType:
    """Return what arithmetic over ``operands`` computes in.

    Floats compute in f32 (f64 if one is), integers in i32 (i64 if one is; u32 counts as i64),
    bools as 0 and 1 in i32; mixed as float.
    """
    found = tuple(operands)
    if any(t.is_float for t in found):
        return F64 if F64 in found else F32
    return I64 if any(t in (I64, U32) for t in found) else I32
