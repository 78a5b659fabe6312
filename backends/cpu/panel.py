"""Writes a loop that reads from a panel, beside the same loop that reads tables as they are.

The first program of a run of neighbours packs the panel, if enough of them follow and a cache holds
it; see :mod:`hastec.backends.cpu.stage`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from hastec.backends.cpu.code import Part
from hastec.backends.cpu.convert import cast
from hastec.backends.cpu.registers import Registers
from hastec.backends.cpu.stage import Ahead, Panel, Slot
from hastec.backends.cpu.text import word
from hastec.ir.index import ValueId
from hastec.ir.kernel import For, Load, Stmt, Value
from hastec.ir.types import F32, Kind

ROOM = 1 << 20
"""Bytes of a kernel's panels: what a core's own cache, and the stack of a thread, hold beside all
else.
"""
OWN = 1 << 17
"""Bytes a program converts ahead at most."""
RUN = 16
"""Elements that are converted at a time."""
NEIGHBOURS = 4
"""Programs that must share a panel for it to be packed."""

Held: TypeAlias = dict[tuple[int, ...], Part]


class Loops(Protocol):
    """Writes a loop; ``then`` writes more at the end of its body."""

    def __call__(self, loop: For, then: Callable[[], None] | None = None) -> None:
        """Write a loop where the text stands."""
        ...


@dataclass(frozen=True, slots=True)
class Where:
    """Where a program stands: its number in a range, and its coordinate among its neighbours."""

    number: Part
    begin: Part
    end: Part
    digit: Part
    count: Part


@dataclass(frozen=True, slots=True)
class _Open:
    """A panel in use: its loop, where it starts, and the first iteration."""

    panel: Panel
    loop: For
    memory: Part
    room: int
    low: Part
    rows: Part
    own: Part | None

    def slot(self, value: ValueId) -> Slot | None:
        return next((s for s in self.panel.slots if s.value == value), None)


class Panels:
    """The panels of one kernel."""

    def __init__(
        self,
        regs: Registers,
        loops: Loops,
        lets: Callable[[tuple[Stmt, ...]], None],
        coords: dict[str, Part],
    ) -> None:
        self.regs = regs
        self.code = regs.code
        self.loops = loops
        self.lets = lets
        self.coords = coords
        self.open: _Open | None = None
        self.runs: dict[ValueId, list[Part]] = {}
        """Where the parts of values that were converted ahead lie."""
        self.rooms: list[str] = []
        """Memory to be reserved when the function is entered."""

    def reads(self, value: Value) -> bool:
        """Read a value from the panel in use; False if it is not there."""
        if value.id in self.runs:
            self._from_run(value)
            return True
        slot = self.open.slot(value.id) if self.open is not None else None
        if self.open is None or slot is None:
            return False
        lanes = self.regs.width(self.regs.layout.lanes[value.id])
        part = Part("", word(value.dtype), lanes)
        for at, address in self._places(self.open, slot):
            text = f"load {part.type}, {address}"
            self.regs.put(value.id, at, replace(part, name=self.code.emit("packed", text)))
        return True

    def write(self, loop: For, panel: Panel, where: Where, room: int) -> None:
        """Write a loop with its panel, which has so much room."""
        code = self.code
        memory, flag = self._room(f"[{room} x i8]", 64), self._room("i8", 1)
        decide, pack, go = (code.fresh(f"{loop.digit}.{n}") for n in ("decide", "pack", "go"))
        low = self._wide(loop.lo)
        rows = code.op("rows", "sub", self._wide(loop.hi), low)
        own = self._room(f"[{OWN} x i8]", 64) if panel.ahead else None
        using = _Open(panel, loop, memory, room, low, rows, own)
        code.line(f"br {self._first(where)}, label %{decide}, label %{go}")
        code.label(decide)
        pays = self._pays(using, where)
        code.line(f"store {code.convert('flag', 'zext', pays, 'i8')}, {flag}")
        code.line(f"br {pays}, label %{pack}, label %{go}")
        code.label(pack)
        with self.regs.block():
            body = replace(loop, body=panel.made, carries=())
            self.loops(body, lambda: self._pack(using))
        code.line(f"br label %{go}")
        code.label(go)
        packed = Part(code.emit("flag", f"load i8, {flag}"), "i8")
        self._both(using, code.compare("packed", "ne", packed, code.const(0, "i8")))

    def _room(self, kind: str, align: int) -> Part:
        name = f"%{self.code.fresh('room')}"
        self.rooms.append(f"{name} = alloca {kind}, align {align}")
        return Part(name, "ptr")

    def _wide(self, value: ValueId) -> Part:
        unsigned = self.regs.values[value].dtype.kind is Kind.UINT
        part = self.regs.part(value, "", {})
        return self.code.convert("wide", "zext" if unsigned else "sext", part, "i64")

    # -------------------------------------------------------------------------------- deciding
    def _first(self, where: Where) -> Part:
        """Return whether a program is the first of its neighbours."""
        code = self.code
        starts = code.compare("starts", "eq", where.digit, code.const(0, "i64"))
        begins = code.compare("begins", "eq", where.number, where.begin)
        return code.op("first", "or", starts, begins)

    def _pays(self, using: _Open, where: Where) -> Part:
        """Return whether enough neighbours follow, and the panel is small enough."""
        code = self.code
        left = code.op("left", "sub", where.end, where.number)
        mine = code.op("mine", "sub", where.count, where.digit)
        few = code.intrinsic("few", "smin", left, mine)
        many = code.compare("many", "sge", few, code.const(NEIGHBOURS, "i64"))
        most = using.room // using.panel.row
        if using.panel.ahead:
            most = min(most, OWN // (4 * sum(a.parts for a in using.panel.ahead)))
            longer = code.compare("longer", "sge", using.rows, code.const(RUN, "i64"))
            many = code.op("many", "and", many, longer)
        fits = code.compare("fits", "sle", using.rows, code.const(most, "i64"))
        return code.op("pays", "and", many, fits)

    # ----------------------------------------------------------------------- packing, reading
    def _places(self, using: _Open, slot: Slot) -> Iterator[tuple[dict[str, int], str]]:
        """Yield the parts of a value in this iteration's row: where they lie, as operands."""
        code, panel = self.code, using.panel
        start = code.op("row", "mul nsw", self._number(using), code.const(panel.row, "i64"))
        row = code.emit("row", f"getelementptr inbounds i8, {using.memory}, {start}")
        for n, at in enumerate(self.regs.places(self.regs.rest(slot.value))):
            offset = slot.offset + n * slot.bytes
            name = code.emit("at", f"getelementptr inbounds i8, ptr {row}, i64 {offset}")
            yield at, f"ptr {name}, align {panel.align(offset)}"

    def _number(self, using: _Open) -> Part:
        """Return how many iterations came before this one."""
        here = self.code.convert("here", "sext", self.coords[using.loop.digit], "i64")
        return self.code.op("number", "sub nsw", here, using.low)

    def _pack(self, using: _Open) -> None:
        """Write one row."""
        for slot in using.panel.slots:
            along = self.regs.layout.lanes[slot.value]
            for at, address in self._places(using, slot):
                self.code.line(f"store {self.regs.part(slot.value, along, at)}, {address}")

    # ------------------------------------------------------------------------ converting ahead
    def _convert(self, using: _Open | None) -> None:
        """Convert what a program reads one by one, many at a time."""
        if using is None or using.own is None:
            return
        code, digit, at = self.code, using.loop.digit, 0
        for ahead in using.panel.ahead:
            self.coords[digit] = self.regs.part(using.loop.lo, "", {})
            starts, ends = [], []
            with self.regs.block():
                self.lets(ahead.made)
                load = self.regs.values[ahead.loaded].op
                assert isinstance(load, Load)
                pointer = self.regs.pointers[load.pointer]
                for place in self.regs.places(self.regs.values[ahead.value].digits):
                    offset = self.regs.offset(pointer, "", place)
                    starts.append(self.regs.address(pointer, offset))
                    before = code.op("before", "mul", using.rows, code.const(4 * at, "i64"))
                    text = f"getelementptr inbounds i8, {using.own}, {before}"
                    ends.append(Part(code.emit("own", text), "ptr"))
                    at += 1
                self._run(using, ahead, starts, ends)
            self.runs[ahead.value] = ends

    def _run(self, using: _Open, ahead: Ahead, starts: list[Part], ends: list[Part]) -> None:
        """Write the loop that converts runs; the last one ends where the loop does."""
        code, source = self.code, self.regs.values[ahead.loaded].dtype
        name, head, before = code.fresh("run"), code.fresh("run.body"), code.block
        after, more = code.fresh("run.end"), code.fresh("run.next")
        code.line(f"br label %{head}")
        code.label(head)
        code.line(f"%{name} = phi i64 [ 0, %{before} ], [ %{more}, %{head} ]")
        last = code.op("last", "sub", using.rows, code.const(RUN, "i64"))
        at = code.intrinsic("at", "smin", Part(f"%{name}", "i64"), last)
        for start, end in zip(starts, ends, strict=True):
            place = code.emit("at", f"getelementptr i16, {start}, {at}")
            part = Part(code.emit("run", f"load <{RUN} x i16>, ptr {place}, align 2"), "i16", RUN)
            wide = cast(code, part, source, F32, "wide")
            place = code.emit("at", f"getelementptr float, {end}, {at}")
            code.line(f"store {wide}, ptr {place}, align 4")
        code.line(f"%{more} = add nsw i64 %{name}, {RUN}")
        less = code.compare("less", "slt", Part(f"%{more}", "i64"), using.rows)
        code.line(f"br {less}, label %{head}, label %{after}")
        code.label(after)

    def _from_run(self, value: Value) -> None:
        assert self.open is not None
        number = self._number(self.open)
        places = self.regs.places(self.regs.rest(value.id))
        for at, start in zip(places, self.runs[value.id], strict=True):
            place = self.code.emit("at", f"getelementptr inbounds float, {start}, {number}")
            part = Part(self.code.emit("ahead", f"load float, ptr {place}, align 4"), "float")
            self.regs.put(value.id, at, part)

    @contextmanager
    def _using(self, using: _Open | None) -> Iterator[None]:
        self.open = using
        with self.regs.block():
            yield
        self.open = None

    def _both(self, using: _Open, packed: Part) -> None:
        """Write the loop twice, and what comes out of either."""
        code, loop = self.code, using.loop
        near, far, both = (code.fresh(f"{loop.digit}.{n}") for n in ("near", "far", "both"))
        code.line(f"br {packed}, label %{near}, label %{far}")
        ends: list[tuple[str, list[Held]]] = []
        for label, mine in ((near, using), (far, None)):
            code.label(label)
            with self._using(mine):
                self._convert(mine)
                self.loops(loop)
            self.runs = {}
            held = [dict(self.regs.held[c.inside]) for c in loop.carries]
            ends.append((code.block, held))
            code.line(f"br label %{both}")
        code.label(both)
        (one, first), (two, second) = ends
        for carry, left, right in zip(loop.carries, first, second, strict=True):
            self.regs.held[carry.after] = {
                key: self._merged(left[key], one, right[key], two) for key in left
            }

    def _merged(self, left: Part, one: str, right: Part, two: str) -> Part:
        text = f"phi {left.type} [ {left.name}, %{one} ], [ {right.name}, %{two} ]"
        return replace(left, name=self.code.emit("sum", text))
