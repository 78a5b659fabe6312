"""Tokens to declarations: where statements end, which brackets belong together, what starts where.

Each declaration becomes one run of tokens, so an error in one leaves the others readable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hastec.diag import Diagnostic, Note
from hastec.grammar.tokens import CONTINUES, DECLARATIONS, Token

MAX_NESTING = 64
VERSION = 1
CLOSES = {"RPAR": "LPAR", "RSQB": "LSQB", "RBRACE": "LBRACE"}
OPENS = frozenset(CLOSES.values())
PARTNER = {"(": ")", "[": "]", "{": "}"}
STARTS = frozenset(word.upper() for word in DECLARATIONS)


@dataclass(frozen=True, slots=True)
class Run:
    """The tokens of one declaration; NEWLINE stands only where a statement ends."""

    tokens: tuple[Token, ...]
    faults: tuple[Diagnostic, ...]


def runs(tokens: Sequence[Token]) -> Iterator[Run]:
    """Yield the declarations of a program, without its header; see :func:`header`."""
    for chunk in _chunks(tokens):
        faults = tuple(_brackets(chunk))
        yield Run(tuple(_statements(chunk)), faults)


def header(tokens: Sequence[Token]) -> tuple[Sequence[Token], tuple[Diagnostic, ...]]:
    """Return the tokens after ``haste 1``, and what is wrong with that line.

    A text without the line is read as version 1.
    """
    first = next((i for i, t in enumerate(tokens) if t.type != "NEWLINE"), len(tokens))
    rest = tokens[first:]
    if not rest or rest[0].type != "HASTE":
        return rest, ()
    word = rest[0]
    line = [t for t in rest[1:] if t.line == word.line and t.type != "NEWLINE"]
    after = rest[1 + len(line) :]
    if len(line) == 1 and line[0].text == str(VERSION):
        return after, ()
    span, help_ = word.span, f"write `haste {VERSION}`"
    message = "the first line names the language version and nothing else"
    if line:
        span = span.to(line[-1].span)
    if len(line) == 1 and line[0].type == "NUMBER":
        message, span = f"language version {line[0].text} is not known", line[0].span
    return after, (Diagnostic("HST0008", message, span, help_),)


def _chunks(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Split where a line begins with the word of a declaration."""
    chunk: list[Token] = []
    line = 0
    for token in tokens:
        if token.type in STARTS and token.line != line and chunk:
            yield chunk
            chunk = []
        if token.type != "NEWLINE":
            line = token.line
        if chunk or token.type != "NEWLINE":
            chunk.append(token)
    if chunk:
        yield chunk


def _statements(chunk: Sequence[Token]) -> Iterator[Token]:
    """Drop line breaks that end nothing: in brackets, after an operator, beside braces."""
    depth = 0
    before, pending = chunk[0], None
    for token in chunk:
        if token.type == "NEWLINE":
            goes_on = before.type in CONTINUES or before.type == "LBRACE"
            if not (depth or goes_on or pending):
                pending = token
            continue
        if pending and token.type != "RBRACE":
            yield pending
        pending = None
        if token.type in ("LPAR", "LSQB"):
            depth += 1
        elif token.type in ("RPAR", "RSQB"):
            depth = max(0, depth - 1)
        before = token
        yield token


def _brackets(chunk: Sequence[Token]) -> Iterator[Diagnostic]:
    """Report the first bracket that has no partner, or nests too deep."""
    opened: list[Token] = []
    for token in chunk:
        if token.type in OPENS:
            opened.append(token)
            if len(opened) > MAX_NESTING:
                message = f"brackets nest deeper than {MAX_NESTING}"
                help_ = "give a part of it a name of its own"
                yield Diagnostic("HST0006", message, token.span, help_)
                return
        elif token.type in CLOSES:
            if not opened or opened[-1].type != CLOSES[token.type]:
                yield _unpaired(opened, token)
                return
            opened.pop()
    if opened:
        yield _unclosed(opened[-1], None)


def _unpaired(opened: Sequence[Token], token: Token) -> Diagnostic:
    if not opened or (opened[-1].type == "LBRACE" and token.type != "RBRACE"):
        return Diagnostic("HST0003", f"`{token.text}` closes nothing", token.span, "remove it")
    last = opened[-1]
    if token.type == "RBRACE" or any(t.type == CLOSES[token.type] for t in opened):
        return _unclosed(last, token)
    message = f"`{token.text}` does not close `{last.text}`"
    note = Note("opened here", last.span)
    return Diagnostic("HST0003", message, token.span, _close(last), (note,))


def _unclosed(opener: Token, found: Token | None) -> Diagnostic:
    message = f"`{opener.text}` is never closed"
    notes = (Note(f"`{found.text}` stands here instead", found.span),) if found else ()
    return Diagnostic("HST0004", message, opener.span, _close(opener), notes)


def _close(opener: Token) -> str:
    return f"close it with `{PARTNER[opener.text]}`"
