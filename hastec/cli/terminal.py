"""The terminal: answers on standard output, problems on standard error, colours where they help."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from dataclasses import dataclass
from typing import TextIO

from hastec.cli.answer import Answer, Problem, problem_data
from hastec.diag import HasteError
from hastec.diag.render import render

RED, YELLOW, CYAN, BOLD = "31", "33", "36", "1"
_HEAD = re.compile(r"(error|warning|note)(\[HST\d{4}\])?: ")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command writes; ``coloured`` says whether standard error shows colours."""

    out: TextIO
    err: TextIO
    coloured: bool = False

    def show(self, answer: Answer, as_json: bool) -> None:
        """Print an answer: as one JSON value on standard output, or text and problems apart."""
        if as_json:
            found = [problem_data(p) for p in answer.problems]
            whole = {"ok": not answer.failed, **answer.data, "problems": found}
            print(json.dumps(whole, indent=2, ensure_ascii=True), file=self.out)
            return
        if answer.text:
            print(answer.text.rstrip("\n"), file=self.out)
        # Text that explains a problem comes before it where both streams meet.
        self.out.flush()
        for problem in answer.problems:
            print(self.painted(problem), file=self.err)

    def painted(self, problem: Problem) -> str:
        """Return a problem as text, coloured if this terminal is."""
        text = render(problem.diagnostic, problem.source)
        if not self.coloured:
            return text
        ink = RED if problem.fatal else YELLOW
        return "\n".join(_paint(line, ink) for line in text.split("\n"))

    def say(self, line: str) -> None:
        """Print one line on standard error, at once."""
        print(line, file=self.err, flush=True)


def _paint(line: str, ink: str) -> str:
    head = _HEAD.search(line)
    if head is not None:
        word = _ink(head.group().rstrip(": "), CYAN if head[1] == "note" else ink)
        return f"{line[: head.start()]}{word}: {_ink(line[head.end() :], BOLD)}"
    if line.startswith("  help: "):
        return f"  {_ink('help', CYAN)}: {line[8:]}"
    margin, bar, rest = line.partition("| ")
    if bar and not margin.strip() and rest.strip().strip("^") == "":
        return f"{margin}{bar}{_ink(rest, ink)}"
    return line


def _ink(text: str, ink: str) -> str:
    return f"\x1b[{ink}m{text}\x1b[0m"


def terminal() -> Terminal:
    """Return this process's terminal: coloured if it is one and nobody said otherwise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A letter that the terminal does not know is no reason to stop.
            stream.reconfigure(errors="replace")
    return Terminal(sys.stdout, sys.stderr, sys.stderr.isatty() and _wants_colour())


def _wants_colour() -> bool:
    from hastec.options import Options  # only asked on a terminal

    with contextlib.suppress(HasteError):  # a bad setting is told by what reads it
        return Options.from_environment().color
    return False
