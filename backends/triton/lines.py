"""The lines of one generated function: what each value is called, and what needs no name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hastec.backends.triton.fold import folded
from hastec.backends.triton.inline import inlined
from hastec.backends.triton.names import Names
from hastec.backends.triton.physical import Lanes, Plan, Shape
from hastec.backends.triton.text import Expr, call, filled, infix, literal
from hastec.diag.span import Span
from hastec.ir.index import ValueId
from hastec.ir.kernel import Address, Apply, Const, Coord, Kernel, Load, SizeArg, Value, arguments
from hastec.ir.types import BOOL

WIDTH = 88
"""Columns a line of code may take, unless a single operation needs more."""
PHRASE = 44
"""Columns of what is written within another expression."""

Place: TypeAlias = tuple[ValueId, Lanes]
"""A value, spread over lanes."""


@dataclass(slots=True)
class Lines(ABC):
    """The text of one function under construction.

    ``held`` is what stands for a value: its name as a rule. A value that needs none is
    ``pending`` until the one statement that uses it is written.
    """

    kernel: Kernel
    source: Mapping[int, str]
    popc: str = ""
    interpreted: bool = False
    plan: Plan = field(init=False)
    names: Names = field(init=False)
    inline: frozenset[ValueId] = field(init=False)
    held: dict[Place, Expr] = field(default_factory=dict)
    pending: dict[Place, Expr] = field(default_factory=dict)
    late: dict[ValueId, Value] = field(default_factory=dict)
    """Cheap values that nothing has needed yet."""
    spread: dict[tuple[ValueId, Lanes, Shape], Expr] = field(default_factory=dict)
    """Values in shapes that took a line to reach."""
    replaced: dict[ValueId, ValueId] = field(default_factory=dict)
    """States that values may be written over, by those values."""
    helpers: dict[str, None] = field(default_factory=dict)
    out: list[str] = field(default_factory=list)
    depth: int = 1
    line: int = 0
    shown: dict[int, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plan = Plan(self.kernel)
        self.names = Names(self.kernel)
        self.inline = inlined(self.kernel)

    @abstractmethod
    def expression(self, value: Value, lanes: Lanes) -> Expr:
        """Return what computes a value on ``lanes``."""

    # ---------------------------------------------------------------------------------- lines
    def write(self, text: str, span: Span | None = None) -> None:
        """Add a line at the present depth, below the line of the program it comes from."""
        if span is not None and span.line != self.line:
            self._comment(span.line)
        self.out += folded(text, 4 * self.depth, WIDTH)

    def _comment(self, number: int) -> None:
        """Show a line of the program: whole at first, its number where code returns to it."""
        text = self.source.get(number, "").strip()
        if not text:
            return
        rest = "" if number in self.shown else f": {text}"
        self.out.append("    " * self.depth + f"# {number}{rest}")
        self.line = number
        self.shown[number] = None

    def statement(
        self, used: Iterable[ValueId], render: Callable[[], str], span: Span | None
    ) -> None:
        """Write the line ``render`` gives; what makes it too long gets a line of its own before.

        ``used`` are the values it holds.
        """
        mine = frozenset(used)
        text = render()
        while 4 * self.depth + len(text) > WIDTH:
            places = [place for place in self.pending if place[0] in mine]
            if not places:
                break
            self._settle(max(places, key=lambda p: len(self.pending[p].text)))
            text = render()
        self.consume(mine)
        self.write(text, span)

    def consume(self, used: Iterable[ValueId]) -> None:
        """Note that values have been written where they are used."""
        mine = frozenset(used)
        for place in [place for place in self.pending if place[0] in mine]:
            del self.pending[place]

    def _settle(self, place: Place) -> None:
        """Give a pending value a name after all."""
        value = self.plan.values[place[0]]
        name = self.names.of(value)
        self.write(f"{name} = {self.pending.pop(place)}", value.span)
        self.held[place] = Expr(name)

    def define(self, value: Value, lanes: Lanes, name: str = "") -> Expr:
        """Define a value on lanes, under a name unless it needs none; return what stands for it."""
        place = value.id, lanes
        self.late.pop(value.id, None)
        if value.id in self.inline and not name:
            expr = self.expression(value, lanes)
            if len(expr.text) <= PHRASE:
                self.consume(arguments(value.op))
                self.pending[place] = expr
                return expr
        name = name or self.names.of(value)
        self.statement(
            arguments(value.op), lambda: f"{name} = {self.expression(value, lanes)}", value.span
        )
        self.held[place] = Expr(name)
        return self.held[place]

    # ----------------------------------------------------------------------------- references
    def lanes(self, value: Value) -> Lanes:
        """Return the lanes a value lives on."""
        return self.plan.on.get(value.id, ())

    def text(self, value: Value, lanes: Lanes | None = None) -> Expr:
        """Return what stands for a value, spread over ``lanes`` if it is spread at all."""
        if isinstance(value.op, Const):
            return literal(value.op.value, value.dtype)
        if isinstance(value.op, SizeArg):
            return Expr(self.names.arguments[value.op.name])
        home = self.lanes(value)
        want = home if lanes is None or not home else lanes
        place = value.id, want
        found = self.held.get(place) or self.pending.get(place)
        if found is not None:
            return found
        return self.define(value, home) if want == home else self._moved(value, home, want)

    def _moved(self, value: Value, home: Lanes, want: Lanes) -> Expr:
        """Spread a value over other lanes: computed again if that is cheap, else converted."""
        if isinstance(value.op, Coord | Apply | Address | Load):
            return self.define(value, want)
        source = self.plan.shape_of(value.digits, home)
        return self.plan.convert(self.text(value), source, self.plan.shape_of(value.digits, want))

    def at(self, value: Value, shape: Shape, lanes: Lanes) -> Expr:
        """Return a value in a shape, up to broadcasting."""
        place = value.id, lanes, shape
        if place in self.spread:
            return self.spread[place]
        expr = self.text(value, lanes)
        if value.dtype == BOOL and not value.digits and shape and self.interpreted:
            return self._truth(value, expr, shape)
        mine = self.lanes(value)
        source = self.plan.shape_of(value.digits, lanes if mine else ())
        return self._brief(self.plan.convert(expr, source, shape), expr, *place)

    def _truth(self, value: Value, expr: Expr, shape: Shape) -> Expr:
        """Return a truth value in a shape: Triton's interpreter loses its type otherwise."""
        if isinstance(value.op, Const):
            return expr
        whole = call("tl.cast", expr, "tl.int32")
        return infix(call("tl.broadcast_to", whole, self.plan.sizes(shape)), "!=", Expr("0"))

    def broadcast(self, value: Value, shape: Shape, lanes: Lanes) -> Expr:
        """Return a value that fills a shape."""
        if isinstance(value.op, Const):
            return filled(self.plan.sizes(shape), value.op.value, value.dtype)
        place = value.id, lanes, ((), *shape)
        if place in self.spread:
            return self.spread[place]
        expr = self.at(value, shape, lanes)
        have = {d for dim in self.plan.shape_of(value.digits, lanes) for d in dim}
        if not self.lanes(value):
            have = set(value.digits)
        if not shape or all(set(dim) & have for dim in shape):
            return expr
        return self._brief(call("tl.broadcast_to", expr, self.plan.sizes(shape)), expr, *place)

    def _brief(self, made: Expr, of: Expr, value: ValueId, lanes: Lanes, shape: Shape) -> Expr:
        """Return an expression, or a name for it: what is long and used again gets one."""
        most = PHRASE + 16 if value in self.inline else PHRASE
        if len(made.text) <= max(most, len(of.text)):
            return made
        name = self.names.fresh(f"{self.names.proposed.get(value, 'value')}_spread")
        self.write(f"{name} = {made}")
        self.consume((value,))
        self.spread[value, lanes, shape] = Expr(name)
        return self.spread[value, lanes, shape]
