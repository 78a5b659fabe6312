"""The formatter: one way to write a program, with its comments, line breaks and groups kept.

Spaces and indentation are ours; where a line breaks is the writer's, and so is whether the signs
of neighbouring definitions stand in one column. Formatting twice changes nothing, and the text
means the same as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from hastec.diag import Source
from hastec.grammar.logical import VERSION
from hastec.grammar.parser import parse
from hastec.grammar.spacing import MONOID_WORD, Spacing
from hastec.grammar.tokens import Token, scan


@dataclass(slots=True)
class Line:
    """A line to print: code in two parts, the second of which may stand in a column; a comment.

    ``sign_at`` and ``comment_at`` are columns in the source, 0 if there is nothing to align.
    """

    number: int
    head: str
    tail: str = ""
    comment: str = ""
    sign_at: int = 0
    comment_at: int = 0
    blank_before: bool = False

    @property
    def code(self) -> str:
        """The line without its comment."""
        return f"{self.head} {self.tail}" if self.tail else self.head


def fmt(source: Source) -> str:
    """Return ``source`` in the one layout, with ``haste 1`` on its first line.

    Raises ``HasteError`` if it does not parse.
    """
    parse(source)
    lines = list(_lines(source))
    for run in _runs(lines, lambda line: line.sign_at):
        _align_signs(run)
    for run in _runs(lines, lambda line: line.comment_at):
        _align_comments(run)
    text = "".join(f"{line}\n" for line in _printed(lines))
    if any(t.type == "HASTE" for t in scan(source).tokens):
        return text
    return f"haste {VERSION}\n" + ("\n" + text if text else "")


def _lines(source: Source) -> Iterator[Line]:
    spacing = Spacing()
    last = 0
    opens = True
    for row, comment in _rows(source):
        line = _line(row, comment, spacing)
        closes = bool(row) and row[0].type == "RBRACE"
        line.blank_before = line.number > last + 1 and not opens and not closes
        last, opens = line.number, bool(row) and row[-1].type == "LBRACE"
        yield line


def _rows(source: Source) -> Iterator[tuple[list[Token], Token | None]]:
    """Yield what stands on one line: tokens and a comment; a line breaks around braces."""
    found = scan(source)
    comments = {c.line: c for c in found.comments}
    tokens = {
        number: list(group)
        for number, group in groupby(
            (t for t in found.tokens if t.type != "NEWLINE"), key=lambda t: t.line
        )
    }
    for number in sorted(comments.keys() | tokens.keys()):
        row: list[Token] = []
        for token in tokens.get(number, ()):
            if row and (row[-1].type == "LBRACE" or token.type == "RBRACE"):
                yield row, None
                row = []
            row.append(token)
        yield row, comments.get(number)


def _line(row: Sequence[Token], comment: Token | None, spacing: Spacing) -> Line:
    remark = comment.text.rstrip() if comment else ""
    first = row[0] if row else comment
    assert first is not None  # a row has tokens or a comment
    line = Line(first.line, " " * spacing.indent(first))
    if not row:
        line.head += remark
        return line
    line.comment, line.comment_at = remark, comment.column if comment else 0
    starts = not spacing.goes_on
    splits = starts and not spacing.in_monoid
    depth = len(spacing.opened)
    text = ""
    for n, token in enumerate(row):
        text += spacing.gap(token) if n else ""
        if n == 1 and starts and spacing.in_monoid:
            text = text.rstrip().ljust(MONOID_WORD) + " "
        elif splits and token.type in ("EQ", "ASSIGN") and len(spacing.opened) == depth:
            line.head, line.sign_at, text = line.head + text.rstrip(), token.column, ""
            splits = False
        text += token.text
        spacing.read(token, n == 0)
    if line.sign_at:
        line.tail = text
    else:
        line.head += text
    return line


def _runs(lines: Sequence[Line], column: Callable[[Line], int]) -> Iterator[list[Line]]:
    """Yield neighbouring lines that have something in the same column of the source."""
    run: list[Line] = []
    for line in lines:
        joins = run and column(line) == column(run[-1]) and not line.blank_before
        if not joins:
            yield run
            run = []
        if column(line):
            run.append(line)
    yield run


def _align_signs(run: Sequence[Line]) -> None:
    width = max((len(line.head) for line in run), default=0)
    for line in run:
        line.head = line.head.ljust(width)


def _align_comments(run: Sequence[Line]) -> None:
    width = max((len(line.code) for line in run), default=0)
    for line in run:
        gap = " " * (width - len(line.code))
        line.comment = gap + line.comment


def _printed(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        if line.blank_before:
            yield ""
        yield f"{line.code}  {line.comment}" if line.comment else line.code
