"""Small helpers for text that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

MAX_DISTANCE = 2
"""Two edits is what a slip of the keyboard takes; more is another word."""


def listed(items: Iterable[str], last: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    words = list(items)
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(number: int, one: str, many: str = "") -> str:
    """Return ``1 index`` or ``2 indices``; the plural is ``one + "s"`` unless given."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def amount(count: float) -> str:
    """Return a number of bytes: ``640 B``, ``27.4 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"


def duration(seconds: float) -> str:
    """Return a time: ``8.4 us``, ``1.24 ms``, ``3.1 s``."""
    for unit, factor in (("us", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one of ``known`` that ``word`` is most likely a slip of, or "" if none is near.

    Upper and lower case count as the same letter; ties go to the first in order.
    """
    best, least = "", MAX_DISTANCE + 1
    for candidate in known:
        allowed = min(least - 1, (max(len(word), len(candidate)) - 1) // 2)
        found = distance(word.lower(), candidate.lower(), allowed)
        if found <= allowed and candidate != word:
            best, least = candidate, found
    return best


def distance(left: str, right: str, most: int) -> int:
    """Return how many letters must be put in, left out, changed or swapped with their neighbour.

    The count stops at ``most + 1``.
    """
    if abs(len(left) - len(right)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return min(row[-1], most + 1)


class Lines:
    """Collects indented lines of text."""

    def __init__(self, step: str = "    ") -> None:
        self.step = step
        self.depth = 0
        self.lines: list[str] = []

    def add(self, *lines: str) -> None:
        """Append lines at the current depth; an empty line stays empty."""
        self.lines.extend(self.step * self.depth + line if line else "" for line in lines)

    @contextmanager
    def indented(self) -> Iterator[None]:
        """Put what is added inside one step deeper."""
        self.depth += 1
        yield
        self.depth -= 1

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)
