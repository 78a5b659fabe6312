"""Numbers of a few bits, several of them in a 32-bit word, low bits first.

The words of a table hold its positions in the order of their addresses: position ``p`` is in word
``p // n``, where ``n`` numbers share one.
"""

from __future__ import annotations

from hastec.arrays import Array, arange, full, long, put, sum_along
from hastec.ir.kernel import Value
from hastec.ir.types import I32
from hastec.levels.bits import from_word, to_word
from hastec.levels.checking import Checking
from hastec.levels.packing import Packing
from hastec.levels.protocol import Cursor
from hastec.levels.unpacking import Unpacking


def per_word(bits: int) -> int:
    """Return how many numbers share a word."""
    return 32 // bits


def read_code(at: Cursor, name: str, bits: int, mask: Value | None) -> Value:
    """Return the number at a position, 0 or more."""
    k = at.k
    index, lane = k.divide(at.position(len(at.layout.levels) - 1), per_word(bits))
    word = at.load(name, I32, index, mask, hint="word")
    low = k.apply("shr", word, k.value(lane * bits)) if per_word(bits) > 1 else word
    return k.apply("bitand", low, k.const((1 << bits) - 1), hint="code")


def store_codes(at: Packing, name: str, bits: int, codes: Array, rest: Array | int) -> None:
    """Store a number for each entry; others hold ``rest`` (one for all, or each its own)."""
    share, last = per_word(bits), len(at.layout.levels) - 1
    count = at.positions(last)
    words = -(-count // share)
    at.reserve(words, "int32")
    slots = full(words * share, rest if isinstance(rest, int) else 0, "int64", at.like)
    if not isinstance(rest, int):
        put(slots, arange(count, at.like), rest)
    put(slots, at.position(last), long(codes))
    lanes = arange(share, at.like) * bits
    at.arrays[name] = to_word(sum_along(slots.reshape(-1, share) << lanes))


def load_codes(at: Unpacking, name: str, bits: int) -> Array:
    """Return the numbers at all positions, int64."""
    position = at.position(len(at.layout.levels) - 1)
    words = from_word(at.arrays[name][position // per_word(bits)])
    return (words >> (position % per_word(bits) * bits)) & ((1 << bits) - 1)


def check_codes(at: Checking, name: str, bits: int) -> None:
    """Check the type and number of words."""
    count = at.positions(len(at.layout.levels) - 1)
    at.array(name, ("int32",), -(-count // per_word(bits)))
