"""Codes of the graph interpreter (HST49) and of printed graphs (HST70)."""

from __future__ import annotations

TABLE: tuple[tuple[str, str, str], ...] = (
    (
        "HST4901",
        "access out of range",
        "An entry that is needed is read or written outside its table, or a range ends beyond the "
        "size that bounds it. Accesses that no range, condition or pattern asks for are never "
        "made, so a condition such as `id[n] >= 0` is enough.",
    ),
    (
        "HST4902",
        "place written twice",
        "An update writes one entry for two coordinates. Which of them would win depends on the "
        "order of execution, so the program must say it: reduce first, or make the places differ.",
    ),
    (
        "HST4903",
        "too big to interpret",
        "The interpreter spells out every intermediate value over all of its indices. It is for "
        "checking small instances of a program.",
    ),
    (
        "HST4904",
        "integer divided by zero",
        "A quotient or remainder of integers that is needed has a divisor of 0. Divisions of "
        "floats give Inf or NaN instead.",
    ),
    (
        "HST4905",
        "table does not fit its declaration",
        "A table is missing, has another shape than its declaration says, or a size is neither "
        "passed nor shown by a table.",
    ),
    (
        "HST7001",
        "stray character in printed IR",
        "The text of a graph, kernel or schedule holds a character that means nothing there.",
    ),
    (
        "HST7002",
        "unexpected word in printed IR",
        "The text of a graph, kernel or schedule is not in the form in which it is printed.",
    ),
    (
        "HST7003",
        "unknown name in printed IR",
        "The text names a node, type, function or operation that does not exist.",
    ),
    (
        "HST7004",
        "name defined twice in printed IR",
        "The text defines a node or a field of a monoid more than once.",
    ),
    (
        "HST7005",
        "number out of range in printed IR",
        "A number has too many digits or is no integer where one is meant, or a size multiplies "
        "out to too many terms.",
    ),
    (
        "HST7006",
        "brackets too deep in printed IR",
        "Brackets are nested more than 64 deep.",
    ),
)
