"""Small numbers that share a word become 16-bit floats two at a time.

A word of ``8 x 4`` bits holds pairs of parts half a word apart: one mask and one ``or`` give both
halves of a pair the exponent of 1024, and packed arithmetic takes that away again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hastec.backends.triton.lines import Lines
from hastec.backends.triton.physical import Lanes, Shape
from hastec.backends.triton.text import Expr, call, listed
from hastec.ir.index import ValueId
from hastec.ir.kernel import Apply, Const, Coord, Kernel, Value, arguments
from hastec.ir.types import F16, I32

WORD = 32
"""Bits of a word."""
WIDEST = 8
"""Bits of a part that fit beside the exponent of 1024."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """A conversion of all parts of ``word`` along one digit: ``(part ^ flip) - less``.

    ``inner`` are the values on the way, which nothing else uses.
    """

    word: ValueId
    digit: str
    bits: int
    flip: int
    less: int
    inner: frozenset[ValueId]


def pairs_of(kernel: Kernel) -> dict[ValueId, Pairs]:
    """Return the conversions of a kernel that can be made in pairs, by value."""
    values = kernel.values()
    uses = Counter(a for v in values.values() for a in arguments(v.op))
    found = {}
    for value in values.values():
        if value.dtype == F16 and isinstance(value.op, Apply) and value.op.fn == "cast":
            made = _chain(kernel, values, value.op.args[0])
            if made is not None and all(uses[v] == 1 for v in made.inner):
                found[value.id] = made
    return found


def _chain(kernel: Kernel, values: Mapping[ValueId, Value], start: ValueId) -> Pairs | None:
    """Return what a converted integer is made of, if it is a part of a word."""
    at, inner = values[start], {start}
    numbers = {"sub": 0, "bitxor": 0, "bitand": 0}
    for fn in numbers:
        if isinstance(at.op, Apply) and at.op.fn == fn:
            left, right = (values[a] for a in at.op.args)
            if not isinstance(right.op, Const):
                return None
            numbers[fn] = int(right.op.value)
            at = left
            inner.add(at.id)
    bits = numbers["bitand"].bit_length()
    if not isinstance(at.op, Apply) or at.op.fn != "shr" or not 0 < bits <= WIDEST:
        return None
    word, shift = (values[a] for a in at.op.args)
    digit = _digit(values, shift, bits)
    if word.dtype != I32 or numbers["bitand"] != (1 << bits) - 1 or digit in ("", *word.digits):
        return None
    d = kernel.digit(digit)
    if (
        d.role not in ("reg", "block")
        or (d.extent or 0) * bits != WORD
        or not set(at.digits) > set(word.digits)
    ):
        return None
    return Pairs(word.id, digit, bits, numbers["bitxor"], numbers["sub"], frozenset(inner))


def _digit(values: Mapping[ValueId, Value], shift: Value, bits: int) -> str:
    """Return the digit whose every coordinate shifts by ``bits`` more, or ""."""
    op = shift.op
    if not isinstance(op, Apply) or op.fn != "mul":
        return ""
    at, by = (values[a].op for a in op.args)
    whole = isinstance(at, Coord) and isinstance(by, Const) and by.value == bits
    return at.digit if whole and isinstance(at, Coord) else ""


def expression(w: Lines, value: Value, made: Pairs, lanes: Lanes) -> Expr:
    """Return all parts as floats, on ``lanes``."""
    shape = w.plan.shape_of(value.digits, lanes)
    order = _entries(w, shape)
    outer = tuple(e for e in order if e != (made.digit,))
    word = w.broadcast(w.plan.values[made.word], outer, lanes)
    more = (WORD // made.bits).bit_length() - 1
    helper = "_pairs" if w.popc else "_pairs_anywhere"
    w.helpers[helper] = None
    parts = call(helper, word, made.bits, WORD // made.bits, made.flip, made.less)
    # The pair's halves are the slowest of the new places, shifts by one part the fastest.
    fresh = [len(outer) + n for n in reversed(range(more))]
    places: list[int] = []
    for entry in order:
        places += fresh if entry == (made.digit,) else [outer.index(entry)]
    turned = call("tl.permute", parts, listed(places))
    return w.plan.reshaped(turned, shape)


def _entries(w: Lines, shape: Shape) -> Shape:
    """Return a shape with a dimension for every register digit, and one for threads together."""
    found: list[tuple[str, ...]] = []
    for dim in shape:
        threads = tuple(d for d in dim if w.plan.digits[d].role == "thread")
        found += [(d,) for d in dim if d not in threads]
        found += [threads] if threads else []
    return tuple(found)
