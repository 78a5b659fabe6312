"""What a command answers: text for people, data for programs, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hastec.diag import Diagnostic, HasteError, Note, Source, Span

Data: TypeAlias = Mapping[str, object]
"""What ``--json`` prints: strings, numbers, truth values, lists and mappings of such."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic with the text it points into."""

    diagnostic: Diagnostic
    source: Source | None = None

    @property
    def fatal(self) -> bool:
        """Whether it makes a command fail."""
        return self.diagnostic.severity == "error"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answers; it failed if one of its problems is an error."""

    text: str = ""
    data: Data = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the command failed."""
        return any(p.fatal for p in self.problems)


def problems_of(error: HasteError) -> tuple[Problem, ...]:
    """Return what an error tells."""
    return tuple(Problem(d, error.source) for d in error.diagnostics)


def problem_data(problem: Problem) -> Data:
    """Return a problem as data: code, severity, message, help, and where it is."""
    told = problem.diagnostic
    found: dict[str, object] = {
        "code": told.code,
        "severity": told.severity,
        "message": told.message,
        "help": told.help,
        "file": problem.source.name if problem.source else "",
        **_place(told.span),
    }
    found["notes"] = [_note(note) for note in told.notes]
    return found


def _note(note: Note) -> Data:
    return {"message": note.message, **_place(note.span)}


def _place(span: Span | None) -> dict[str, object]:
    """Return where a span begins and ends; lines and columns count from 1, the end excluded."""
    if span is None:
        return {}
    return {
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
