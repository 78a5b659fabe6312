"""Tokens of printed IR, and a cursor over them that reports where a text goes wrong."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NoReturn

from hastec.diag import Diagnostic, HasteError, Source, Span

CHARACTER, UNEXPECTED, UNKNOWN, TWICE, NUMBER, NESTING = (
    "HST7001",
    "HST7002",
    "HST7003",
    "HST7004",
    "HST7005",
    "HST7006",
)
"""Codes of errors in printed IR: a stray character, a wrong word, an unknown or a repeated name,
a number out of range, brackets too deep."""

MAX_DIGITS = 400
MAX_DEPTH = 64

NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*", re.ASCII)
_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r]+)
      | (?P<comment>\#[^\n]*)
      | (?P<newline>\n)
      | (?P<ref>%[0-9]+)
      | (?P<name>[A-Za-z_]\w*(?:\.\w+)*)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
      | (?P<raw>\|[^\n]*)
      | (?P<punct>\.\.|[-{}()\[\]:=,;+*/%<@.])
    """,
    re.VERBOSE | re.ASCII,
)
_SPAN = re.compile(r"#\s*(\d+):(\d+)-(?:(\d+):)?(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (a group of the lexer's pattern, or ``end``), text and place."""

    kind: str
    text: str
    span: Span

    def __str__(self) -> str:
        return {"newline": "the end of the line", "end": "the end"}.get(
            self.kind, f"`{self.text[:40]}`"
        )


def quoted(name: str) -> str:
    """Return ``name`` as it is printed: bare if it is an identifier, else a string."""
    return name if NAME.fullmatch(name) else json.dumps(name)


def string(text: str) -> str:
    """Return any text as a string token."""
    return json.dumps(text)


def show_span(span: Span | None) -> str:
    """Return a trailing comment that :func:`read_span` reads back; empty without a span."""
    if span is None:
        return ""
    line = "" if span.end_line == span.line else f"{span.end_line}:"
    return f"   # {span.line}:{span.column}-{line}{span.end_column}"


def read_span(comment: str) -> Span | None:
    """Return the span a comment states, if it states one."""
    found = _SPAN.match(comment)
    if found is None or max(len(g or "") for g in found.groups()) > 9:
        return None
    line, column, end_line, end_column = (int(g) if g else 0 for g in found.groups())
    return Span(line, column, end_line or line, end_column)


def fail(code: str, message: str, token: Token) -> NoReturn:
    """Raise the error ``code`` at ``token``."""
    raise HasteError(Diagnostic(code, message, token.span))


def tokens(text: str) -> tuple[Token, ...]:
    """Split ``text`` into tokens, the last of which has kind ``end``."""
    found: list[Token] = []
    at, line, start = 0, 1, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        column = at - start + 1
        if match is None:
            fail(CHARACTER, "this character means nothing here", _token("", text[at], line, column))
        kind, word = match.lastgroup or "", match.group()
        if kind != "skip":
            found.append(_token(kind, word, line, column))
        at = match.end()
        if kind == "newline":
            line, start = line + 1, at
    found.append(_token("end", "", line, at - start + 1))
    return tuple(found)


def _token(kind: str, text: str, line: int, column: int) -> Token:
    return Token(kind, text, Span(line, column, line, column + max(1, len(text))))


class Cursor:
    """Reads tokens one by one; every method that finds something else raises ``HasteError``."""

    def __init__(self, text: str, name: str = "<ir>") -> None:
        self.source = Source(name, text)
        try:
            self._tokens = tokens(text)
        except HasteError as error:
            raise error.at(self.source) from None
        self._at = 0
        self._depth = 0
        self.used: dict[int, Token] = {}
        """The node ids met by :meth:`ref`, each with its first place."""

    @property
    def peek(self) -> Token:
        """The next token."""
        return self._tokens[self._at]

    def next(self) -> Token:
        """Take the next token (the last one is never passed)."""
        token = self.peek
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def fail(self, code: str, message: str, token: Token | None = None) -> NoReturn:
        """Raise the error ``code`` at ``token``, by default at the next one."""
        try:
            fail(code, message, token or self.peek)
        except HasteError as error:
            raise error.at(self.source) from None

    def expected(self, what: str) -> NoReturn:
        """Raise: ``what`` was expected and something else was found."""
        self.fail(UNEXPECTED, f"expected {what}, found {self.peek}")

    def at(self, text: str) -> bool:
        """Return whether the next token reads ``text``."""
        return self.peek.text == text and self.peek.kind in ("name", "punct")

    def accept(self, text: str) -> bool:
        """Take the next token if it reads ``text``."""
        found = self.at(text)
        if found:
            self.next()
        return found

    def expect(self, text: str) -> Token:
        """Take the next token, which must read ``text``."""
        if not self.at(text):
            self.expected(f"`{text}`")
        return self.next()

    def kind(self, kind: str, what: str) -> Token:
        """Take the next token, which must be of ``kind``."""
        if self.peek.kind != kind:
            self.expected(what)
        return self.next()

    def name(self, what: str = "a name") -> str:
        """Take a name: an identifier or a string."""
        return self.string() if self.peek.kind == "string" else self.kind("name", what).text

    def string(self) -> str:
        """Take a string."""
        token = self.kind("string", "a string")
        try:
            return str(json.loads(token.text))
        except ValueError:
            self.fail(UNEXPECTED, "this string has an unknown escape", token)

    def integer(self) -> int:
        """Take an integer, maybe negative."""
        minus = self.accept("-")
        token = self.kind("number", "an integer")
        if not token.text.isdigit():
            self.fail(NUMBER, f"expected an integer, found {token}", token)
        value = self._digits(token)
        return -value if minus else value

    def number(self) -> int | float:
        """Take a number: an integer, a decimal fraction, ``inf`` or ``nan``, maybe negative."""
        minus = self.accept("-")
        token = self.peek
        if token.text in ("inf", "nan"):
            value: int | float = float(self.next().text)
        elif token.text.isdigit():
            value = self._digits(self.kind("number", "a number"))
        else:
            value = float(self.kind("number", "a number").text)
        return -value if minus else value

    def literal(self) -> bool | int | float:
        """Take ``true``, ``false`` or a number."""
        if self.accept("true"):
            return True
        return False if self.accept("false") else self.number()

    def ref(self) -> int:
        """Take the id of a node that is used here, as in ``%7``."""
        ident = self.ident()
        self.used.setdefault(ident, self._tokens[self._at - 1])
        return ident

    def ident(self) -> int:
        """Take the id of the node that is defined here."""
        token = self.kind("ref", "a node such as %7")
        return self._digits(Token("number", token.text[1:], token.span))

    def _digits(self, token: Token) -> int:
        if len(token.text) > MAX_DIGITS:
            self.fail(NUMBER, f"a number of {len(token.text)} digits is out of range", token)
        return int(token.text)

    def enter(self) -> None:
        """Count one level of nesting, bounded so that reading never exhausts the stack."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(NESTING, f"brackets are nested more than {MAX_DEPTH} deep")

    def leave(self) -> None:
        """Undo :meth:`enter`."""
        self._depth -= 1

    def end_line(self) -> Span | None:
        """Take the end of a line and return the span its trailing comment states."""
        comment = self.next().text if self.peek.kind == "comment" else ""
        if self.peek.kind not in ("newline", "end"):
            self.expected("the end of the line")
        self.next()
        return read_span(comment)

    def blank(self) -> None:
        """Skip empty lines and lines that hold only a comment."""
        while self.peek.kind in ("newline", "comment"):
            self.next()
