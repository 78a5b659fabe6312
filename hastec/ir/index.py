"""Index forms: ``constant + sum of coefficient * value``, with sizes allowed in coefficients.

A form is data about integers that a kernel has not computed yet. Keeping coordinates in this form
until they reach a load lets quotients and remainders by a tile cancel exactly, lets the part that
does not vary be hoisted, and shows which register digit has unit stride.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import TypeAlias

from hastec.sym.size import Atom, Name, Size

ValueId: TypeAlias = int

ZERO = Size()

Interval: TypeAlias = tuple[int, int]
"""Both ends inclusive."""


@dataclass(frozen=True, slots=True)
class Form:
    """``const + sum(coefficient * value)``; terms in order of value id, no zero coefficient."""

    terms: tuple[tuple[ValueId, Size], ...] = ()
    const: Size = ZERO

    @staticmethod
    def of(value: int | Size) -> Form:
        """Return a form without terms."""
        return Form((), Size.of(value))

    @staticmethod
    def value(value: ValueId) -> Form:
        """Return the form that is just a value."""
        return Form(((value, Size.of(1)),))

    def __add__(self, other: Form | int | Size) -> Form:
        right = other if isinstance(other, Form) else Form.of(other)
        return _collect((*self.terms, *right.terms), self.const + right.const)

    def __neg__(self) -> Form:
        return self * -1

    def __sub__(self, other: Form | int | Size) -> Form:
        return self + (-(other if isinstance(other, Form) else Form.of(other)))

    def __mul__(self, factor: int | Size) -> Form:
        scale = Size.of(factor)
        return _collect(((v, c * scale) for v, c in self.terms), self.const * scale)

    @property
    def constant(self) -> int | None:
        """The number this is, if it is one."""
        return None if self.terms else self.const.constant

    @property
    def single(self) -> ValueId | None:
        """The value this is, if it is exactly one value."""
        if len(self.terms) == 1 and not self.const.terms and self.terms[0][1].constant == 1:
            return self.terms[0][0]
        return None

    def coefficient(self, value: ValueId) -> Size:
        """Return the coefficient of ``value`` (0 if it does not occur)."""
        return dict(self.terms).get(value, Size())

    def divide(self, by: int) -> tuple[Form, Form]:
        """Return ``(quotient, rest)`` with ``self == quotient * by + rest``, terms whole.

        Terms whose coefficient is a multiple of ``by`` go to the quotient; the caller decides,
        from intervals, whether the rest lies in ``0 .. by`` or must be divided further.
        """
        whole: list[tuple[ValueId, Size]] = []
        rest: list[tuple[ValueId, Size]] = []
        for value, c in self.terms:
            (whole if content(c) % by == 0 else rest).append((value, c))
        q_const = self.const // by if content(self.const) % by == 0 else _whole_part(self.const, by)
        quotient = Form(tuple((v, _exact(c, by)) for v, c in whole), q_const)
        return quotient, Form(tuple(rest), self.const - q_const * by)

    def interval(self, ranges: Mapping[ValueId, Interval], size: Interval) -> Interval | None:
        """Return bounds of this form, or None if a value has none.

        ``ranges`` bounds values, ``size`` bounds every size name.
        """
        lo, hi = size_interval(self.const, size)
        for value, c in self.terms:
            if value not in ranges:
                return None
            ends = [a * b for a in ranges[value] for b in size_interval(c, size)]
            lo, hi = lo + min(ends), hi + max(ends)
        return lo, hi


def content(size: Size) -> int:
    """Return the greatest integer that divides every coefficient (0 for the size 0)."""
    return gcd(*(abs(c) for _, c in size.terms)) if size.terms else 0


def size_interval(size: Size, bound: Interval) -> Interval:
    """Return bounds of a size expression when every name (a natural number) is in ``bound``."""
    lo = hi = 0
    for monomial, c in size.terms:
        low = high = 1
        for atom in monomial:
            a, b = _atom_interval(atom, bound)
            low, high = low * a, high * b
        lo, hi = (lo + c * low, hi + c * high) if c >= 0 else (lo + c * high, hi + c * low)
    return lo, hi


def _atom_interval(atom: Atom, bound: Interval) -> Interval:
    if isinstance(atom, Name):
        return bound
    lo, hi = size_interval(atom.left, bound)
    by = size_interval(atom.right, bound)
    if atom.op == "%":
        return 0, max(0, min(hi, by[1] - 1))
    return lo // max(1, by[1]), hi // max(1, by[0])


def _collect(terms: Iterable[tuple[ValueId, Size]], const: Size) -> Form:
    total: dict[ValueId, Size] = {}
    for value, c in terms:
        total[value] = total[value] + c if value in total else c
    return Form(tuple(sorted((v, c) for v, c in total.items() if c.terms)), const)


def _exact(size: Size, by: int) -> Size:
    return Size(tuple((m, c // by) for m, c in size.terms))


def _whole_part(size: Size, by: int) -> Size:
    whole = Size()
    for monomial, c in size.terms:
        if c % by == 0:
            whole = whole + Size(((monomial, c // by),))
        elif not monomial:
            whole = whole + Size.of(c // by)
    return whole
