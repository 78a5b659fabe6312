"""Values in registers: each is a set of parts, one for every coordinate of its unrolled digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

from hastec.backends.cpu import arith, convert
from hastec.backends.cpu.code import Code, Part
from hastec.backends.cpu.layout import Layout
from hastec.backends.cpu.text import stored
from hastec.ir.index import ValueId
from hastec.ir.kernel import Apply, Const, Coord, Kernel, Value
from hastec.ir.types import DType, Kind

Place = Mapping[str, int]
"""Coordinates of unrolled digits."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """An address: a scalar one, plus offsets that vary over register digits."""

    start: Part
    element: str
    offsets: tuple[ValueId, ...] = ()


class Registers:
    """What the values of a kernel are called in the text, and how to get at their elements."""

    def __init__(self, kernel: Kernel, layout: Layout, code: Code) -> None:
        self.kernel = kernel
        self.layout = layout
        self.code = code
        self.values = kernel.values()
        self.held: dict[ValueId, dict[tuple[int, ...], Part]] = {}
        self.arrays = {t.name: f"%{code.fresh(t.name)}" for t in kernel.tables}
        self.pointers: dict[ValueId, Pointer] = {}
        self.derived: list[dict[tuple[object, ...], Part]] = [{}]
        """Copies and lanes of parts, by the block that may use them."""

    # ------------------------------------------------------------------------------- places
    def rest(self, value: ValueId) -> tuple[str, ...]:
        """Return the digits a value is unrolled over."""
        mine = self.layout.lanes[value]
        return tuple(d for d in self.values[value].digits if d != mine)

    def places(self, digits: tuple[str, ...]) -> Iterator[dict[str, int]]:
        """Yield every combination of coordinates."""
        for at in product(*(range(self.layout.extent[d]) for d in digits)):
            yield dict(zip(digits, at, strict=True))

    def width(self, digit: str) -> int:
        """Return the lanes of a vector along a digit (0 for no digit)."""
        return self.layout.extent[digit] if digit else 0

    def hint(self, value: Value, at: Place) -> str:
        """Return a name for a part of a value."""
        return ".".join([value.hint or "v", *(str(n) for n in at.values())])

    def put(self, value: ValueId, at: Place, part: Part) -> None:
        """Keep a part of a value."""
        key = tuple(at[d] for d in self.rest(value))
        self.held.setdefault(value, {})[key] = part

    # ---------------------------------------------------------------------------- elements
    def part(self, value: ValueId, along: str, at: Place) -> Part:
        """Return a value at a place: a vector along a digit, a scalar if that is ""."""
        mine = self.layout.lanes[value]
        if mine == along:
            return self._own(value, at)
        key = (value, along, *(at[d] for d in self.values[value].digits if d != along))
        return self._derive(key, lambda: self._other(value, mine, along, at))

    def _own(self, value: ValueId, at: Place) -> Part:
        return self.held[value][tuple(at[d] for d in self.rest(value))]

    def _other(self, value: ValueId, mine: str, along: str, at: Place) -> Part:
        hint = self.values[value].hint or "v"
        if along and along in self.values[value].digits:
            lanes = [self._own(value, {**at, along: n}) for n in range(self.width(along))]
            return self.code.gathered(hint, lanes)
        one = self.element(value, at)
        return self.code.splat(hint, one, self.width(along))

    def element(self, value: ValueId, at: Place) -> Part:
        """Return one element: computed anew where that is cheaper than taking a lane."""
        mine = self.layout.lanes[value]
        if not mine:
            return self._own(value, at)
        found = self.values[value]
        if not self.layout.easy(value):
            return self.lane(value, self._own(value, at), at[mine])
        key = ("element", value, *(at[d] for d in found.digits))
        return self._derive(key, lambda: self._anew(found, at))

    def _anew(self, value: Value, at: Place) -> Part:
        match value.op:
            case Coord(digit):
                return convert.constant(self.code, at[digit], value.dtype)
            case Apply("cast", (arg,)):
                source = self.values[arg].dtype
                return convert.cast(self.code, self.element(arg, at), source, value.dtype,
                                    value.hint or "v")  # fmt: skip
            case Apply(fn, args):
                return arith.apply(self.site(value, at), fn, [self.element(a, at) for a in args])
            case _:
                return self._own(value.id, at)

    def lane(self, value: ValueId, vector: Part, lane: int) -> Part:
        """Return one lane of a vector."""
        hint = self.values[value].hint or "v"
        key = ("lane", vector.name, lane)
        return self._derive(key, lambda: self.code.extract(hint, vector, lane))

    def _derive(self, key: tuple[object, ...], make: Callable[[], Part]) -> Part:
        for block in reversed(self.derived):
            if key in block:
                return block[key]
        part = self.derived[-1][key] = make()
        return part

    @contextmanager
    def block(self) -> Iterator[None]:
        """Open a block: what is derived inside is unknown after it."""
        self.derived.append({})
        yield
        self.derived.pop()

    # ---------------------------------------------------------------------------- addresses
    def first(self, value: ValueId, along: str, at: Place) -> Part:
        """Return an integer at coordinate 0 of a digit, computed by itself where that is easy."""
        if along not in self.values[value].digits:
            return self.part(value, "", at)
        key = ("first", value, along, *(at[d] for d in self.values[value].digits if d != along))
        return self._derive(key, lambda: self._first(self.values[value], along, at))

    def _first(self, value: Value, along: str, at: Place) -> Part:
        match value.op:
            case Coord():
                return convert.constant(self.code, 0, value.dtype)
            case Apply("add" | "sub" | "mul" as fn, args):
                if self.layout.strides.of(value.id, along) is not None:
                    parts = [self.first(a, along, at) for a in args]
                    return arith.apply(self.site(value), fn, parts)
            case Apply("cast", (arg,)) if self.values[arg].dtype.is_integer:
                one = self.first(arg, along, at)
                hint = value.hint or "v"
                return convert.cast(self.code, one, self.values[arg].dtype, value.dtype, hint)
            case _:
                pass
        return self.part(value.id, "", {**at, along: 0})

    def site(self, value: Value, at: Place | None = None) -> arith.Site:
        """Return where a function is applied: what is known of its operands."""
        args = value.op.args if isinstance(value.op, Apply) else ()
        operands = [self.values[a] for a in args]
        bounds = tuple(
            (int(v.op.value), int(v.op.value))
            if isinstance(v.op, Const) and v.dtype.is_integer
            else v.bounds
            for v in operands
        )
        return arith.Site(self.code, operands[-1].dtype, bounds, self.hint(value, at or {}))

    def offset(self, pointer: Pointer, along: str, at: Place, first: bool = False) -> Part | None:
        """Return the varying part of an address in elements: along the lanes of a digit, or, with
        ``first``, the scalar one at its coordinate 0.
        """
        total: Part | None = None
        for value in pointer.offsets:
            if first or not along:
                one = self.wide(value, along, at)
            else:
                one = self.part(value, along, at)
                one = self._index(one, self.values[value].dtype, len(pointer.offsets) > 1)
            total = one if total is None else self.code.op("at", "add nsw", total, one)
        return total

    def wide(self, value: ValueId, along: str, at: Place) -> Part:
        """Return an offset, at coordinate 0 of a digit, as a 64-bit word.

        What an address is made of is computed in 64 bits from its parts on: processors extend and
        scale such words for nothing where they know that nothing wraps.
        """
        key = ("wide", value, *((d, n) for d, n in at.items() if d in self.values[value].digits))
        return self._derive(key, lambda: self._wide(self.values[value], along, at))

    def _wide(self, value: Value, along: str, at: Place) -> Part:
        match value.op:
            case Coord(digit) if value.digits:
                return self.code.const(0 if digit == along else at[digit], "i64")
            case Apply("add" | "sub" | "mul" as fn, args) if self.layout.whole(value.id):
                left, right = (self.wide(a, along, at) for a in args)
                return self.code.op(value.hint or "at", f"{fn} nsw", left, right)
            case Apply("cast", (arg,)) if self._widens(arg, value):
                return self.wide(arg, along, at)
            case _:
                one = self.first(value.id, along, at)
                unsigned = value.dtype.kind is Kind.UINT
                return self.code.convert("at", "zext" if unsigned else "sext", one, "i64")

    def _widens(self, arg: ValueId, value: Value) -> bool:
        source = self.values[arg].dtype
        more = source.bits < value.dtype.bits or source.kind is value.dtype.kind
        return source.is_integer and source.bits <= value.dtype.bits and more

    def _index(self, part: Part, dtype: DType, several: bool) -> Part:
        """Return an offset as a word that addresses extend by its sign."""
        if dtype.bits < 32 or (dtype.kind is Kind.UINT and dtype.bits < 64):
            opcode = "zext" if dtype.kind is Kind.UINT else "sext"
            part = self.code.convert("at", opcode, part, f"i{min(64, 2 * max(16, dtype.bits))}")
        return self.code.convert("at", "sext", part, "i64") if several else part

    def address(self, pointer: Pointer, offset: Part | None) -> Part:
        """Return the address of an element, or of one for every lane of the offset."""
        if offset is None:
            return pointer.start
        text = f"getelementptr {pointer.element}, {pointer.start}, {offset}"
        return Part(self.code.emit("at", text), "ptr", offset.lanes)

    def point(self, value: Value, base: str | ValueId, offset: ValueId | None) -> None:
        """Define an address: scalar offsets are added at once, others where they are used."""
        if isinstance(base, str):
            table = self.kernel.table(base)
            found = Pointer(Part(self.arrays[base], "ptr"), stored(table.dtype))
        else:
            found = self.pointers[base]
        if offset is not None and self.values[offset].digits:
            found = Pointer(found.start, found.element, (*found.offsets, offset))
        elif offset is not None:
            text = f"getelementptr {found.element}, {found.start}, {self.wide(offset, '', {})}"
            start = Part(self.code.emit(value.hint or "at", text), "ptr")
            found = Pointer(start, found.element, found.offsets)
        self.pointers[value.id] = found
