"""The schedule: every decision about how one region becomes a kernel, as one frozen value.

It is what the tuner enumerates, what a lock file stores and what a ``schedule`` block overrides;
lowering is a total function of region, schedule and target.

An *axis* is a rank of the region, or one level of a table that leads: ``W.1`` is the second level
of the access that leads through ``W``. Each axis is split into digits with strides:
``axis = sum(digit * stride)``.
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.graph import NodeId
from hastec.ir.kernel import Digit


@dataclass(frozen=True, slots=True)
class Axis:
    """How an axis is spread: (digit, stride) pairs, the widest stride first.

    ``exact``: it has as many values as its digits take, or, with a grid or loop digit, a multiple
    of what the others take; the kernel requires that.
    """

    name: str
    digits: tuple[tuple[str, int], ...]
    exact: bool = False

    def __str__(self) -> str:
        terms = (d if s == 1 else f"{s}*{d}" for d, s in self.digits)
        return f"{self.name} = {' + '.join(terms) or '0'}"


@dataclass(frozen=True, slots=True)
class Lead:
    """Access ``access`` is iterated for the ranks ``ranks`` instead of their whole range."""

    access: NodeId
    ranks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Digits with their roles, how axes are made of them, who leads, and how sums are formed.

    ``dots`` are the reductions done as matrix products. ``early`` are the reductions whose
    register digits are merged in every iteration (others keep a state a register until the loop
    ends). Reductions take coordinates of the register digits ``turns`` one after the other, each in
    a loop of its own; what else varies over them is computed for all together. ``stages`` bounds
    iterations in flight and ``unroll`` says how many are written out, in innermost loops;
    ``threads`` is the size of a program.

    A schedule may count on sizes: ``ones`` are 1, ``multiples`` are positive multiples of a power
    of two. Its kernel then runs only at such sizes (see :class:`hastec.ir.kernel.Requirement`).
    """

    digits: tuple[Digit, ...]
    axes: tuple[Axis, ...]
    leads: tuple[Lead, ...] = ()
    dots: tuple[NodeId, ...] = ()
    early: tuple[NodeId, ...] = ()
    stages: int = 1
    threads: int = 128
    unroll: int = 1
    ones: tuple[str, ...] = ()
    multiples: tuple[tuple[str, int], ...] = ()
    turns: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        """How many iterations of an innermost loop are in flight together."""
        return self.unroll if self.stages <= 2 else self.stages - 1

    def axis(self, name: str) -> Axis | None:
        """Return the axis called ``name``, if the schedule spreads it."""
        return next((a for a in self.axes if a.name == name), None)

    def digit(self, name: str) -> Digit:
        """Return the digit called ``name``."""
        return next(d for d in self.digits if d.name == name)
