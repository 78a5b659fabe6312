"""Diagnostics: what a user is told, with a code, a place and one suggestion."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.diag.span import Source, Span


@dataclass(frozen=True, slots=True)
class Note:
    """A second place that explains an error, such as the other of two uses that disagree."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error or warning.

    ``code`` is listed in :mod:`hastec.diag.codes`; ``help`` is the one suggested fix.
    """

    code: str
    message: str
    span: Span | None = None
    help: str = ""
    notes: tuple[Note, ...] = ()
    severity: str = "error"


class HasteError(Exception):
    """Everything a user can cause: one or more diagnostics and the text they point into."""

    def __init__(self, *diagnostics: Diagnostic, source: Source | None = None) -> None:
        super().__init__(*diagnostics)
        self.diagnostics = diagnostics
        self.source = source

    def at(self, source: Source) -> HasteError:
        """Return the same error pointing into ``source`` (kept if one is known already)."""
        return type(self)(*self.diagnostics, source=self.source or source)

    def __str__(self) -> str:
        from hastec.diag.render import render_all  # rendering imports this module

        return render_all(self.diagnostics, self.source)


class InternalError(Exception):
    """A broken promise inside the compiler: never the user's fault."""
