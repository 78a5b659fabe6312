"""Spans, coded diagnostics and their rendering."""

from hastec.diag.diagnostic import Diagnostic, HasteError, InternalError, Note
from hastec.diag.span import Source, Span

__all__ = ["Diagnostic", "HasteError", "InternalError", "Note", "Source", "Span"]
