"""Diagnostics as text: ``file:line:col: error[CODE]: message``, the line, carets, notes, help."""

from __future__ import annotations

from collections.abc import Iterable

from hastec.diag.diagnostic import Diagnostic
from hastec.diag.span import Source, Span


def render_all(diagnostics: Iterable[Diagnostic], source: Source | None) -> str:
    """Return all diagnostics as text, a blank line between them."""
    return "\n\n".join(render(d, source) for d in diagnostics)


def render(diagnostic: Diagnostic, source: Source | None) -> str:
    """Return one diagnostic as text."""
    head = f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"
    lines = [_place(diagnostic.span, source) + head]
    lines += _excerpt(diagnostic.span, source)
    for note in diagnostic.notes:
        lines.append(f"  {_place(note.span, source)}note: {note.message}")
        lines += _excerpt(note.span, source)
    if diagnostic.help:
        lines.append(f"  help: {diagnostic.help}")
    return "\n".join(lines)


def _place(span: Span | None, source: Source | None) -> str:
    name = source.name if source else ""
    if span is None:
        return f"{name}: " if name else ""
    return f"{name or '<text>'}:{span.line}:{span.column}: "


def _excerpt(span: Span | None, source: Source | None) -> list[str]:
    if span is None or source is None:
        return []
    text = source.line(span.line)
    stop = span.end_column if span.end_line == span.line else len(text) + 1
    width = max(1, stop - span.column)
    gutter = f"{span.line:>5} | "
    # Tabs are kept in the margin so that the carets stand under the text they mean.
    margin = "".join("\t" if c == "\t" else " " for c in text[: span.column - 1])
    return [gutter + text, " " * (len(gutter) - 2) + "| " + margin + "^" * width]
