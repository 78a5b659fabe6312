"""What each rule of the grammar makes: nodes of the syntax tree.

A method is called as soon as its rule is complete, with the values of its parts in order, so
nothing here recurses. ``None`` stands for an optional part that is absent; parts named ``_`` are
signs that have done their work.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from hastec.diag import Span
from hastec.grammar import ast
from hastec.grammar.tokens import Token, number

Maybe: TypeAlias = Token | None
Idents: TypeAlias = tuple[ast.Ident, ...]
Exprs: TypeAlias = tuple[ast.Expr, ...]
Options: TypeAlias = tuple[ast.Option, ...]
Args: TypeAlias = tuple[Exprs, Options]
Codes: TypeAlias = tuple[ast.Call | None, ast.Call | None, Span | None]


def ident(token: Token) -> ast.Ident:
    """Return a name token as a node."""
    return ast.Ident(token.text, token.span)


class Links:
    """A chain of operators under construction: the flat form of a left-recursive rule."""

    __slots__ = ("first", "rest")

    def __init__(self, first: ast.Expr, rest: list[tuple[str, ast.Expr]]) -> None:
        self.first = first
        self.rest = rest


class Declarations:
    """Rules of declarations and formats."""

    def names(self, *names: Token) -> Idents:
        """``NAME (COMMA NAME)*``"""
        return tuple(ident(t) for t in names[::2])

    def format(self, word: Token, name: Token, _: Token, dims: Idents, _semi: Maybe,
               options: Idents | None, _rpar: Token, _eq: Token, layout: ast.Layout,
               ) -> ast.FormatDecl:  # fmt: skip
        """``FORMAT NAME LPAR names [SEMI names] RPAR EQ layout``"""
        span = word.span.to(layout.span)
        return ast.FormatDecl(ident(name), dims, options or (), layout, span)

    def fn(self, word: Token, name: Token, _: Token, params: Idents, _semi: Maybe,
           options: Idents | None, _rpar: Token, _eq: Token, body: ast.Expr,
           ) -> ast.FnDecl:  # fmt: skip
        """``FN NAME LPAR names [SEMI names] RPAR EQ expr``"""
        kind: Literal["fn", "pattern"] = "fn" if word.type == "FN" else "pattern"
        span = word.span.to(body.span)
        return ast.FnDecl(kind, ident(name), params, options or (), body, span)

    pattern = fn

    def monoid(self, word: Token, name: Token, _: Token, params: Idents, _rpar: Token,
               _brace: Token, *clauses: ast.Clause | Token,
               ) -> ast.MonoidDecl:  # fmt: skip
        """``MONOID NAME LPAR names RPAR LBRACE clause (NEWLINE clause)* RBRACE``"""
        lines = tuple(c for c in clauses if isinstance(c, ast.Clause))
        return ast.MonoidDecl(ident(name), params, lines, word.span.to(clauses[-1].span))

    def clause(self, word: Token, *fields: ast.Option | Token) -> ast.Clause:
        """``NAME field (COMMA field)*``"""
        given = tuple(f for f in fields if isinstance(f, ast.Option))
        return ast.Clause(ident(word), given, word.span.to(fields[-1].span))

    def result(self, word: Token, value: ast.Expr) -> ast.Clause:
        """``NAME expr``"""
        only = ast.Option(None, value, value.span)
        return ast.Clause(ident(word), (only,), word.span.to(value.span))

    def field(self, name: Token, _: Token, value: ast.Expr) -> ast.Option:
        """``NAME EQ expr``"""
        return ast.Option(ident(name), value, name.span.to(value.span))

    named = field

    def kernel(self, word: Token, name: Token, _: Token, params: tuple[ast.Param, ...] | None,
               _rpar: Token, _arrow: Maybe, outputs: tuple[ast.Param, ...] | None, _brace: Token,
               *body: ast.Statement | Token | None,
               ) -> ast.KernelDecl:  # fmt: skip
        """``KERNEL NAME LPAR [params] RPAR [ARROW params] LBRACE [stmt (NEWLINE stmt)*] RBRACE``"""
        lines = tuple(s for s in body if isinstance(s, ast.Statement))
        end = body[-1]
        assert end is not None  # the closing brace
        span = word.span.to(end.span)
        return ast.KernelDecl(ident(name), params or (), outputs or (), lines, span)

    def params(self, *params: ast.Param | Token) -> tuple[ast.Param, ...]:
        """``param (COMMA param)*``"""
        return tuple(p for p in params if isinstance(p, ast.Param))

    def param(self, name: Token, _: Token, *rest: object) -> ast.Param:
        """``NAME COLON adjective* NAME [LSQB exprs RSQB] [AT call] codes [LIKE NAME]``"""
        adjectives = tuple(p for p in rest if isinstance(p, ast.Call))
        dtype, _lsqb, shape, rsqb, _at, layout, codes, _like, like = rest[-9:]
        adjectives = adjectives[: len(rest) - 9]
        assert isinstance(dtype, Token) and isinstance(codes, tuple)
        assert isinstance(rsqb, Token | None) and isinstance(like, Token | None)
        assert isinstance(layout, ast.Call | None)
        values, index, end = codes
        ends = (rsqb, layout, like)
        last = max([dtype.span, *(e.span for e in ends if e is not None), *([end] if end else [])])
        sizes: Exprs = shape if isinstance(shape, tuple) else ()
        return ast.Param(ident(name), adjectives, ident(dtype), sizes, layout, values, index,
                         ident(like) if like else None, name.span.to(last))  # fmt: skip

    def adjective(self, word: Token, _: Maybe, args: Args | None, rpar: Maybe) -> ast.Call:
        """``ADJECTIVE [LPAR args RPAR]``"""
        return _call(word, args, rpar)

    call = adjective

    def stmt(self, target: Token, _: Maybe, subs: Exprs | None, _rsqb: Maybe, op: Token,
             value: ast.Expr, _for: Maybe, ranges: Exprs | None,
             ) -> ast.Statement:  # fmt: skip
        """``NAME [LSQB exprs RSQB] (EQ | ASSIGN) expr [FOR exprs]``"""
        span = target.span.to((ranges or (value,))[-1].span)
        sign: Literal["=", ":="] = "=" if op.type == "EQ" else ":="
        return ast.Statement(ident(target), subs, sign, value, ranges or (), span)

    def schedule(
        self, word: Token, name: Token, _: Token, *calls: ast.Call | Token | None
    ) -> ast.ScheduleDecl:
        """``SCHEDULE NAME LBRACE [call (NEWLINE call)*] RBRACE``"""
        end = calls[-1]
        assert end is not None  # the closing brace
        lines = tuple(c for c in calls if isinstance(c, ast.Call))
        return ast.ScheduleDecl(ident(name), lines, word.span.to(end.span))

    # ---------------------------------------------------------------------------------- formats
    def cut(
        self, below: ast.Layout, _: Token, condition: ast.Expr, _else: Token, above: ast.Layout
    ) -> ast.Cut:
        """``sum IF expr ELSE layout``"""
        return ast.Cut(condition, below, above, below.span.to(above.span))

    def sum(self, *parts: ast.Layout | Token) -> ast.Layout:
        """``part (PLUS part)*``"""
        kept = tuple(p for p in parts if not isinstance(p, Token))
        return kept[0] if len(kept) == 1 else ast.Sum(kept, kept[0].span.to(kept[-1].span))

    def inside(self, _: Token, layout: ast.Layout, _rpar: Token) -> ast.Layout:
        """``LPAR layout RPAR``"""
        return layout

    def levels(self, *parts: ast.Call | Token | Codes) -> ast.Levels:
        """``call (COMMA call)* codes``"""
        calls = tuple(p for p in parts if isinstance(p, ast.Call))
        codes = parts[-1]
        assert isinstance(codes, tuple) and not isinstance(codes, Token)
        values, index, end = codes
        return ast.Levels(calls, values, index, calls[0].span.to(end or calls[-1].span))

    def codes(
        self, _: Maybe, values: ast.Call | None, _index: Maybe, index: ast.Call | None
    ) -> Codes:
        """``[VALUES call] [INDEX call]``"""
        last = index or values
        return values, index, last.span if last else None


def _call(word: Token, args: Args | None, rpar: Maybe) -> ast.Call:
    given, options = args or ((), ())
    return ast.Call(ident(word), given, options, word.span.to((rpar or word).span))


class Expressions:
    """Rules of expressions."""

    def exprs(self, *items: ast.Expr | Token) -> Exprs:
        """``expr (COMMA expr)*``"""
        return tuple(i for i in items if not isinstance(i, Token))

    def conditional(
        self, then: ast.Expr, _: Token, condition: ast.Expr, _else: Token, other: ast.Expr
    ) -> ast.Expr:
        """``or_ IF or_ ELSE expr``"""
        return ast.Conditional(condition, then, other, then.span.to(other.span))

    def logic(self, *parts: ast.Expr | Token) -> ast.Expr:
        """``and_ (OR and_)+ and not_ (AND not_)+``"""
        operands = tuple(p for p in parts if not isinstance(p, Token))
        op: Literal["and", "or"] = "and" if _is(parts[1], "AND") else "or"
        return ast.Logic(op, operands, operands[0].span.to(operands[-1].span))

    def negation(self, word: Token, operand: ast.Expr) -> ast.Expr:
        """``NOT not_``"""
        return ast.Not(operand, word.span.to(operand.span))

    def compare(self, first: ast.Expr, *rest: ast.Expr | Token) -> ast.Expr:
        """``arith (COMPARE arith)+``"""
        signs = [t.text for t in rest if isinstance(t, Token)]
        values = [e for e in rest if not isinstance(e, Token)]
        pairs = tuple(zip(signs, values, strict=True))
        return ast.Compare(first, pairs, first.span.to(values[-1].span))

    def member(
        self, member: ast.Expr, _: Token, pattern: ast.Expr, _dots: Maybe, stop: ast.Expr | None
    ) -> ast.Expr:
        """``arith IN arith [DOTDOT arith]``"""
        return ast.Member(member, pattern, stop, member.span.to((stop or pattern).span))

    # ----------------------------------------------------------------------------------- chains
    def two(self, first: ast.Expr, op: Token, second: ast.Expr) -> Links:
        """The first operator of a chain."""
        return Links(first, [(op.text, second)])

    def more(self, links: Links, op: Token, operand: ast.Expr) -> Links:
        """One more operator of a chain."""
        links.rest.append((op.text, operand))
        return links

    def chain(self, links: Links) -> ast.Expr:
        """A chain that is complete."""
        span = links.first.span.to(links.rest[-1][1].span)
        return ast.Chain(links.first, tuple(links.rest), span)

    def ends(self, first: ast.Expr, op: Token, last: ast.Expr) -> ast.Expr:
        """``factor MULOP open_``"""
        return self.chain(self.two(first, op, last))

    def ends_more(self, links: Links, op: Token, last: ast.Expr) -> ast.Expr:
        """``factors_ MULOP open_``"""
        return self.chain(self.more(links, op, last))

    def reduction(
        self, word: Token, _: Token, items: Exprs, _rsqb: Token, body: ast.Expr
    ) -> ast.Expr:
        """``REDUCE LSQB exprs RSQB bare``"""
        span = word.span.to(body.span)
        return ast.Bracket(ident(word), items, (body,), (), span, open=True)

    # ------------------------------------------------------------------------------------ atoms
    def group(self, lpar: Token, items: Exprs, rpar: Token) -> ast.Expr:
        """``LPAR exprs RPAR``"""
        return items[0] if len(items) == 1 else ast.Group(items, lpar.span.to(rpar.span))

    def minus(self, sign: Token, operand: ast.Expr) -> ast.Expr:
        """``MINUS factor``"""
        return ast.Negate(operand, sign.span.to(operand.span))

    def number(self, token: Token) -> ast.Expr:
        """``NUMBER``"""
        return ast.Number(number(token.text), token.span)

    def constant(self, token: Token) -> ast.Expr:
        """``CONSTANT``"""
        return ast.Constant(token.text, token.span)

    def name(self, token: Token) -> ast.Expr:
        """``NAME``"""
        return ast.Name(token.text, token.span)

    def item(self, table: Token, _: Token, subs: Exprs, rsqb: Token) -> ast.Expr:
        """``NAME LSQB exprs RSQB``"""
        return ast.Item(ident(table), subs, table.span.to(rsqb.span))

    def part_of(self, state: Token, _: Token, name: Token) -> ast.Expr:
        """``NAME DOT NAME``"""
        return ast.Field(ident(state), ident(name), state.span.to(name.span))

    def apply(self, word: Token, _: Token, args: Args, rpar: Token) -> ast.Expr:
        """``(NAME | REDUCE | KEEP) LPAR args RPAR``"""
        return _call(word, args, rpar)

    def bracket(self, word: Token, _: Token, items: Exprs, _rsqb: Token, _lpar: Token,
                args: Args, rpar: Token,
                ) -> ast.Expr:  # fmt: skip
        """``(NAME | REDUCE | KEEP) LSQB exprs RSQB LPAR args RPAR``"""
        given, options = args
        return ast.Bracket(ident(word), items, given, options, word.span.to(rpar.span))

    # ------------------------------------------------------------------------------ arguments
    def args(self, exprs: Exprs | None, _: Maybe, *options: ast.Option | Token | None) -> Args:
        """``[exprs] [SEMI option (COMMA option)*]``"""
        return exprs or (), tuple(o for o in options if isinstance(o, ast.Option))

    def options_only(self, *options: ast.Option | Token) -> Args:
        """``named (COMMA named)*``"""
        return (), tuple(o for o in options if isinstance(o, ast.Option))

    def option(self, option: ast.Option) -> ast.Option:
        """``named``"""
        return option

    def placed(self, value: ast.Expr) -> ast.Option:
        """``expr``"""
        return ast.Option(None, value, value.span)

    def always(self, word: Token, condition: ast.Expr) -> ast.Option:
        """``ALWAYS or_``"""
        return ast.Option(ident(word), condition, word.span.to(condition.span))


class Tree(Declarations, Expressions):
    """All rules; see haste.lark."""


def _is(part: object, terminal: str) -> bool:
    return isinstance(part, Token) and part.type == terminal
