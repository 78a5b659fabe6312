"""Loads and stores: contiguous vectors, gathers, scalars, each with or without a mask.

A masked access never touches memory where its mask is false: a scalar one is sent to a constant
that holds what the load gives there, or to a place nobody reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from hastec.backends.cpu.code import Code, Part, suffix
from hastec.backends.cpu.convert import constant
from hastec.backends.cpu.merge import merge
from hastec.backends.cpu.registers import Place, Pointer, Registers
from hastec.backends.cpu.text import stored, vector
from hastec.cost.lanes import conjuncts
from hastec.diag import InternalError
from hastec.ir.index import ValueId
from hastec.ir.kernel import Load, Store, Table, Value
from hastec.ir.types import BOOL


def load(regs: Registers, value: Value, op: Load) -> None:
    """Define every part of a load."""
    along = regs.layout.lanes[value.id]
    table = regs.kernel.table(op.table)
    pointer = regs.pointers[op.pointer]
    for at in regs.places(regs.rest(value.id)):
        mask = _mask(regs, op.mask, along, at)
        read = _Read(regs, table, op, pointer, regs.hint(value, at))
        part = read.lanes(along, at, mask) if along else read.scalar(along, at, mask)
        regs.put(value.id, at, part)


@dataclass(frozen=True, slots=True)
class Mask:
    """Where an access is live: a condition for all lanes, and one a lane; None is always."""

    whole: Part | None = None
    lanes: Part | None = None


def _mask(regs: Registers, mask: ValueId | None, along: str, at: Place) -> Mask:
    """Return a mask as the conjunction of what does and what does not vary over a digit."""
    whole, lanes = None, None
    for one in [] if mask is None else conjuncts(regs.values, mask):
        if along in regs.values[one].digits:
            part = regs.part(one, along, at)
            lanes = part if lanes is None else regs.code.op("live", "and", lanes, part)
        else:
            part = regs.part(one, "", at)
            whole = part if whole is None else regs.code.op("live", "and", whole, part)
    return Mask(whole, lanes)


def _aligned(table: Table, elements: int) -> int:
    """Return the alignment in bytes of an offset that is a multiple of ``elements``."""
    return gcd(table.align, elements * table.dtype.bytes, 64) or 1


class _Read:
    """One part of a load."""

    def __init__(
        self, regs: Registers, table: Table, op: Load, pointer: Pointer, hint: str
    ) -> None:
        self.regs = regs
        self.code: Code = regs.code
        self.table = table
        self.op = op
        self.pointer = pointer
        self.hint = hint
        self.element = stored(table.dtype)

    def finish(self, part: Part) -> Part:
        """Return what was read in its register type."""
        if self.table.dtype != BOOL:
            return part
        return self.code.compare(self.hint, "ne", part, self.code.like(0, part))

    def other(self, lanes: int) -> Part:
        """Return what masked elements give, in its memory type."""
        if self.table.dtype == BOOL:
            return self.code.const(bool(self.op.other), "i8", lanes)
        return constant(self.code, self.op.other, self.table.dtype, lanes)

    def spare(self, lanes: int) -> Part:
        """Return the address of a constant that holds ``other`` in every lane."""
        kind = vector(self.element, lanes)
        name = f"other.{suffix(Part('', self.element, lanes))}.{self.other(0).name}"
        name = name.replace("-", "m")
        text = f"@{name} = private unnamed_addr constant {kind} {self.other(lanes).name}, align 64"
        self.regs.code.module.constants[name] = text
        return Part(f"@{name}", "ptr")

    def plain(self, address: Part, lanes: int, align: int, mask: Part | None) -> Part:
        """Read from one address, where a scalar mask holds."""
        if mask is not None:
            address = self.code.select("safe", mask, address, self.spare(lanes))
        text = f"load {vector(self.element, lanes)}, {address}, align {align}"
        return Part(self.code.emit(self.hint, text), self.element, lanes)

    def scalar(self, along: str, at: Place, mask: Mask) -> Part:
        address = self.regs.address(self.pointer, self.regs.offset(self.pointer, along, at))
        return self.finish(self.plain(address, 0, self.table.dtype.bytes, mask.whole))

    def lanes(self, along: str, at: Place, mask: Mask) -> Part:
        """Read a vector along a digit."""
        lanes = self.regs.width(along)
        step = self.regs.layout.strides.of(self.op.pointer, along)
        if step == 0:
            return self.finish(self.uniform(along, at, mask, lanes))
        gathers = self.code.module.machine.gather
        if step == 1 or self.op.unit == along:
            if mask.lanes is not None and not gathers and Part("", self.element).bits < 32:
                return self.apart(along, at, lanes)
            return self.finish(self.contiguous(along, at, mask, lanes))
        if self.regs.layout.apart(self.regs.values, self.op, along):
            return self.apart(along, at, lanes)
        offset = self.regs.offset(self.pointer, along, at)
        return self.finish(gather(self, offset, _every(self.code, mask, lanes)))

    def apart(self, along: str, at: Place, lanes: int) -> Part:
        """Read the elements of a vector one after the other."""
        places = [{**at, along: n} for n in range(lanes)]
        masks = [_mask(self.regs, self.op.mask, "", place) for place in places]
        found = [self.scalar("", p, m) for p, m in zip(places, masks, strict=True)]
        return self.code.gathered(self.hint, found)

    def uniform(self, along: str, at: Place, mask: Mask, lanes: int) -> Part:
        """Read one element for all lanes."""
        some = mask.whole
        if mask.lanes is not None:
            any_ = self.code.any("any", mask.lanes)
            some = any_ if some is None else self.code.op("any", "and", some, any_)
        address = self.regs.address(self.pointer, self.regs.offset(self.pointer, along, at, True))
        one = self.plain(address, 0, self.table.dtype.bytes, some)
        whole = self.code.splat(self.hint, one, lanes)
        if mask.lanes is None:
            return whole
        return self.code.select(self.hint, mask.lanes, whole, self.other(lanes))

    def contiguous(self, along: str, at: Place, mask: Mask, lanes: int) -> Part:
        address = self.regs.address(self.pointer, self.regs.offset(self.pointer, along, at, True))
        align = _aligned(self.table, self.op.align if self.op.unit == along else 1)
        if mask.lanes is None:
            return self.plain(address, lanes, align, mask.whole)
        if mask.whole is not None:
            address = self.code.select("safe", mask.whole, address, self.spare(lanes))
            align = self.table.dtype.bytes
        result = Part("", self.element, lanes)
        callee = f"llvm.masked.load.{suffix(result)}.p0"
        size = self.code.const(align, "i32")
        other = self.other(lanes)
        return self.code.named(self.hint, callee, result, address, size, mask.lanes, other)


def _every(code: Code, mask: Mask, lanes: int) -> Part | None:
    """Return both conditions of a mask as one a lane."""
    if mask.whole is None:
        return mask.lanes
    whole = code.splat("live", mask.whole, lanes)
    return whole if mask.lanes is None else code.op("live", "and", mask.lanes, whole)


# ----------------------------------------------------------------------------------------- gathers
def gather(read: _Read, offset: Part | None, mask: Part | None) -> Part:
    """Read one element for every lane from its own address."""
    code, bits = read.code, Part("", read.element).bits
    if offset is None:
        raise InternalError("a gather from one address")
    if not code.module.machine.gather:
        return _one_by_one(read, read.regs.address(read.pointer, offset), mask)
    mask = mask or code.const(True, "i1", offset.lanes)
    if bits < 32:
        return _through_words(read, offset, mask)
    result = Part("", read.element, offset.lanes)
    addresses = read.regs.address(read.pointer, offset)
    return _masked_gather(code, read.hint, addresses, mask, result, read.other(offset.lanes))


def _masked_gather(
    code: Code, hint: str, addresses: Part, mask: Part, result: Part, other: Part
) -> Part:
    callee = f"llvm.masked.gather.{suffix(result)}.v{result.lanes}p0"
    size = code.const(result.bits // 8, "i32")
    return code.named(hint, callee, result, addresses, size, mask, other)


def _through_words(read: _Read, offset: Part, mask: Part) -> Part:
    """Gather narrow elements through the aligned 32-bit words they lie in.

    Such a word never crosses a page, so that it may be read where its element may; the bytes
    beside the element are dropped.
    """
    code, lanes, size = read.code, offset.lanes, read.table.dtype.bytes
    start, scale = read.pointer.start, 4 // size
    number = code.convert("n", "ptrtoint", start, "i64")
    below = code.op("below", "and", number, code.const(3, "i64"))
    back = code.op("back", "sub", code.const(0, "i64"), below)
    base = Part(code.emit("base", f"getelementptr i8, {start}, {back}"), "ptr")
    first = code.op("first", "lshr", below, code.const(size // 2, "i64"))
    first = code.convert("first", "trunc", first, offset.element)
    index = code.op("index", "add", offset, code.splat("first", first, lanes))
    word = code.op("word", "ashr", index, code.like(scale // 2, index))
    addresses = Part(code.emit("at", f"getelementptr i32, {base}, {word}"), "ptr", lanes)
    result = Part("", "i32", lanes)
    found = _masked_gather(code, read.hint, addresses, mask, result, code.like(0, result))
    within = code.op("within", "and", index, code.like(scale - 1, index))
    within = code.convert("within", "trunc", within, "i32")
    shift = code.op("shift", "mul", within, code.like(8 * size, within))
    narrow = code.convert(read.hint, "trunc", code.op("low", "lshr", found, shift), read.element)
    return code.select(read.hint, mask, narrow, read.other(lanes))


def _one_by_one(read: _Read, addresses: Part, mask: Part | None) -> Part:
    code = read.code
    if mask is not None:
        spare = code.splat("spare", _register(code, read.spare(0)), addresses.lanes)
        addresses = code.select("safe", mask, addresses, spare)
    scalars = [
        read.plain(code.extract("at", addresses, n), 0, read.table.dtype.bytes, None)
        for n in range(addresses.lanes)
    ]
    return code.gathered(read.hint, scalars)


def _register(code: Code, part: Part) -> Part:
    """Return a global address as a local name."""
    return Part(code.emit("spare", f"getelementptr i8, {part}, i64 0"), part.element)


# ------------------------------------------------------------------------------------------ stores
def store(regs: Registers, op: Store) -> None:
    """Write every part of a store."""
    used = (op.pointer, op.value, *(() if op.mask is None else (op.mask,)))
    digits = frozenset(d for v in used for d in regs.values[v].digits)
    along = regs.layout.along(digits)
    ordered = tuple(d.name for d in regs.kernel.digits if d.name in digits - {along})
    for at in regs.places(ordered):
        mask = _mask(regs, op.mask, along, at)
        _Write(regs, op, along, at, mask).write()


class _Write:
    """One part of a store."""

    def __init__(self, regs: Registers, op: Store, along: str, at: Place, mask: Mask) -> None:
        self.regs = regs
        self.code: Code = regs.code
        self.op = op
        self.along = along
        self.at = at
        self.mask = mask
        self.table = regs.kernel.table(op.table)
        self.pointer = regs.pointers[op.pointer]

    def write(self) -> None:
        lanes = self.regs.width(self.along)
        part = self.regs.part(self.op.value, self.along, self.at)
        if self.table.dtype == BOOL:
            part = self.code.convert("byte", "zext", part, "i8")
        step = self.regs.layout.strides.of(self.op.pointer, self.along) if lanes else 0
        if lanes and step == 1 and self.op.combine == "set":
            self.contiguous(part)
        elif lanes:
            self.scattered(part)
        else:
            address = self.regs.address(self.pointer, self.offset(False))
            self.one(self.safe(address, self.mask.whole), part)

    def offset(self, first: bool) -> Part | None:
        return self.regs.offset(self.pointer, self.along, self.at, first)

    def contiguous(self, part: Part) -> None:
        address = self.safe(self.regs.address(self.pointer, self.offset(True)), self.mask.whole)
        align = self.table.dtype.bytes
        if self.mask.lanes is None:
            self.code.line(f"store {part}, {address}, align {align}")
            return
        callee = f"llvm.masked.store.{suffix(part)}.p0"
        size = self.code.const(align, "i32")
        args = (part, address, size, self.mask.lanes)
        types = ", ".join(a.type for a in args)
        self.code.module.declarations[callee] = f"declare void @{callee}({types})"
        self.code.line(f"call void @{callee}({', '.join(map(str, args))})")

    def scattered(self, part: Part) -> None:
        """Write every lane to its own address, in order."""
        addresses = self.regs.address(self.pointer, self.offset(False))
        mask = _every(self.code, self.mask, part.lanes)
        for n in range(part.lanes):
            address = self.code.extract("at", addresses, n) if addresses.lanes else addresses
            live = None if mask is None else self.code.extract("live", mask, n)
            self.one(self.safe(address, live), self.code.extract("one", part, n))

    def one(self, address: Part, part: Part) -> None:
        if self.op.combine == "set":
            self.code.line(f"store {part}, {address}, align {self.table.dtype.bytes}")
        else:
            merge(self.code, self.op.combine, self.table.dtype, address, part)

    def safe(self, address: Part, mask: Part | None) -> Part:
        """Return the address, or one nobody reads where the mask is false."""
        if mask is None:
            return address
        return self.code.select("safe", mask, address, Part("%nowhere", "ptr"))
