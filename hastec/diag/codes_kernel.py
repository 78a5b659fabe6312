"""Codes of printed kernels (HST72) and printed schedules (HST73)."""

from __future__ import annotations

TABLE: tuple[tuple[str, str, str], ...] = (
    (
        "HST7201",
        "declaration out of place in a printed kernel",
        "Arrays, sizes, digits, the grid, requirements and states are declared before the first "
        "statement.",
    ),
    (
        "HST7202",
        "unknown word in a printed kernel",
        "A role is one of grid, loop, thread, reg and block; an operation is const, size, coord, "
        "address, load, reduce, scan, dot, carried, final, or a scalar function with its operands "
        "in brackets.",
    ),
    (
        "HST7203",
        "unknown element type in a printed kernel",
        "Element types are those of programs, and ptr for addresses.",
    ),
    (
        "HST7301",
        "clause stated twice in a schedule",
        "The clauses threads, stages, unroll, dots and early may occur once each.",
    ),
    (
        "HST7302",
        "unknown clause in a schedule",
        "A schedule is made of the clauses threads, stages, unroll, digit, axis, turn, lead, dots, "
        "early, one and multiple, separated by semicolons.",
    ),
)
