"""A second pass over a nest, for sums that a matrix product of tiles could not keep clean.

A product of tiles meets, in one factor, what some of its rows leave out. There the other factor is
0: nothing comes of it, but NaN where it meets an infinity or NaN. So a sum without NaN is right,
and all it costs is a look at it. If there is NaN, the sums are formed once more without matrix
products, from what counts alone, one row after the other.

The second pass shares nothing with the first but what both are given: what it reads it reads again,
so that no register is held for it meanwhile; and of its own it needs few, with one row at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hastec.ir.define import Loop
from hastec.ir.graph import NodeId
from hastec.ir.kernel import Digit, Value
from hastec.ir.types import BOOL, I32
from hastec.lower.context import Context, Nest
from hastec.lower.nest import place

Sums: TypeAlias = Mapping[NodeId, Value]


def spoilt(c: Context, sums: Sums) -> Value:
    """Return whether there is NaN in any of the sums, at a place that is kept.

    They are added up, which NaN survives: an addition an element, beside comparing each of them.
    """
    k, found = c.k, c.k.const(False)
    for node, value in sums.items():
        masks = c.masks(c.work.nodes[node].ranks)
        kept = k.conj(m for m in masks if set(m.digits) <= set(value.digits))
        if kept is not None:
            value = k.apply("where", kept, value, k.const(0.0, value.dtype))
        value = k.reduce("sum", value, value.digits)
        found = k.apply("or", found, k.apply("ne", value, value, hint="spoilt"))
    return found


def again(
    c: Context, sums: Sums, rows: tuple[str, ...], run: Callable[[Context], Sums]
) -> dict[NodeId, Value]:
    """Return the sums as they are, or if they are spoilt as ``run`` forms them, row by row."""
    k, second = c.k, _Second(c, [sums])
    only = k.cast(spoilt(c, sums), I32)
    with ExitStack() as stack:
        second.open(stack, Digit("again", "loop"), only)
        stack.enter_context(k.apart())
        for row in rows:
            second.row(stack, row)
        alone = second.alone()
        with k.instead(second.at):
            place(alone, tuple(c.coords), Nest(replay=True), stack)
            made = run(alone)
        return second.close(made)


@dataclass(slots=True)
class _Second:
    """The loops of a second pass, outermost first: each carries all sums, from the first pass on.

    ``at`` names the loops over rows, and ``here`` says where along a row's digit its loop stands.
    """

    c: Context
    states: list[Sums]
    loops: list[Loop] = field(default_factory=list)
    at: dict[str, str] = field(default_factory=dict)
    here: dict[str, Value] = field(default_factory=dict)

    def open(self, stack: ExitStack, digit: Digit, count: Value) -> None:
        """Open a loop in those that are open."""
        k = self.c.k
        loop = stack.enter_context(k.loop(k.digit(digit), k.const(0), count, rare=True))
        self.loops.append(loop)
        self.states.append({n: k.carry(loop, v) for n, v in self.states[-1].items()})

    def row(self, stack: ExitStack, row: str) -> None:
        """Open a loop over the coordinates of a digit."""
        k, own = self.c.k, Digit(f"{row}_at", "loop")
        self.open(stack, own, k.const(k.digits[row].extent or 1))
        self.at[row] = own.name
        self.here[row] = k.apply("eq", k.coord(row), k.coord(own.name))

    def alone(self) -> Context:
        """Return a context for one row: nothing is placed there yet, and no tile multiplied."""
        c, memo = self.c, dict[Hashable, tuple[object, frozenset[str]]]()
        for node in c.known():
            value, ranks = c.memo[node]
            assert isinstance(value, Value)
            memo[node] = self._picked(value), ranks
        conditions = tuple(self._picked(v) for v in c.conditions)
        schedule = replace(c.schedule, dots=())
        return Context(c.work, schedule, c.k, conditions=conditions, memo=memo, part=c.part)

    def _picked(self, value: Value) -> Value:
        """Return a value of all rows at the row where the loops stand."""
        k, here = self.c.k, self._here(value)
        if here is None:
            return value
        truth = value.dtype == BOOL
        none = k.const(False) if truth else k.const(0, value.dtype)
        mine = k.apply("where", here, value, none)
        return k.reduce("any" if truth else "sum", mine, self.here)

    def _here(self, value: Value) -> Value | None:
        return self.c.k.conj(h for row, h in self.here.items() if row in value.digits)

    def close(self, made: Sums) -> dict[NodeId, Value]:
        """Return the sums after all loops, given what they are at a row."""
        k, found = self.c.k, dict[NodeId, Value]()
        for node, state in self.states[-1].items():
            here = self._here(state)
            found[node] = made[node] if here is None else k.apply("where", here, made[node], state)
        for loop, states in zip(self.loops[::-1], self.states[:0:-1], strict=True):
            found = {n: k.update(loop, states[n], v) for n, v in found.items()}
        return found
