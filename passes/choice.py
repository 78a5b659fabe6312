"""Choices made beforehand: formats and a schedule a region, as tuning found them.

As text, a choice is what a tuning record and a lock file hold: a line for each format it settles,
then the schedule::

    format W: csr(i, j) = (dense(i), compressed(j) index u16)
    threads 1; digit m_prog: grid; …
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from hastec.cost import Facts, count, price
from hastec.diag import HasteError
from hastec.ir.format import Format
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.lex import Cursor, quoted
from hastec.ir.read_format import read_format
from hastec.ir.schedule import Schedule
from hastec.ir.schedule_text import read_schedule, show_schedule
from hastec.ir.show import show_format
from hastec.lower import Refused, Work, lower
from hastec.lower.space import schedules
from hastec.passes.ranking import Ranked, Ranking, Special
from hastec.target import Target


@dataclass(frozen=True, slots=True)
class RegionChoice:
    """The schedule of a region, and the formats of tables, by name, that it was chosen with.

    Only formats that the compiler may choose are listed.
    """

    formats: tuple[tuple[str, Format], ...]
    schedule: Schedule

    def format_of(self, table: str) -> Format | None:
        """Return the format chosen for a table, None if none is."""
        return dict(self.formats).get(table)

    def __str__(self) -> str:
        return show_choice(self)


Choice: TypeAlias = tuple[tuple[str, RegionChoice], ...]
"""What was chosen for regions, by name; others are left to the model."""

NOTHING: Choice = ()
MOST_OFFERED = 4096
"""Schedules of a region among which a choice is looked for."""


def show_choice(choice: RegionChoice) -> str:
    """Return a region's choice as text that :func:`read_choice` reads back as an equal one."""
    lines = [f"format {quoted(name)}: {show_format(unplaced(f))}" for name, f in choice.formats]
    return "\n".join((*lines, show_schedule(choice.schedule)))


def read_choice(text: str, name: str = "<choice>") -> RegionChoice:
    """Return the choice that ``text`` describes; ``HasteError`` HST7xxx if it describes none."""
    lines = text.split("\n")
    formats = tuple(_format(line, name) for line in lines if line.startswith("format "))
    rest = "\n".join(line for line in lines if not line.startswith("format "))
    return RegionChoice(formats, read_schedule(rest, name))


def _format(line: str, name: str) -> tuple[str, Format]:
    cursor = Cursor(line, name)
    try:
        cursor.expect("format")
        table = cursor.name("a table")
        cursor.expect(":")
        found = read_format(cursor)
        cursor.kind("end", "the end")
    except HasteError as error:
        raise error.at(cursor.source) from None
    return table, found


def unplaced(fmt: Format) -> Format:
    """Return a format without the order of its positions, which follows from the rest."""
    return replace(fmt, parts=tuple(replace(part, order=()) for part in fmt.parts))


def only(
    work: Work,
    schedule: Schedule,
    target: Target,
    facts: Facts,
    sizes: Mapping[str, int],
    refuse: Callable[[Kernel, Target], str] | None = None,
    wide: bool = False,
) -> Ranking:
    """Return a ranking of this one schedule: empty, with the reason, if it cannot be used.

    Text from a file may say anything, so only what the compiler would offer itself is taken.
    """
    special = Special.of(work, sizes)
    offered = schedules(work.with_ones(special.ones), target, sizes, MOST_OFFERED)
    if schedule not in {special.schedule(plain) for plain in offered}:
        return Ranking((), (("it is not among the schedules for this program and target", 1),))
    try:
        kernel = lower(work, schedule, wide)
    except Refused as reason:
        return Ranking((), ((str(reason), 1),))
    why = refuse(kernel, target) if refuse else ""
    if why:
        return Ranking((), ((why, 1),))
    verify_kernel(kernel)
    counted = count(kernel, target, facts)
    found = Ranked(schedule, kernel, counted, price(counted, target, schedule.depth))
    return Ranking((found,), ())
