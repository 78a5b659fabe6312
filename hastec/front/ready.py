"""Ready formats, and what the options of levels and codes are called: one table of each.

Levels and codes are open sets. What stands here is what the language itself promises; a caller of
:func:`hastec.front.build.build` may add its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

READY = """
format csr(i, j) = dense(i), compressed(j)
format csc(i, j) = dense(j), compressed(i)
format coo(i, j) = compressed(i; unique = 0), singleton(j)
format ell(i, j) = dense(i), fixed(j)
format sell(i, j; c) = dense(i / c), dense(i % c), ragged(j; pad = i / c)
format bsr(i, j; r, c) = dense(i / r), compressed(j / c), dense(i % r), dense(j % c)
format nm(i, j; n, m) = dense(i), dense(j / m), choose(j % m; n)
format bitmap(i, j) = dense(i), bitmap(j)
"""
"""Formats every program knows; a program may declare another of the same name."""

_LEVELS: dict[str, tuple[str, ...]] = {
    "dense": (),
    "compressed": ("unique",),
    "ragged": ("pad",),
    "fixed": ("k",),
    "singleton": (),
    "bitmap": (),
    "choose": ("n",),
    "paged": ("page",),
}
_VALUES: dict[str, tuple[str, ...]] = {
    **{f"int{bits}": ("group", "zero") for bits in range(1, 9)},
    "fp8": ("group",),
    "mx": ("group",),
    "palette": ("bits", "group"),
    "planes": ("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"),
    "huffman": (),
}
_INDEX: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("u8", "u16", "i32", "i64"), ()),
    "delta": ("bits",),
}


@dataclass(frozen=True, slots=True)
class Known:
    """The levels, value codes and index codes there are, each with the names of its options."""

    levels: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType(_LEVELS))
    values: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType(_VALUES))
    index: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType(_INDEX))
