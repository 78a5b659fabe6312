"""Parts of generated programs: ranks in scope, and monoids whose order matters."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.graph import Monoid


@dataclass(frozen=True)
class Loop:
    """A rank in scope and the size its coordinates stay below."""

    rank: str
    size: str


Scope = tuple[Loop, ...]


def ranks_of(scope: Scope) -> tuple[str, ...]:
    """The names of the ranks in scope."""
    return tuple(loop.rank for loop in scope)


RECUR = Monoid(
    "recur",
    ("g", "x"),
    ("p", "h"),
    one=(("param", "g"), ("param", "x")),
    none=(("const", 1), ("const", 0)),
    merge=(
        ("mul", ("state", "a", "p"), ("state", "b", "p")),
        ("add", ("mul", ("state", "a", "h"), ("state", "b", "p")), ("state", "b", "h")),
    ),
    give=("field", "h"),
)
"""A linear recurrence: the order of its elements matters."""

LAST = Monoid(
    "last",
    ("x",),
    ("v", "n"),
    one=(("param", "x"), ("const", 1)),
    none=(("const", 0), ("const", 0)),
    merge=(
        (
            "where",
            ("gt", ("state", "b", "n"), ("const", 0)),
            ("state", "b", "v"),
            ("state", "a", "v"),
        ),
        ("add", ("state", "a", "n"), ("state", "b", "n")),
    ),
    give=("add", ("mul", ("field", "v"), ("const", 2)), ("field", "n")),
)
"""The last element and how many there were: it does not commute either."""
