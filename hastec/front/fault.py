"""How the front end reports: coded diagnostics that point into the text."""

from __future__ import annotations

from collections.abc import Iterable

from hastec.diag import Diagnostic, HasteError, Note, Span
from hastec.text import nearest


class Abandon(Exception):
    """A statement cannot be read because of an error that was reported already."""


def fault(code: str, message: str, span: Span, help_: str = "", *notes: Note) -> HasteError:
    """Return an error to raise, with one suggestion and the other places it concerns."""
    return HasteError(Diagnostic(code, message, span, help_, notes))


def meant(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return ``did you mean …?`` if one of ``known`` is near, else ``otherwise``."""
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else otherwise
