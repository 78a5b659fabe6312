"""Index codes: how coordinates are written."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.format import CodeSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Coord, Value
from hastec.ir.types import I32, I64, U8, U16, DType
from hastec.levels.protocol import Cursor


@dataclass(frozen=True, slots=True)
class Plain:
    """``u8``, ``u16``, ``i32``, ``i64``: one number a word."""

    spec: CodeSpec
    word: DType
    per_word: int = 1
    sequential: bool = False

    def read(
        self, at: Cursor, level: int, array: str, mask: Value | None
    ) -> tuple[Form, Value | None]:
        """Return the stored coordinate; there are no fillers."""
        word = at.load(array, self.word, at.position(level), mask, hint="crd")
        return at.k.form(at.k.cast(word, at.k.index_type if self.word == I64 else I32)), None


@dataclass(frozen=True, slots=True)
class Delta:
    """``delta(bits)``: differences of neighbours, 32 / bits of them in a word.

    The first of a fibre counts from 0. The largest difference is a filler: it moves on without
    an entry. A fibre is decoded in order, so an ordinal spreads over a loop and one register
    digit only.
    """

    spec: CodeSpec
    bits: int
    word: DType = I32
    sequential: bool = True

    @property
    def per_word(self) -> int:
        """How many differences one 32-bit word holds."""
        return 32 // self.bits

    @property
    def filler(self) -> int:
        """The difference that stands for no entry."""
        return (1 << self.bits) - 1

    def read(
        self, at: Cursor, level: int, array: str, mask: Value | None
    ) -> tuple[Form, Value | None]:
        """Return the running sum of differences, and where it belongs to an entry."""
        k = at.k
        ordinal = at.ordinals[level]
        word = at.load(array, self.word, at.position(level, self.per_word), mask, hint="word")
        _, lane = k.divide(ordinal, self.per_word)
        shift = k.value(lane * self.bits)
        gap = k.apply("bitand", k.apply("shr", word, shift), k.const(self.filler), hint="gap")
        before = at.carries[level]
        digit = _register(at, ordinal)
        ahead = k.scan("sum", gap, digit) if digit else gap
        whole = k.reduce("sum", gap, (digit,)) if digit else gap
        at.advanced[level] = k.apply("add", before, whole, hint="col")
        coord = k.apply("add", before, ahead, hint="col")
        return k.form(coord), k.apply("ne", gap, k.const(self.filler))


def _register(at: Cursor, ordinal: Form) -> str:
    """Return the register digit an ordinal varies over ("" if there is none)."""
    for value, _ in ordinal.terms:
        op = at.k.values[value].op
        if isinstance(op, Coord) and at.k.digits[op.digit].role == "reg":
            return op.digit
    return ""


def make_plain(word: DType) -> object:
    """Return a maker of plain codes of one word type."""

    def make(spec: CodeSpec) -> Plain:
        return Plain(spec, word)

    return make


def make_delta(spec: CodeSpec) -> Delta:
    """Return ``delta(bits)``."""
    return Delta(spec, spec.option("bits", 4))


PLAIN: dict[str, DType] = {"u8": U8, "u16": U16, "i32": I32, "i64": I64}
