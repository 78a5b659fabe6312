"""Bisection in an ascending fibre."""

from __future__ import annotations

from typing import Protocol

from hastec.ir.index import Form
from hastec.ir.kernel import Digit, Value
from hastec.ir.types import BOOL
from hastec.levels.protocol import Cursor, IndexCode


class _Searched(Protocol):
    @property
    def number(self) -> int: ...

    @property
    def index(self) -> IndexCode: ...

    def place(self, at: Cursor, ordinal: Form) -> None: ...


def bisect(level: _Searched, at: Cursor, coord: Form, length: Value, after: bool) -> Value:
    """Return the number of coordinates of the fibre below ``coord`` (``after``: not above it)."""
    k, n = at.k, level.number
    digit = f"search_{at.layout.table}_{n}"
    k.digits.setdefault(digit, Digit(digit, "loop"))
    k.order.setdefault(digit, len(k.order))
    target = k.value(coord)
    varies = _spread(at, k.digits_of(target, length, k.value(at.starts.get(n, Form.of(0)))))
    with k.loop(digit, k.const(0), at.number(f"{n}.halvings")) as loop:
        lo = k.carry(loop, k.const(0), varies, hint="lo")
        hi = k.carry(loop, k.cast(length, lo.dtype), varies, hint="hi")
        middle = k.apply("shr", k.apply("add", lo, hi), k.const(1), hint="middle")
        open_ = k.apply("lt", lo, hi)
        probe = at.copy()
        level.place(probe, k.form(middle))
        found, _ = level.index.read(probe, n, f"{n}.crd", open_)
        below = k.apply("le" if after else "lt", k.value(found), target)
        right = k.conj([open_, below])
        left = k.conj([open_, k.apply("not", below)])
        assert right is not None and left is not None and right.dtype == BOOL
        k.update(loop, hi, k.apply("where", left, middle, hi))
        final = k.update(loop, lo, k.apply("where", right, k.apply("add", middle, k.const(1)), lo))
    return final


def _spread(at: Cursor, digits: tuple[str, ...]) -> tuple[str, ...]:
    """Return the digits a search varies over: those given, and those of masks its reads take on."""
    found = dict.fromkeys(digits)
    for _ in at.masks:
        for mask in at.masks:
            if set(mask.digits) & set(found):
                found.update(dict.fromkeys(mask.digits))
    return tuple(found)
