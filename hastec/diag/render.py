"""Diagnostics as text: ``file:line:col: error[CODE]: message``, the line, carets, notes, help."""

from __future__ import annotations

from collections.abc import Iterable

from hastec.diag.diagnostic import Diagnostic
from hastec.diag.span import Source, Span

WIDEST = 160
"""Columns of the longest line that is shown whole."""


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
    text, start, width = _clipped(text, span.column - 1, max(1, stop - span.column))
    gutter = f"{span.line:>5} | "
    # Tabs are kept in the margin so that the carets stand under the text they mean.
    margin = "".join("\t" if c == "\t" else " " for c in text[:start])
    return [gutter + text, " " * (len(gutter) - 2) + "| " + margin + "^" * width]


def _clipped(text: str, start: int, width: int) -> tuple[str, int, int]:
    """Return a line, where its marked part starts and how wide it is; of a long line, a window."""
    if len(text) <= WIDEST:
        return text, start, width
    left = max(0, min(start - WIDEST // 4, len(text) - WIDEST))
    right = min(len(text), left + WIDEST)
    shown = text[left:right]
    shown = f"…{shown[1:]}" if left else shown
    shown = f"{shown[:-1]}…" if right < len(text) else shown
    start -= left
    return shown, start, max(1, min(width, len(shown) - start))
