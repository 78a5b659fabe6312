"""Symbolic sizes: integer polynomials over size names, with floor division and remainder as atoms.

A :class:`Size` is kept in one normal form, so two sizes that are equal as polynomials are equal
as Python values. sympy is not needed for that and is never imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

LIMIT = 2**63 - 1
"""No size of a program may exceed this."""


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A size a call binds, such as ``M``."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Divided:
    """``left // right`` (``op == "/"``) or ``left % right``, where neither could be carried out."""

    op: str
    left: Size
    right: Size

    def __str__(self) -> str:
        return f"{_tight(self.left)} {self.op} {_tight(self.right)}"


Atom: TypeAlias = Name | Divided
Monomial: TypeAlias = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """``sum of coefficient * product of atoms``; terms sorted, no zero coefficient."""

    terms: tuple[tuple[Monomial, int], ...] = ()

    @staticmethod
    def of(value: int | str | Size) -> Size:
        """Return ``value`` as a size: an integer, the name of a size, or a size already."""
        match value:
            case Size():
                return value
            case int():
                return Size((((), value),)) if value else Size()
            case str():
                return Size((((Name(value),), 1),))

    @property
    def constant(self) -> int | None:
        """The value, if this is a number."""
        if not self.terms:
            return 0
        if len(self.terms) == 1 and not self.terms[0][0]:
            return self.terms[0][1]
        return None

    def __add__(self, other: Size | int) -> Size:
        return _collect((*self.terms, *Size.of(other).terms))

    def __neg__(self) -> Size:
        return Size(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: Size | int) -> Size:
        return self + (-Size.of(other))

    def __mul__(self, other: Size | int) -> Size:
        pairs = ((a, b) for a in self.terms for b in Size.of(other).terms)
        return _collect((_product(a, b), x * y) for (a, x), (b, y) in pairs)

    def __floordiv__(self, other: Size | int) -> Size:
        return _divide("/", self, Size.of(other))

    def __mod__(self, other: Size | int) -> Size:
        return _divide("%", self, Size.of(other))

    def names(self) -> tuple[str, ...]:
        """Return the size names this depends on, sorted."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom in monomial:
                match atom:
                    case Name(name):
                        found.add(name)
                    case Divided(_, left, right):
                        found.update(left.names(), right.names())
        return tuple(sorted(found))

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """Return the value under ``sizes``; KeyError names the first size that is missing."""
        return sum(c * _value(monomial, sizes) for monomial, c in self.terms)

    def solve(self, value: int, sizes: Mapping[str, int]) -> tuple[str, int] | None:
        """Find the one size name missing from ``sizes`` such that this equals ``value``.

        Only a name that occurs linearly can be found. Returns None if nothing, or more than one
        name, is missing, or if no natural number fits.
        """
        missing = [n for n in self.names() if n not in sizes]
        if len(missing) != 1:
            return None
        name = missing[0]
        rest, slope = 0, 0
        for monomial, c in self.terms:
            mine = [a for a in monomial if name in _atom_names(a)]
            if not mine:
                rest += c * _value(monomial, sizes)
            elif mine == [Name(name)]:
                others = tuple(a for a in monomial if a != Name(name))
                slope += c * _value(others, sizes)
            else:
                return None
        if slope == 0 or (value - rest) % slope or (value - rest) // slope < 0:
            return None
        return name, (value - rest) // slope

    def substitute(self, sizes: Mapping[str, Size]) -> Size:
        """Return this with names replaced by sizes."""
        total = Size()
        for monomial, c in self.terms:
            factors = (_substitute(atom, sizes) for atom in monomial)
            total = total + reduce(Size.__mul__, factors, Size.of(c))
        return total

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        text = ""
        for monomial, c in self.terms:
            sign = " - " if c < 0 else " + "
            text += (sign if text else ("-" if c < 0 else "")) + _show_term(monomial, abs(c))
        return text


def _show_term(monomial: Monomial, c: int) -> str:
    parts = [str(c)] if c != 1 or not monomial else []
    alone = len(monomial) + len(parts) == 1
    for atom in monomial:
        parts.append(str(atom) if alone or isinstance(atom, Name) else f"({atom})")
    return " * ".join(parts)


def _tight(size: Size) -> str:
    text = str(size)
    return f"({text})" if " " in text or text.startswith("-") else text


def _key(atom: Atom) -> tuple[int, str]:
    return (0 if isinstance(atom, Name) else 1, str(atom))


def _product(left: Monomial, right: Monomial) -> Monomial:
    return tuple(sorted((*left, *right), key=_key))


def _collect(terms: Iterable[tuple[Monomial, int]]) -> Size:
    total: dict[Monomial, int] = {}
    for monomial, c in terms:
        total[monomial] = total.get(monomial, 0) + c
    kept = [(m, c) for m, c in total.items() if c]
    # Longest products first, the constant last: the order people write.
    kept.sort(key=lambda term: (-len(term[0]), [_key(a) for a in term[0]]))
    return Size(tuple(kept))


def _divide(op: str, left: Size, right: Size) -> Size:
    a, b = left.constant, right.constant
    if b is not None and b > 0:
        if a is not None:
            return Size.of(a // b if op == "/" else a % b)
        if b == 1:
            return left if op == "/" else Size()
        # c * b * x + rest: the multiples leave the division, exactly, since it floors.
        whole = Size(tuple((m, c) for m, c in left.terms if c % b == 0))
        rest = left - whole
        if not rest.terms or (rest.constant is not None and 0 <= rest.constant < b):
            exact = Size(tuple((m, c // b) for m, c in whole.terms))
            return exact if op == "/" else rest
    if left == right and b != 0:
        return Size.of(1) if op == "/" else Size()
    return Size((((Divided(op, left, right),), 1),))


def _value(monomial: Monomial, sizes: Mapping[str, int]) -> int:
    value = 1
    for atom in monomial:
        match atom:
            case Name(name):
                value *= sizes[name]
            case Divided(op, left, right):
                a, b = left.evaluate(sizes), right.evaluate(sizes)
                # By a size that is 0: 0, like every bound of what has no entries.
                value *= 0 if b == 0 else a // b if op == "/" else a % b
    return value


def _atom_names(atom: Atom) -> tuple[str, ...]:
    return (atom.name,) if isinstance(atom, Name) else (*atom.left.names(), *atom.right.names())


def _substitute(atom: Atom, sizes: Mapping[str, Size]) -> Size:
    match atom:
        case Name(name):
            return sizes.get(name, Size.of(name))
        case Divided(op, left, right):
            return _divide(op, left.substitute(sizes), right.substitute(sizes))
