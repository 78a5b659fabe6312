"""Schedules as text: what a lock file and a tuning record store.

The text is one line, clauses separated by ``;``. Clauses that state a default are left out::

    threads 128; stages 2; digit m: grid; digit n: reg 16; axis n = n; axis m = 4*m0 + m1;
    turn n; lead 12 over m, k; dots 5, 6; early 7; one N; multiple K of 128
"""

from __future__ import annotations

from hastec.diag import HasteError
from hastec.ir.kernel import Digit
from hastec.ir.kernel_read import read_digit
from hastec.ir.kernel_show import show_digit
from hastec.ir.lex import Cursor, quoted
from hastec.ir.schedule import Axis, Lead, Schedule

TWICE, WORD = "HST7301", "HST7302"
"""Codes: a clause that may occur once occurs again, an unknown clause."""


def show_schedule(schedule: Schedule) -> str:
    """Return a schedule as one line that :func:`read_schedule` reads back as an equal one."""
    clauses = [f"threads {schedule.threads}"]
    clauses += [f"stages {schedule.stages}"] if schedule.stages != 1 else []
    clauses += [f"unroll {schedule.unroll}"] if schedule.unroll != 1 else []
    clauses += [f"digit {show_digit(d)}" for d in schedule.digits]
    clauses += [f"axis {_axis(a)}" for a in schedule.axes]
    clauses += [f"turn {quoted(name)}" for name in schedule.turns]
    clauses += [_lead(lead) for lead in schedule.leads]
    clauses += [f"dots {_numbers(schedule.dots)}"] if schedule.dots else []
    clauses += [f"early {_numbers(schedule.early)}"] if schedule.early else []
    clauses += [f"one {quoted(name)}" for name in schedule.ones]
    clauses += [f"multiple {quoted(name)} of {by}" for name, by in schedule.multiples]
    return "; ".join(clauses)


def _axis(axis: Axis) -> str:
    terms = (f"{s}*{quoted(d)}" if s != 1 else quoted(d) for d, s in axis.digits)
    return f"{quoted(axis.name)} = {' + '.join(terms) or '0'}{' exact' if axis.exact else ''}"


def _lead(lead: Lead) -> str:
    ranks = f" over {', '.join(quoted(r) for r in lead.ranks)}" if lead.ranks else ""
    return f"lead {lead.access}{ranks}"


def _numbers(numbers: tuple[int, ...]) -> str:
    return ", ".join(str(n) for n in numbers)


def read_schedule(text: str, name: str = "<schedule>") -> Schedule:
    """Return the schedule ``text`` describes; ``HasteError`` with a span if it describes none.

    Line breaks count as spaces, so a long line may be wrapped.
    """
    reader = _Reader(Cursor(text.replace("\n", " "), name))
    try:
        return reader.read()
    except HasteError as error:
        raise error.at(reader.cursor.source) from None


class _Reader:
    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.digits: list[Digit] = []
        self.axes: list[Axis] = []
        self.leads: list[Lead] = []
        self.ones: list[str] = []
        self.multiples: list[tuple[str, int]] = []
        self.turns: list[str] = []
        self.once: dict[str, tuple[int, ...]] = {}

    def read(self) -> Schedule:
        """Read clauses up to the end."""
        self._clause()
        while self.cursor.peek.kind != "end":
            self.cursor.expect(";")
            self._clause()
        once = self.once
        return Schedule(
            tuple(self.digits),
            tuple(self.axes),
            tuple(self.leads),
            once.get("dots", ()),
            once.get("early", ()),
            once.get("stages", (1,))[0],
            once.get("threads", (128,))[0],
            once.get("unroll", (1,))[0],
            tuple(self.ones),
            tuple(self.multiples),
            tuple(self.turns),
        )

    def _clause(self) -> None:
        token = self.cursor.kind("name", "a clause")
        match token.text:
            case "digit":
                self.digits.append(read_digit(self.cursor))
            case "axis":
                self.axes.append(self._axis())
            case "lead":
                self.leads.append(self._lead())
            case "one":
                self.ones.append(self.cursor.name("a size"))
            case "turn":
                self.turns.append(self.cursor.name("a digit"))
            case "multiple":
                self.multiples.append(self._multiple())
            case "threads" | "stages" | "unroll" | "dots" | "early" as word:
                if word in self.once:
                    self.cursor.fail(TWICE, f"`{word}` is stated twice", token)
                self.once[word] = self._numbers(word in ("dots", "early"))
            case _:
                self.cursor.fail(WORD, f"no clause of a schedule: {token}", token)

    def _multiple(self) -> tuple[str, int]:
        name = self.cursor.name("a size")
        self.cursor.expect("of")
        return name, self.cursor.integer()

    def _axis(self) -> Axis:
        cursor = self.cursor
        name = cursor.name("an axis")
        cursor.expect("=")
        if cursor.peek.text == "0":
            cursor.next()
            return Axis(name, (), cursor.accept("exact"))
        digits = [self._term()]
        while cursor.accept("+"):
            digits.append(self._term())
        return Axis(name, tuple(digits), cursor.accept("exact"))

    def _term(self) -> tuple[str, int]:
        cursor = self.cursor
        stride = 1
        if cursor.peek.kind == "number" or cursor.at("-"):
            stride = cursor.integer()
            cursor.expect("*")
        return cursor.name("a digit"), stride

    def _lead(self) -> Lead:
        cursor = self.cursor
        access = cursor.integer()
        ranks: list[str] = []
        if cursor.accept("over"):
            ranks.append(cursor.name("a rank"))
            while cursor.accept(","):
                ranks.append(cursor.name("a rank"))
        return Lead(access, tuple(ranks))

    def _numbers(self, several: bool) -> tuple[int, ...]:
        found = [self.cursor.integer()]
        while several and self.cursor.accept(","):
            found.append(self.cursor.integer())
        return tuple(found)
