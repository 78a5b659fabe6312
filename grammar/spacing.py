"""Spaces between tokens, and how deep a line stands: what the formatter knows of the language."""

from __future__ import annotations

from hastec.grammar.logical import CLOSES, OPENS, STARTS
from hastec.grammar.tokens import CONTINUES, Token

STEP = 4
MONOID_WORD = len("merge")
"""The first words of a monoid's lines are padded to the longest of them."""

_TIGHT_BEFORE = frozenset(("COMMA", "SEMI", "COLON", "RPAR", "RSQB", "LSQB", "DOT"))
_TIGHT_AFTER = frozenset(("LPAR", "LSQB", "DOT"))
_CALLABLE = frozenset(("NAME", "REDUCE", "KEEP", "ADJECTIVE", "RSQB"))


class Spacing:
    """Reads a program's tokens in order and knows what is open at each."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, str]] = []
        """Brackets that are open, each with the terminal before it."""
        self.before: Token | None = None
        self.after_sign = False
        """The token before is a sign of its operand, not an operator."""
        self.after_items = False
        """The token before closes the brackets of a reduction."""
        self.declares = ""

    @property
    def in_brackets(self) -> bool:
        """True inside round or square brackets."""
        return bool(self.opened) and self.opened[-1][0] != "LBRACE"

    @property
    def goes_on(self) -> bool:
        """True if the next line continues a statement."""
        return self.in_brackets or (self.before is not None and self.before.type in CONTINUES)

    @property
    def in_monoid(self) -> bool:
        """True in the body of a monoid."""
        return self.declares == "MONOID" and bool(self.opened)

    def indent(self, first: Token) -> int:
        """Return how far a line that begins with ``first`` stands from the margin."""
        depth = sum(bracket == "LBRACE" for bracket, _ in self.opened)
        if first.type == "RBRACE":
            return STEP * (depth - 1)
        goes_on = self.goes_on and first.type not in CLOSES
        return STEP * (depth + goes_on)

    def gap(self, token: Token) -> str:
        """Return the space between the last token and ``token`` on one line."""
        before = self.before
        if before is None or token.type in _TIGHT_BEFORE or before.type in _TIGHT_AFTER:
            return ""
        if token.type == "LPAR" and before.type in _CALLABLE:
            return ""
        if self.after_sign:
            return ""
        return "  " if token.type == "FOR" else " "

    def read(self, token: Token, first: bool) -> None:
        """Move on past ``token``; ``first``: it begins a line."""
        if first and token.type in STARTS:
            self.declares = token.type
        self.after_sign = token.type == "MINUS" and self._awaits_operand()
        self.after_items = False
        if token.type in OPENS:
            self.opened.append((token.type, self.before.type if self.before else ""))
        elif token.type in CLOSES:
            _, owner = self.opened.pop()
            self.after_items = token.type == "RSQB" and owner == "REDUCE"
        self.before = token

    def _awaits_operand(self) -> bool:
        """True if what comes next begins an operand, so that a minus is a sign."""
        before = self.before
        if before is None or before.type in CONTINUES or before.type in OPENS:
            return True
        return self.after_items or (self.in_monoid and before.type == "NAME" and self._result)

    @property
    def _result(self) -> bool:
        return self.before is not None and self.before.text == "give" and not self.in_brackets
