"""Sizes as formulas people read, and comparisons proven for every size: the only user of sympy."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from hastec.sym.size import Divided, Monomial, Name, Size

if TYPE_CHECKING:
    import sympy

MAX_TERMS = 200
"""Comparisons of larger polynomials are not attempted."""
MAX_CUTS = 6
"""How many quotients and remainders a proof may bound, one after another."""


def to_sympy(size: Size, least: int = 0) -> sympy.Expr:
    """Return ``size`` as a sympy expression over integer symbols that are at least ``least``.

    Built node by node: no text is ever parsed. Only ``least`` 0 and 1 tell sympy something.
    """
    import sympy

    total = sympy.Integer(0)
    for monomial, c in size.terms:
        term = sympy.Integer(c)
        for atom in monomial:
            match atom:
                case Name(name):
                    positive = {"positive": True} if least >= 1 else {"nonnegative": True}
                    term *= sympy.Symbol(name, integer=True, **positive)
                case Divided("/", left, right):
                    term *= sympy.floor(to_sympy(left, least) / to_sympy(right, least))
                case Divided(_, left, right):
                    term *= sympy.Mod(to_sympy(left, least), to_sympy(right, least))
        total += term
    return total


def pretty(size: Size) -> str:
    """Return ``size`` factored as people write it, such as ``2 * D * (L + 1)``; as it is without
    sympy.
    """
    if len(size.terms) < 2 or len(size.terms) > MAX_TERMS or find_spec("sympy") is None:
        return str(size)
    import sympy

    shown = str(sympy.factor_terms(to_sympy(size)))
    return shown.replace("**", "^").replace("*", " * ")


def always_le(a: Size, b: Size, least: int = 0) -> bool:
    """Return whether ``a <= b`` is proven for all sizes that are at least ``least`` (0 or more).

    False means "not proven". The proof is bounded: quotients and remainders by positive constants
    are replaced by their bounds, then every coefficient must be nonnegative.
    """
    return _nonnegative(b - a, least, MAX_CUTS)


def always_lt(a: Size, b: Size, least: int = 0) -> bool:
    """Return whether ``a < b`` is proven for all sizes that are at least ``least``."""
    return always_le(a + 1, b, least)


def _nonnegative(size: Size, least: int, cuts: int) -> bool:
    if len(size.terms) > MAX_TERMS:
        return False
    shifted = _shift(size, least)
    if all(c >= 0 and _atoms_nonnegative(m, least) for m, c in shifted.terms):
        return True
    return cuts > 0 and any(_nonnegative(s, least, cuts - 1) for s in _bounded(size))


def _shift(size: Size, least: int) -> Size:
    """Write every name as ``least`` plus what it exceeds it by; quotients stay as they are."""
    total = Size()
    for monomial, c in size.terms:
        term = Size.of(c)
        for atom in monomial:
            plain = isinstance(atom, Name)
            term = term * (Size((((atom,), 1),)) + (least if plain else 0))
        total = total + term
    return total


def _atoms_nonnegative(monomial: Monomial, least: int) -> bool:
    return all(isinstance(a, Name) or _divided_nonnegative(a, least) for a in monomial)


def _divided_nonnegative(atom: Divided, least: int) -> bool:
    divisor = atom.right.constant
    if divisor is None or divisor <= 0:
        return False
    return atom.op == "%" or _nonnegative(atom.left, least, 1)


def _bounded(size: Size) -> tuple[Size, ...]:
    """Return a size without the first quotient or remainder: if it is nonnegative, so is ``size``.

    With r = x % n: 0 <= r <= n - 1. With q = x // n and whole numbers s: q + s >= 0 if and only
    if x + n s >= 0, and s - q >= 0 if and only if n s + n - 1 - x >= 0. If the factor of q does
    not divide the rest, (x - n + 1) / n <= q <= x / n is used.
    """
    for monomial, c in size.terms:
        if len(monomial) != 1 or not isinstance(monomial[0], Divided):
            continue
        atom = monomial[0]
        n = atom.right.constant
        if n is not None and n > 0:
            rest = size - Size(((monomial, c),))
            return (_without(atom, n, c, rest),)
    return ()


def _without(atom: Divided, n: int, c: int, rest: Size) -> Size:
    x, up = atom.left, c > 0
    if atom.op == "%":
        return rest if up else rest + c * (n - 1)
    whole = _share(rest, abs(c))
    if whole is None:
        return rest * n + (x - (n - 1 if up else 0)) * c
    return x + whole * n if up else whole * n + (n - 1) - x


def _share(size: Size, c: int) -> Size | None:
    """Return ``size / c`` if that is a whole number for every size."""
    if any(k % c for _, k in size.terms):
        return None
    return Size(tuple((monomial, k // c) for monomial, k in size.terms))
