"""Index codes: how coordinates are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hastec.arrays import (
    Array,
    arange,
    cast,
    concat,
    largest,
    long,
    put,
    running,
    running_max,
    sum_along,
    take,
    where,
)
from hastec.diag import InternalError
from hastec.ir.format import CodeSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Coord, Value
from hastec.ir.types import I32, I64, U8, U16, DType, Kind
from hastec.levels.bits import from_word, to_word
from hastec.levels.checking import INDEX, Checking
from hastec.levels.faults import fault
from hastec.levels.packing import Nodes, Packing
from hastec.levels.protocol import Cursor
from hastec.levels.structure import wrong
from hastec.levels.trail import Trail
from hastec.levels.unpacking import Unpacking


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

    # --------------------------------------------------------------------------------- arrays
    def place(self, nodes: Nodes) -> Array:
        """Return the rank of each coordinate in its fibre."""
        return nodes.rank()

    def encode(self, at: Packing, nodes: Nodes, name: str, room: Array | None) -> None:
        """Store coordinates; padding repeats the last one of its fibre."""
        level, coord = nodes.level, nodes.coord
        position = nodes.trail.position(level)
        if room is not None:
            ordinal = nodes.trail.ordinals[level]
            short = where(nodes.last(), room - ordinal - 1, 0)
            trail, source, nth = nodes.stretch(short)
            trail.ordinals[level] = ordinal[source] + nth + 1
            position = concat((position, trail.position(level)))
            coord = concat((coord, coord[source]))
        self.write(at, level, name, position, coord)

    def write(self, at: Packing, level: int, name: str, position: Array, coord: Array) -> None:
        """Store coordinates at positions of a level; 0 elsewhere."""
        limit = 2 ** (self.word.bits - (self.word.kind is Kind.INT)) - 1
        if largest(coord) > limit:
            rule = f"index {self.spec} cannot hold coordinate {largest(coord)}"
            raise fault("HST4018", at.layout.table, rule, f"use {self._wider(largest(coord))}")
        out = at.make(at.positions(level), self.word.numpy)
        put(out, position, cast(coord, self.word.numpy))
        at.arrays[name] = out

    def _wider(self, coord: int) -> str:
        limits = {"u8": 255, "u16": 65535, "i32": 2**31 - 1, "i64": 2**63 - 1}
        return next(name for name, limit in limits.items() if coord <= limit)

    def decode(self, at: Unpacking, level: int, name: str) -> tuple[Array, Array | None]:
        """Return the coordinates; none is a filler."""
        return long(take(at.arrays[name], at.position(level))), None

    def check(self, at: Checking, level: int, name: str) -> Array:
        """Check the number of coordinates and their range; padding of nothing may be 0."""
        kinds = INDEX if self.word.numpy in INDEX else (self.word.numpy,)
        found = at.array(name, kinds, at.positions(level))
        coord = found if self.word.numpy in INDEX else long(found)
        padded = at.layout.levels[level].facts.uniform
        at.within(name, coord, 0, max(at.span(level), int(padded)), "coordinate")
        return coord


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

    # --------------------------------------------------------------------------------- arrays
    def place(self, nodes: Nodes) -> Array:
        """Return ordinals that leave place for the fillers in front of each coordinate."""
        _, fillers = self._gaps(nodes)
        return nodes.rank() + _along(fillers, nodes.first)

    def encode(self, at: Packing, nodes: Nodes, name: str, room: Array | None) -> None:
        """Store differences and fillers; the padding of a fibre is the difference 0."""
        level, per_word = nodes.level, self.per_word
        rest, fillers = self._gaps(nodes)
        slots = at.make(at.positions(level, per_word) * per_word, "int64")
        put(slots, self._slot(nodes.trail, level), rest)
        trail, source, nth = nodes.stretch(fillers)
        trail.ordinals[level] = trail.ordinals[level] - fillers[source] + nth
        put(slots, self._slot(trail, level), nth * 0 + self.filler)
        lanes = arange(per_word, at.like) * self.bits
        at.arrays[name] = to_word(sum_along(slots.reshape(-1, per_word) << lanes))

    def write(self, at: Packing, level: int, name: str, position: Array, coord: Array) -> None:
        """Refuse: differences have an order."""
        raise InternalError(f"index {self.spec} was given coordinates without fibres")

    def _gaps(self, nodes: Nodes) -> tuple[Array, Array]:
        """Return what is left of each difference after its fillers, and how many these are."""
        before = concat((nodes.coord[:1], nodes.coord[:-1]))
        gap = nodes.coord - where(nodes.first, 0, before)
        fillers = gap // self.filler
        return gap - fillers * self.filler, fillers

    def _slot(self, trail: Trail, level: int) -> Array:
        lane = trail.ordinals[level] % self.per_word
        return trail.position(level, self.per_word) * self.per_word + lane

    def decode(self, at: Unpacking, level: int, name: str) -> tuple[Array, Array | None]:
        """Return running sums of the differences of whole fibres, and what is no filler."""
        ordinal = at.ordinals[level]
        word = from_word(at.arrays[name][at.position(level, self.per_word)])
        gap = (word >> (ordinal % self.per_word * self.bits)) & self.filler
        return _along(gap, ordinal.eq(0)), gap.ne(self.filler)

    def check(self, at: Checking, level: int, name: str) -> None:
        """Check the number of words; a full reading checks what they say."""
        at.array(name, ("int32",), at.positions(level, self.per_word))
        at.unsure = True


def _along(x: Array, first: Array) -> Array:
    """Return inclusive prefix sums of natural numbers that begin anew where ``first`` holds."""
    total = running(x)
    return total - running_max(where(first, total - x, 0))


def _register(at: Cursor, ordinal: Form) -> str:
    """Return the register digit an ordinal varies over ("" if there is none)."""
    for value, _ in ordinal.terms:
        op = at.k.values[value].op
        if isinstance(op, Coord) and at.k.digits[op.digit].role == "reg":
            return op.digit
    return ""


def make_plain(word: DType) -> Callable[[CodeSpec], Plain]:
    """Return a maker of plain codes of one word type."""

    def make(spec: CodeSpec) -> Plain:
        return Plain(spec, word)

    return make


def make_delta(spec: CodeSpec) -> Delta:
    """Return ``delta(bits)``."""
    bits = spec.option("bits", 4)
    if not 1 <= bits <= 16:
        raise wrong("HST4503", f"index {spec}: a difference has 1 to 16 bits", "write delta(4)")
    return Delta(spec, bits)


PLAIN: dict[str, DType] = {"u8": U8, "u16": U16, "i32": I32, "i64": I64}
