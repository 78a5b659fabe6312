"""Text to tokens: the one place that knows what words, numbers and signs look like.

The parser and the formatter read the same tokens. Nothing here raises on odd text: what cannot be
a token is reported and skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from hastec.diag import Diagnostic, Source, Span

MAX_NAME = 64
MAX_DIGITS = 4300
MAX_INTEGER = 2**63 - 1

DECLARATIONS = ("format", "pattern", "fn", "monoid", "kernel", "schedule")
REDUCE = ("sum", "prod", "max", "min", "mean", "any", "all", "lse", "argmax", "argmin")
KEEP = ("softmax", "topk", "top_p", "where")
ADJECTIVES = ("sparse", "static", "request", "step", "host", "inout")
CONSTANTS = ("inf", "nan", "true", "false")
OPERATORS = ("in", "and", "or", "not", "if", "else", "for", "like", "values", "index", "always")

WORDS: dict[str, str] = {
    **{w: w.upper() for w in ("haste", *DECLARATIONS, *OPERATORS)},
    **dict.fromkeys(REDUCE, "REDUCE"),
    **dict.fromkeys(KEEP, "KEEP"),
    **dict.fromkeys(ADJECTIVES, "ADJECTIVE"),
    **dict.fromkeys(CONSTANTS, "CONSTANT"),
    **dict.fromkeys(("xor", "xnor"), "MULOP"),
}
"""The reserved words and the terminals of the grammar they are."""

SIGNS: dict[str, str] = {
    **dict.fromkeys(("*", "/", "%"), "MULOP"),
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), "COMPARE"),
    "+": "PLUS", "-": "MINUS", "=": "EQ", ":=": "ASSIGN", "->": "ARROW", "@": "AT", ".": "DOT",
    "..": "DOTDOT", ",": "COMMA", ";": "SEMI", ":": "COLON", "(": "LPAR", ")": "RPAR",
    "[": "LSQB", "]": "RSQB", "{": "LBRACE", "}": "RBRACE",
}  # fmt: skip

CONTINUES = frozenset(SIGNS.values()) - {"LPAR", "RPAR", "LSQB", "RSQB", "LBRACE", "RBRACE"} | {
    word.upper() for word in OPERATORS
}
"""A line that ends in one of these goes on in the next."""

_SCAN = re.compile(
    r"[ \t\r]*(?:(?P<newline>\n)|(?P<comment>\#[^\n]*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<sign>->|:=|\.\.|<=|>=|==|!=|[-+*/%<>=()\[\]{},;:@.])|(?P<end>\Z)|(?P<other>.))",
    re.DOTALL,
)


class Token(NamedTuple):
    """A word, number, sign or line break: the terminal it is, its text, where it starts."""

    type: str
    text: str
    line: int
    column: int

    @property
    def span(self) -> Span:
        """The stretch of text this is; a line break is a place without width."""
        width = 0 if self.type == "NEWLINE" else len(self.text)
        return Span(self.line, self.column, self.line, self.column + width)


@dataclass(frozen=True, slots=True)
class Scan:
    """A text's tokens (every line break among them), its comments, and what is wrong with it."""

    tokens: tuple[Token, ...]
    comments: tuple[Token, ...]
    faults: tuple[Diagnostic, ...]


def scan(source: Source) -> Scan:
    """Return the tokens of ``source``; what is no token is reported in ``faults``."""
    tokens: list[Token] = []
    comments: list[Token] = []
    faults: list[Diagnostic] = []
    line, start, at = 1, 0, 0
    text = source.text
    while at < len(text):
        found = _SCAN.match(text, at)
        assert found is not None and found.lastgroup is not None  # `other` takes anything
        kind, at = found.lastgroup, found.end()
        word = found[kind]
        token = Token(_terminal(kind, word), word, line, found.start(kind) - start + 1)
        match kind:
            case "newline":
                line, start = line + 1, at
                tokens.append(token)
            case "comment":
                comments.append(token)
            case "name" | "sign" | "number":
                tokens.append(token)
                faults += _check(kind, token)
            case "other":
                faults.append(_stray(token))
            case _:
                break  # the end, after blanks
    return Scan(tuple(tokens), tuple(comments), tuple(faults))


def _terminal(kind: str, word: str) -> str:
    match kind:
        case "name":
            return WORDS.get(word, "NAME")
        case "sign":
            return SIGNS[word]
        case "number":
            return "NUMBER"
        case "newline":
            return "NEWLINE"
        case _:
            return kind


def _check(kind: str, token: Token) -> list[Diagnostic]:
    if kind == "name":
        return _name(token)
    return _number(token) if kind == "number" else []


def _name(token: Token) -> list[Diagnostic]:
    if len(token.text) > MAX_NAME:
        message = f"this name has {len(token.text)} letters, more than {MAX_NAME}"
        return [Diagnostic("HST0007", message, token.span, "choose a shorter name")]
    if "__" in token.text:
        message = f"the name `{token.text}` contains two underscores in a row"
        return [Diagnostic("HST0007", message, token.span, "write one underscore")]
    return []


def _number(token: Token) -> list[Diagnostic]:
    if len(token.text) > MAX_DIGITS:
        message = f"this number has {len(token.text)} digits, more than {MAX_DIGITS}"
        return [Diagnostic("HST0009", message, token.span, "no table is that large")]
    value = number(token.text)
    if isinstance(value, int) and value > MAX_INTEGER:
        message = "this integer is larger than 2^63 - 1"
        help_ = "write it as a floating-point number, such as `1e19`"
        return [Diagnostic("HST0009", message, token.span, help_)]
    if value == float("inf"):
        message = "this number is larger than any floating-point number"
        return [Diagnostic("HST0009", message, token.span, "write `inf`")]
    return []


def number(text: str) -> int | float:
    """Return the value of a number as written; one that is too long, and reported, is 0."""
    if len(text) > MAX_DIGITS:
        return 0
    return int(text) if text.isdigit() else float(text)


def _stray(token: Token) -> Diagnostic:
    spelled = {
        "!": ("`!` is no operator", "write `not`, or `!=` to compare"),
        "&": ("`&` is no operator", "write `and`, or `bitand(a, b)` for integers"),
        "|": ("`|` is no operator", "write `or`, or `bitor(a, b)` for integers"),
        "^": ("`^` is no operator", "write `pow(a, b)`, or `xor` for bits"),
        "~": ("`~` is no operator", "write `not`"),
        '"': ("there are no strings in the language", "write a name or a number"),
        "'": ("there are no strings in the language", "write a name or a number"),
    }
    message, help_ = spelled.get(token.text, (_unknown(token.text), "remove it"))
    return Diagnostic("HST0001", message, token.span, help_)


def _unknown(char: str) -> str:
    if char.isprintable() and char.isascii():
        return f"`{char}` means nothing here"
    shown = f"`{char}` (U+{ord(char):04X})" if char.isprintable() else f"U+{ord(char):04X}"
    return f"the character {shown} may only stand in a comment"
