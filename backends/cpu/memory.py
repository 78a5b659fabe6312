"""Loads and stores: contiguous vectors, gathers, scalars, each with or without a mask.

A masked access never touches memory where its mask is false: a scalar one is sent to a constant
that holds what the load gives there, or to a place nobody reads.
"""

from __future__ import annotations

from math import gcd

from hastec.backends.cpu.code import Code, Part, suffix
from hastec.backends.cpu.convert import constant
from hastec.backends.cpu.merge import merge
from hastec.backends.cpu.registers import Place, Pointer, Registers
from hastec.backends.cpu.text import stored, vector
from hastec.ir.index import ValueId
from hastec.ir.kernel import Const, Load, Store, Table, Value
from hastec.ir.types import BOOL, DType


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


def _mask(regs: Registers, mask: ValueId | None, along: str, at: Place) -> Part | None:
    """Return a mask along a digit; a scalar one if it does not vary over it."""
    if mask is None:
        return None
    op = regs.values[mask].op
    if isinstance(op, Const) and op.value:
        return None
    varies = along in regs.values[mask].digits
    return regs.part(mask, along if varies else "", at)


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

    def scalar(self, along: str, at: Place, mask: Part | None) -> Part:
        address = self.regs.address(self.pointer, self.regs.offset(self.pointer, along, at))
        return self.finish(self.plain(address, 0, self.table.dtype.bytes, mask))

    def lanes(self, along: str, at: Place, mask: Part | None) -> Part:
        """Read a vector along a digit."""
        lanes = self.regs.width(along)
        step = self.regs.layout.strides.of(self.op.pointer, along)
        if step == 0:
            return self.finish(self.uniform(along, at, mask, lanes))
        if step == 1 or self.op.unit == along:
            return self.finish(self.contiguous(along, at, mask, lanes))
        offset = self.regs.offset(self.pointer, along, at)
        if mask is not None:
            mask = self.code.splat("mask", mask, lanes)
        addresses = self.regs.address(self.pointer, offset)
        return self.finish(gather(self, addresses, mask))

    def uniform(self, along: str, at: Place, mask: Part | None, lanes: int) -> Part:
        """Read one element for all lanes."""
        some = None if mask is None else self.code.any("any", mask)
        address = self.regs.address(self.pointer, self.regs.offset(self.pointer, along, at, True))
        one = self.plain(address, 0, self.table.dtype.bytes, some)
        whole = self.code.splat(self.hint, one, lanes)
        if mask is None or not mask.lanes:
            return whole
        return self.code.select(self.hint, mask, whole, self.other(lanes))

    def contiguous(self, along: str, at: Place, mask: Part | None, lanes: int) -> Part:
        address = self.regs.address(self.pointer, self.regs.offset(self.pointer, along, at, True))
        align = _aligned(self.table, self.op.align if self.op.unit == along else 1)
        if mask is None or not mask.lanes:
            return self.plain(address, lanes, align, mask)
        result = Part("", self.element, lanes)
        callee = f"llvm.masked.load.{suffix(result)}.p0"
        size = self.code.const(align, "i32")
        return self.code.named(self.hint, callee, result, address, size, mask, self.other(lanes))


# ----------------------------------------------------------------------------------------- gathers
def gather(read: _Read, addresses: Part, mask: Part | None) -> Part:
    """Read one element for every lane from its own address."""
    code, bits = read.code, Part("", read.element).bits
    if not code.module.machine.gather:
        return _one_by_one(read, addresses, mask)
    mask = mask or code.const(True, "i1", addresses.lanes)
    if bits >= 32:
        result = Part("", read.element, addresses.lanes)
        other = read.other(addresses.lanes)
        return _masked_gather(code, read.hint, addresses, mask, result, other)
    return _through_words(read, addresses, mask)


def _masked_gather(
    code: Code, hint: str, addresses: Part, mask: Part, result: Part, other: Part
) -> Part:
    callee = f"llvm.masked.gather.{suffix(result)}.v{result.lanes}p0"
    size = code.const(result.bits // 8, "i32")
    return code.named(hint, callee, result, addresses, size, mask, other)


def _through_words(read: _Read, addresses: Part, mask: Part) -> Part:
    """Gather narrow elements through the aligned 32-bit words they lie in.

    Such a word never crosses a page, so that it may be read where its element may; the bytes
    beside the element are dropped.
    """
    code, lanes = read.code, addresses.lanes
    number = code.convert("n", "ptrtoint", addresses, "i64")
    aligned = code.op("n", "and", number, code.like(-4, number))
    words = code.convert("words", "inttoptr", aligned, "ptr")
    result = Part("", "i32", lanes)
    word = _masked_gather(code, read.hint, words, mask, result, code.const(0, "i32", lanes))
    byte = code.op("byte", "and", code.convert("byte", "trunc", number, "i32"), code.like(3, word))
    shift = code.op("shift", "shl", byte, code.like(3, byte))
    moved = code.op(read.hint, "lshr", word, shift)
    found = code.convert(read.hint, "trunc", moved, read.element)
    return code.select(read.hint, mask, found, read.other(lanes))


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

    def __init__(
        self, regs: Registers, op: Store, along: str, at: Place, mask: Part | None
    ) -> None:
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
            self.one(self.regs.address(self.pointer, self.offset(False)), part, self.mask)

    def offset(self, first: bool) -> Part | None:
        return self.regs.offset(self.pointer, self.along, self.at, first)

    def contiguous(self, part: Part) -> None:
        address = self.regs.address(self.pointer, self.offset(True))
        align = _aligned(self.table, 1)
        if self.mask is None or not self.mask.lanes:
            address = self.safe(address, self.mask)
            self.code.line(f"store {part}, {address}, align {align}")
            return
        callee = f"llvm.masked.store.{suffix(part)}.p0"
        size = self.code.const(align, "i32")
        args = (part, address, size, self.mask)
        types = ", ".join(a.type for a in args)
        self.code.module.declarations[callee] = f"declare void @{callee}({types})"
        self.code.line(f"call void @{callee}({', '.join(map(str, args))})")

    def scattered(self, part: Part) -> None:
        """Write every lane to its own address, in order."""
        offset = self.offset(False)
        addresses = self.regs.address(self.pointer, offset)
        for n in range(part.lanes):
            address = self.code.extract("at", addresses, n) if addresses.lanes else addresses
            mask = self.mask
            if mask is not None and mask.lanes:
                mask = self.code.extract("mask", mask, n)
            self.one(address, self.code.extract("one", part, n), mask)

    def one(self, address: Part, part: Part, mask: Part | None) -> None:
        address = self.safe(address, mask)
        if self.op.combine == "set":
            self.code.line(f"store {part}, {address}, align {self.table.dtype.bytes}")
        else:
            merge(self.code, self.op.combine, self.table.dtype, address, part)

    def safe(self, address: Part, mask: Part | None) -> Part:
        """Return the address, or one nobody reads where the mask is false."""
        if mask is None:
            return address
        return self.code.select("safe", mask, address, Part("%nowhere", "ptr"))


def nowhere(kernel_stores: list[tuple[DType, int]]) -> int:
    """Return how many bytes the widest store of a kernel writes."""
    return max((dtype.bytes * max(1, lanes) for dtype, lanes in kernel_stores), default=8)
