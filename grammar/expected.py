"""What to say when a token cannot stand where it stands."""

from __future__ import annotations

from hastec.diag import Diagnostic
from hastec.grammar.tokens import SIGNS, WORDS, Token
from hastec.text import listed

EXPRESSION = frozenset(("NAME", "NUMBER", "CONSTANT", "MINUS", "LPAR", "REDUCE"))
OPERATORS = frozenset(("PLUS", "MINUS", "MULOP", "COMPARE", "AND", "OR", "IN", "IF", "DOTDOT"))
SHOWN = 6
"""More alternatives than this help nobody."""

_SPELT: dict[str, str] = {
    **{terminal: f"`{sign}`" for sign, terminal in SIGNS.items()},
    **{terminal: f"`{word}`" for word, terminal in WORDS.items() if terminal == word.upper()},
    **dict.fromkeys(("MULOP", "COMPARE", "PLUS"), "an operator"),
    **dict.fromkeys(("NUMBER", "CONSTANT"), "a number"),
    "NAME": "a name",
    "NEWLINE": "the end of the line",
    "$END": "the end of the declaration",
    "REDUCE": "a reduction",
    "KEEP": "a selection",
    "ADJECTIVE": "an adjective",
}


def unexpected(token: Token, before: Token, allowed: frozenset[str]) -> Diagnostic:
    """Return what is wrong with ``token`` after ``before``, where ``allowed`` may stand."""
    if token.text in WORDS and "NAME" in allowed:
        message = f"`{token.text}` is a word of the language and cannot be a name"
        return Diagnostic("HST0005", message, token.span, f"choose another name: `{token.text}_`")
    message = f"expected {_alternatives(allowed)}, found {_shown(token)}"
    return Diagnostic("HST0002", message, token.span, _help(token, before, allowed))


def _shown(token: Token) -> str:
    return _SPELT[token.type] if token.type in ("NEWLINE", "$END") else f"`{token.text}`"


def _alternatives(allowed: frozenset[str]) -> str:
    found: dict[str, None] = {}
    rest = set(allowed)
    if allowed >= EXPRESSION:
        found["an expression"] = None
        rest -= EXPRESSION | {"KEEP", "NOT"}
    if allowed >= {"PLUS", "MULOP"}:
        found["an operator"] = None
        rest -= OPERATORS | {"LPAR", "LSQB", "DOT"}
    for terminal in sorted(rest):
        found[_SPELT[terminal]] = None
    words = list(found)
    if len(words) > SHOWN:
        words = [*words[:SHOWN], "something else"]
    return listed(words, "or")


def _help(token: Token, before: Token, allowed: frozenset[str]) -> str:
    if token.type == "EQ" and "COMPARE" in allowed:
        return "`==` compares; `=` defines, one statement a line"
    if token.text == "*" and before.text == "*":
        return "write `pow(a, b)`"
    if before.type == "NEWLINE" and token.type in OPERATORS:
        return "end the line before with the operator: then it goes on"
    if token.type in ("NEWLINE", "$END") and allowed >= EXPRESSION:
        return "a line goes on only in brackets or after an operator or a comma"
    if "NEWLINE" in allowed and token.type in ("NAME", "NUMBER", "REDUCE"):
        return "begin a new line for a new statement, or put an operator between"
    return f"put {_alternatives(allowed)} before {_shown(token)}"
