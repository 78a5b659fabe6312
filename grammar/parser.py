"""Text to syntax tree: the only door to lark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from hastec.diag import Diagnostic, HasteError, InternalError, Source, Span
from hastec.grammar import ast
from hastec.grammar.depth import MAX_DEPTH, too_deep
from hastec.grammar.expected import unexpected
from hastec.grammar.logical import STARTS, header, runs
from hastec.grammar.tokens import DECLARATIONS, Token, scan
from hastec.grammar.tree import Tree
from hastec.text import nearest

MAX_BYTES = 2**20
MAX_ERRORS = 20


def parse(source: Source) -> ast.Module:
    """Return the syntax tree of a program.

    Raises ``HasteError`` with up to 20 diagnostics (``HST0…``): after an error, reading goes on
    with the next declaration.
    """
    _check_length(source)
    found = scan(source)
    tokens, faults = header(found.tokens)
    decls: list[ast.Decl] = []
    problems = [*found.faults, *faults]
    strays = [f.span.line for f in found.faults if f.code == "HST0001" and f.span]
    for run in runs(tokens):
        first, last = run.tokens[0].line, run.tokens[-1].line
        if run.faults:
            problems += run.faults
        elif not any(first <= line <= last for line in strays):
            # A stray character is error enough: what it was meant to be is not known.
            _declaration(run.tokens, decls, problems)
    if problems:
        problems.sort(key=lambda d: d.span or Span(1, 1, 1, 1))
        raise HasteError(*problems[:MAX_ERRORS], source=source)
    return ast.Module(tuple(decls))


def _check_length(source: Source) -> None:
    size = len(source.text.encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        message = f"this text has {size} bytes, more than {MAX_BYTES}"
        help_ = "split the program into several files"
        raise HasteError(Diagnostic("HST0010", message, Span(1, 1, 1, 1), help_), source=source)


def _declaration(
    tokens: tuple[Token, ...], decls: list[ast.Decl], problems: list[Diagnostic]
) -> None:
    if tokens[0].type not in STARTS:
        problems.append(_no_declaration(tokens[0]))
        return
    decl = _read(tokens)
    if isinstance(decl, Diagnostic):
        problems.append(decl)
        return
    deep = too_deep(decl)
    if deep is None:
        decls.append(decl)
        return
    message = f"expressions nest deeper than {MAX_DEPTH}"
    problems.append(Diagnostic("HST0006", message, deep, "give a part of it a name of its own"))


def _no_declaration(token: Token) -> Diagnostic:
    message = f"expected a declaration, found `{token.text}`"
    help_ = "begin with `format`, `pattern`, `fn`, `monoid`, `kernel` or `schedule`"
    near = nearest(token.text, DECLARATIONS)
    if near:
        help_ = f"did you mean `{near}`?"
    if token.type == "HASTE":
        help_ = "the language version stands on the first line, once"
    return Diagnostic("HST0011", message, token.span, help_)


def _read(tokens: tuple[Token, ...]) -> ast.Decl | Diagnostic:
    """Parse one declaration; the first token it cannot contain makes a diagnostic."""
    # Driven by hand: tokens are ours, and an error is explained from the parser's state.
    parser: Any = _lark().parse_interactive()
    feed, before = parser.parser_state.feed_token, tokens[0]
    last = tokens[-1]
    end = Token("$END", "", last.line, last.column + len(last.text))
    result: object = None
    for n, token in enumerate((*tokens, end)):
        try:
            result = feed(token, token is end)
        except _unexpected_token():
            allowed = frozenset(parser.accepts())
            if token.type == "NEWLINE" and allowed == {"$END"}:
                return _no_declaration(tokens[n + 1])
            return unexpected(token, before, allowed)
        before = token
    if not isinstance(result, ast.Decl):
        raise InternalError(f"the grammar made no declaration but {type(result).__name__}")
    return result


@cache
def _lark() -> Any:
    """Return the parser: built once a process in 0.1 s; lark is loaded only then."""
    import lark

    class NoLexer(lark.lexer.Lexer):  # type: ignore[misc]  # lark is untyped here
        """Tokens are fed by hand."""

        def __init__(self, conf: object) -> None:
            pass

        def lex(self, data: object) -> Iterator[object]:
            return iter(())

    grammar = Path(__file__).with_name("haste.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", lexer=NoLexer, transformer=_Callbacks())


class _Callbacks:
    """The methods of :class:`Tree`, taking the parts of a rule as one list."""

    def __init__(self) -> None:
        tree = Tree()
        for name in dir(Tree):
            if not name.startswith("_"):
                setattr(self, name, partial(_spread, getattr(tree, name)))


def _spread(make: Callable[..., object], parts: list[object]) -> object:
    return make(*parts)


@cache
def _unexpected_token() -> type[Exception]:
    from lark.exceptions import UnexpectedToken

    found: type[Exception] = UnexpectedToken
    return found
