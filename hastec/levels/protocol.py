"""What a table can do: the capabilities of a level, the cursor they work at, and codes.

Levels and codes are open sets: one file each, known to nobody but the registry. Lowering uses what
is here and nothing else. A level offers some of

- ``size``    how many positions its fibre has;
- ``walk``    the coordinate at an ordinal, and whether the position exists and holds a value;
- ``locate``  the ordinal of a coordinate, and whether it is there.

A missing one makes a lowering illegal, and the message names it.

Positions. The *ordinal* of a level counts positions within its fibre. The storage order of a
layout is a list of digits of ordinals; an address is their mixed-radix number. A level whose
fibres have run-time lengths (a *fibre level*) has one digit with extent 0: everything to the left
of it is its *group*, and the number stored for that group, the start of the fibre, replaces what
stands to the left. An index array of a level is addressed by the digits up to that level.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hastec.ir.builder import Builder
from hastec.ir.format import CodeSpec, Digit, LevelSpec
from hastec.ir.index import Form
from hastec.ir.kernel import Table, Value
from hastec.ir.types import DType
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class Facts:
    """What lowering may rely on.

    ``full``: every coordinate has a position. ``ordered``: coordinates ascend with ordinals.
    ``unique``: no coordinate twice in a fibre. ``fibre``: lengths are known at run time only.
    ``uniform``: all fibres of a group have the group's length (padding included). ``sequential``:
    ordinals must be walked in order (a code that sums gaps). ``unit``: lengths are multiples of it.
    ``single``: a fibre is one position, that of the level above (so it has no storage digit).
    ``ranked``: positions are ranks among all fibres, read from memory. ``real``: coordinates, of
    padding too, are those of entries of the fibre, or 0: with the levels above, never past the end.
    ``bits``: every step tells the word that holds, in a bit, whether its coordinate is stored.
    """

    full: bool = False
    ordered: bool = True
    unique: bool = True
    fibre: bool = False
    uniform: bool = False
    sequential: bool = False
    unit: int = 1
    single: bool = False
    ranked: bool = False
    real: bool = False
    bits: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """An array a level or code keeps: its name within the table, element type and length."""

    name: str
    dtype: DType
    numel: Size | None = None


@dataclass(frozen=True, slots=True)
class Bits:
    """Where it is kept that a coordinate is stored: bit ``place`` of ``word``."""

    word: Value
    place: Value


@dataclass(frozen=True, slots=True)
class Step:
    """One position of a fibre.

    ``coord`` is its coordinate. Three masks (None: always true): ``inside``, the position exists
    and its coordinate may be used; ``stored``, moreover a value may be read there; ``present``,
    the table holds an entry there (padding and fillers do not, though their value reads as 0).
    ``bits``: where ``stored`` was read, if it is one bit of a word.
    """

    coord: Form
    inside: Value | None = None
    stored: Value | None = None
    present: Value | None = None
    bits: Bits | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A part of a format bound to a table: its levels, where positions lie, how values are coded.

    ``dims`` are the dimension names of the format, ``shape`` their sizes. ``extents`` holds the
    size of each level that has one (dense ones; None for run-time lengths).
    """

    table: str
    dtype: DType
    dims: tuple[str, ...]
    shape: tuple[Size, ...]
    levels: tuple[Level, ...]
    extents: tuple[Size | None, ...]
    order: tuple[Digit, ...]
    values: ValueCode
    fill: float = 0.0

    def array(self, name: str) -> str:
        """Return the name in a kernel of one of this table's arrays."""
        return f"{self.table}.{name}"

    def digit_extent(self, digit: Digit) -> Size:
        """Return the number of values of a storage digit (of a level that has an extent)."""
        if digit.extent:
            return Size.of(digit.extent)
        extent = self.extents[digit.level]
        if extent is None:
            raise KeyError(digit.level)
        return (extent + (digit.div - 1)) // digit.div

    def find(self, dim: str) -> tuple[int, ...]:
        """Return the levels that store coordinates of a dimension, outermost first."""
        return tuple(n for n, lv in enumerate(self.levels) if lv.spec.coord.dim == dim)


@dataclass(slots=True)
class Cursor:
    """Where lowering stands in one table: which ordinals are placed and what was read on the way.

    ``masks`` guard every read: where one is false, the path so far leads nowhere. A read that does
    not vary with a mask at all needs no guard by it: it is shared by coordinates that exist.
    ``exact`` are the levels whose ordinals are known to exist (a loop ends with the fibre).
    ``starts`` are the starts of fibres, ``counts`` their lengths, ``replaced`` positions that a
    level computed instead of counted (a rank in a bitmap). ``carries`` holds the running state of
    sequential codes and ``advanced`` what becomes of it. ``bits`` are those of the steps so far,
    each with the mask it was made into.
    """

    k: Builder
    layout: Layout
    masks: tuple[Value, ...] = ()
    exact: set[int] = field(default_factory=set)
    ordinals: dict[int, Form] = field(default_factory=dict)
    starts: dict[int, Form] = field(default_factory=dict)
    counts: dict[int, Value] = field(default_factory=dict)
    replaced: dict[int, Form] = field(default_factory=dict)
    carries: dict[int, Value] = field(default_factory=dict)
    advanced: dict[int, Value] = field(default_factory=dict)
    bits: tuple[tuple[Bits, Value], ...] = ()

    def copy(self) -> Cursor:
        """Return a cursor that can be moved on without moving this one."""
        return Cursor(
            self.k,
            self.layout,
            self.masks,
            set(self.exact),
            dict(self.ordinals),
            dict(self.starts),
            dict(self.counts),
            dict(self.replaced),
            dict(self.carries),
            dict(self.advanced),
            self.bits,
        )

    def within(self, level: int, ordinal: Form, count: Value) -> Value | None:
        """Return whether an ordinal exists in a fibre of ``count`` positions; None if it must."""
        if level in self.exact:
            return None
        whole = self._aligned(ordinal, self.layout.levels[level].facts.unit)
        at = self.k.named(self.k.value(whole), "position")
        return self.k.apply("lt", at, count, hint="inside")

    def _aligned(self, ordinal: Form, unit: int) -> Form:
        """Return an ordinal without the digits that stay within one unit of padding."""
        if unit == 1:
            return ordinal
        quotient, rest = ordinal.divide(unit)
        bounds = self.k.interval(rest)
        fits = bounds is not None and bounds[0] >= 0 and bounds[1] < unit
        return quotient * unit if fits else ordinal

    def number(self, name: str) -> Value:
        """Return a scalar the packed table brings (see ``Level.numbers``)."""
        return self.k.size(self.layout.array(name))

    def load(
        self,
        name: str,
        dtype: DType,
        at: Form,
        mask: Value | None = None,
        hint: str = "",
        other: float = 0,
    ) -> Value:
        """Return an element of one of the table's arrays; ``other`` where ``mask`` is false."""
        array = self.k.table(Table(self.layout.array(name), dtype))
        guard = self.guard(at, mask)
        return self.k.load(array, at, guard, other, hint=hint or name.split(".")[-1])

    def guard(self, at: Form, mask: Value | None = None) -> Value | None:
        """Return the mask of a read at an index: the cursor's masks that matter there."""
        digits = {d for v, _ in at.terms for d in self.k.values[v].digits}
        kept = (m for m in self.masks if not m.digits or set(m.digits) & digits)
        return self.k.conj((*dict.fromkeys(kept), mask))

    def note(self, step: Step) -> None:
        """Remember what a step tells of where it is kept that its coordinate is stored."""
        if step.bits is not None and step.stored is not None:
            self.bits = (*self.bits, (step.bits, step.stored))

    def restrict(self, mask: Value | None) -> None:
        """Guard everything from here on by one more mask."""
        if mask is not None and mask not in self.masks:
            self.masks = (*self.masks, mask)

    def position(self, level: int, per_word: int = 1) -> Form:
        """Return the address of the position reached, counting digits up to ``level`` only.

        With ``per_word`` > 1, that many neighbours along ``level`` share a word, and the address
        is that of the word.
        """
        return self._address([d for d in self.layout.order if d.level <= level], level, per_word)

    def group(self, level: int) -> Form:
        """Return the number of the group a fibre of ``level`` belongs to."""
        left = []
        for digit in self.layout.order:
            if digit.level == level and digit.extent == 0:
                break
            if digit.level <= level:
                left.append(digit)
        return self._address(left, level, 1)

    def fibre(self, level: int) -> Form:
        """Return the number of a fibre of ``level``: the group, then the digits beside it."""
        digits = [d for d in self.layout.order if d.level < level]
        return self._address(digits, level, 1)

    def over(self, levels: tuple[int, ...]) -> Form:
        """Return the mixed-radix number of the ordinals of ``levels``, which have extents."""
        return self._address([d for d in self.layout.order if d.level in levels], -1, 1)

    def _address(self, digits: list[Digit], level: int, per_word: int) -> Form:
        total = Form.of(0)
        for digit in digits:
            if digit.level in self.replaced:
                total = self.replaced[digit.level]
                continue
            packed = per_word if digit.level == level and digit.div == 1 else 1
            if digit.extent and digit.extent // packed == 1 and packed > 1:
                continue
            total = self._append(total, digit, packed)
        return total

    def _append(self, total: Form, digit: Digit, packed: int) -> Form:
        value = self.digit(digit, packed)
        if digit.extent == 0 and digit.level in self.starts:
            start = self.starts[digit.level]
            if digit.div * packed > 1:
                start, _ = self.k.divide(start, digit.div * packed)
            return start + value
        return total * (self.layout.digit_extent(digit) // packed) + value

    def digit(self, digit: Digit, packed: int = 1) -> Form:
        """Return the value of a storage digit from the ordinal of its level."""
        value, _ = self.k.divide(self.ordinals[digit.level], digit.div * packed)
        if digit.extent and not self._topmost(digit):
            _, value = self.k.divide(value, max(1, digit.extent // packed))
        return value

    def _topmost(self, digit: Digit) -> bool:
        """Whether no digit of the same level stands above this one (nothing to strip)."""
        return not any(
            d.level == digit.level and d.div > digit.div for d in self.layout.order
        ) and not any(d.level == digit.level and d.extent == 0 for d in self.layout.order)


class Level(Protocol):
    """One level of one table. ``number`` counts from the outermost."""

    @property
    def spec(self) -> LevelSpec:
        """What was asked for."""
        ...

    @property
    def number(self) -> int:
        """Which level of the table this is."""
        ...

    @property
    def facts(self) -> Facts:
        """What lowering may rely on."""
        ...

    def extent(self, span: Size, table: str) -> Size | None:
        """Return the number of positions of every fibre, if it is the same for all.

        ``span`` is how many values the coordinate can take. A number that packing finds is the
        size ``table.N.name``.
        """
        ...

    def arrays(self) -> tuple[Stored, ...]:
        """Return the arrays this level keeps."""
        ...

    def numbers(self) -> tuple[str, ...]:
        """Return the names of the scalars a packed table brings to kernels for this level."""
        ...


@runtime_checkable
class Sized(Protocol):
    """A level with the capability ``size``."""

    def size(self, at: Cursor) -> Form:
        """Return the number of positions of the fibre the cursor stands at."""
        ...


@runtime_checkable
class Walked(Protocol):
    """A level with the capability ``walk``."""

    def walk(self, at: Cursor, ordinal: Form) -> Step:
        """Place ``ordinal`` and return what is there. ``size`` was asked before."""
        ...


@runtime_checkable
class Located(Protocol):
    """A level with the capability ``locate``."""

    def locate(self, at: Cursor, coord: Form) -> Step:
        """Place the ordinal of ``coord`` and return what is there."""
        ...


class Code(Protocol):
    """How words become numbers."""

    @property
    def spec(self) -> CodeSpec:
        """What was asked for."""
        ...

    @property
    def word(self) -> DType:
        """The stored type."""
        ...

    @property
    def per_word(self) -> int:
        """How many numbers share a word."""
        ...

    @property
    def sequential(self) -> bool:
        """Whether a number needs the ones before it."""
        ...


class IndexCode(Code, Protocol):
    """A code of coordinates."""

    def read(
        self, at: Cursor, level: int, array: str, mask: Value | None
    ) -> tuple[Form, Value | None]:
        """Return the coordinate at the cursor's ordinal of ``level``, and a mask that is false on
        fillers (None: there are none).
        """
        ...


class ValueCode(Code, Protocol):
    """A code of values."""

    @property
    def unit(self) -> int:
        """How many neighbours along the last level are coded as one piece."""
        ...

    def refuse(self, layout: Layout) -> str:
        """Return why values cannot be coded in this layout, or "" if they can."""
        ...

    def read(self, at: Cursor, mask: Value | None, other: float = 0) -> Value:
        """Return the value at the cursor; ``other`` where ``mask`` or the cursor's are false."""
        ...

    def arrays(self, layout: Layout) -> tuple[Stored, ...]:
        """Return the arrays values are kept in."""
        ...
