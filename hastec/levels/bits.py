"""Bits of 64-bit integers, and the 32-bit words they are stored in."""

from __future__ import annotations

from hastec.arrays import Array, array, cast, long, tensor, torch_module, where


def bit_at(place: Array) -> Array:
    """Return 2 to the power of each element, 0 … 62; int64."""
    return array(torch_module().ones_like(tensor(place)) << place)


def set_bits(words: Array) -> Array:
    """Return how many of the low 32 bits of each int64 are set."""
    x = words & 0xFFFFFFFF
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    return ((x * 0x01010101) & 0xFFFFFFFF) >> 24


def to_word(x: Array) -> Array:
    """Return the low 32 bits of each int64 as an int32 (the top bit becomes the sign)."""
    low = x & 0xFFFFFFFF
    return cast(where(low > 0x7FFFFFFF, low - (1 << 32), low), "int32")


def from_word(x: Array) -> Array:
    """Return int32 words as int64 without their sign: 0 … 2^32 - 1."""
    return long(x) & 0xFFFFFFFF
