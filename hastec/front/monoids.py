"""Monoids of the program: an element, the empty state, the merge, the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hastec.diag import HasteError, Note, Span
from hastec.front.expr import ARITHMETIC, COMPARISONS, CONSTANTS
from hastec.front.fault import fault, meant
from hastec.grammar import ast
from hastec.grammar.depth import MAX_DEPTH
from hastec.ir.graph import Monoid, Term
from hastec.ir.scalars import SCALARS
from hastec.ir.types import BITS, BY_NAME
from hastec.text import counted

MAX_TERMS = 200
MAX_WORK = 5000
CLAUSES = ("one", "none", "merge", "give")


def monoid(decl: ast.MonoidDecl, fns: Mapping[str, ast.FnDecl]) -> Monoid:
    """Return a declared monoid."""
    clauses = _clauses(decl)
    fields = tuple(f.name.name for f in clauses["one"].fields if f.name)
    for word in ("one", "none", "merge"):
        _same_fields(clauses[word], clauses["one"])
    params: dict[str, Term] = {p.name: ("param", p.name) for p in decl.params}
    states: dict[str, Term] = {
        f"{side}.{name}": ("state", side, name) for side in ("a", "b") for name in fields
    }
    done: dict[str, Term] = {name: ("field", name) for name in fields}
    give = clauses["give"].fields[0]
    return Monoid(
        decl.name.name,
        tuple(p.name for p in decl.params),
        fields,
        _terms(clauses["one"], fields, Terms(fns, params)),
        _terms(clauses["none"], fields, Terms(fns, {})),
        _terms(clauses["merge"], fields, Terms(fns, states)),
        Terms(fns, done).whole(give.value),
        decl.span,
    )


def _clauses(decl: ast.MonoidDecl) -> dict[str, ast.Clause]:
    found: dict[str, ast.Clause] = {}
    for clause in decl.clauses:
        word = clause.word.name
        named = all(f.name for f in clause.fields)
        if word not in CLAUSES or word in found or named == (word == "give"):
            if word not in CLAUSES:
                message, help_ = f"`{word}` is no part of a monoid", meant(word, CLAUSES, "")
            elif word in found:
                message, help_ = f"`{word}` is given twice", "remove one of them"
            else:
                message = f"`{word}` gives " + ("one value" if word == "give" else "fields by name")
                help_ = "write `give h`" if word == "give" else f"write `{word} h = …`"
            help_ = help_ or "its parts are `one`, `none`, `merge` and `give`"
            raise fault("HST1021", message, clause.word.span, help_)
        found[word] = clause
    for word in CLAUSES:
        if word not in found:
            message = f"the monoid `{decl.name.name}` lacks `{word}`"
            raise fault("HST1021", message, decl.name.span, f"add a line `{word} …`")
    return found


def _same_fields(clause: ast.Clause, one: ast.Clause) -> None:
    names = [f.name.name for f in clause.fields if f.name]
    wanted = [f.name.name for f in one.fields if f.name]
    if sorted(names) != sorted(set(wanted)):
        message = f"`{clause.word.name}` gives the fields {', '.join(names)}"
        note = Note(f"`one` gives {', '.join(wanted)}", one.span)
        raise fault("HST1021", message, clause.span, "give each field once", note)


def _terms(clause: ast.Clause, fields: tuple[str, ...], terms: Terms) -> tuple[Term, ...]:
    by_name = {f.name.name: f.value for f in clause.fields if f.name}
    return tuple(terms.whole(by_name[name]) for name in fields)


@dataclass(slots=True)
class Work:
    """What has been read of one field, functions written out: how deep, and how much."""

    depth: int = 0
    done: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """Expressions over ``leaves``: parameters, fields of states, or fields of the result."""

    fns: Mapping[str, ast.FnDecl]
    leaves: Mapping[str, Term]
    work: Work = field(default_factory=lambda: Work())

    def whole(self, expr: ast.Expr) -> Term:
        """Return a field or the result; functions, written out, may make it too large."""
        found = self.term(expr)
        todo: list[object] = [found]
        count = 0
        while todo and count <= MAX_TERMS:
            count += 1
            at = todo.pop()
            todo += at[1:] if isinstance(at, tuple) else ()
        if count > MAX_TERMS:
            raise self._too_large(expr)
        return found

    def _too_large(self, expr: ast.Expr) -> HasteError:
        message = f"this has more than {MAX_TERMS} operations, functions written out"
        return fault("HST1022", message, expr.span, "make it simpler")

    def term(self, expr: ast.Expr) -> Term:
        """Return ``expr`` as a nested tuple."""
        self.work.done += 1
        self.work.depth += 1
        if self.work.depth > MAX_DEPTH:
            message = f"this nests deeper than {MAX_DEPTH}, functions included"
            raise fault("HST0006", message, expr.span, "write part of it out")
        if self.work.done > MAX_WORK:
            raise self._too_large(expr)
        try:
            return self._term(expr)
        finally:
            self.work.depth -= 1

    def _term(self, expr: ast.Expr) -> Term:
        match expr:
            case ast.Number(value):
                return ("const", value)
            case ast.Constant(word):
                return ("const", CONSTANTS[word])
            case ast.Name(name, span):
                return self._leaf(name, span)
            case ast.Field(state, name_, span):
                return self._leaf(f"{state.name}.{name_.name}", span)
            case ast.Negate(operand):
                return ("neg", self.term(operand))
            case ast.Not(operand):
                return ("not", self.term(operand))
            case ast.Chain(first, rest):
                return self._fold(first, [(ARITHMETIC[op], e) for op, e in rest])
            case ast.Logic(op, operands):
                return self._fold(operands[0], [(op, e) for e in operands[1:]])
            case ast.Compare(first, ((op, second),)):
                return (COMPARISONS[op], self.term(first), self.term(second))
            case ast.Conditional(condition, then, other):
                return ("where", *map(self.term, (condition, then, other)))
            case ast.Call():
                return self._call(expr)
            case _:
                message = "a monoid is made of arithmetic, comparisons and functions"
                raise fault("HST1021", message, expr.span, "use its fields and parameters alone")

    def _fold(self, first: ast.Expr, rest: list[tuple[str, ast.Expr]]) -> Term:
        total = self.term(first)
        for op, operand in rest:
            total = (op, total, self.term(operand))
        return total

    def _leaf(self, name: str, span: Span) -> Term:
        if name not in self.leaves:
            shown = ", ".join(f"`{n}`" for n in self.leaves) or "numbers alone"
            help_ = meant(name, self.leaves, f"what may stand here: {shown}")
            raise fault("HST1001", f"`{name}` is no name known here", span, help_)
        return self.leaves[name]

    def _call(self, expr: ast.Call) -> Term:
        name = expr.name.name
        if name in self.fns:
            return self._apply(expr, self.fns[name])
        args = tuple(map(self.term, expr.args))
        dtype = BITS if name == "bit" else BY_NAME.get(name)
        if dtype and len(args) == 1 and (dtype == BITS or not dtype.stores_only):
            return ("cast", dtype.name, args[0])
        known = name in SCALARS and SCALARS[name].public
        if not known or SCALARS[name].arity != len(args) or expr.options:
            raise self._no_function(expr, known)
        return (name, *args)

    def _no_function(self, expr: ast.Call, known: bool) -> HasteError:
        name = expr.name.name
        if known:
            wanted = counted(SCALARS[name].arity, "argument")
            message = f"`{name}` takes {wanted}, not {len(expr.args)}"
            return fault("HST1011", message, expr.span, f"write {wanted}")
        help_ = meant(name, (*self.fns, *SCALARS), "declare it: `fn name(x) = …`")
        return fault("HST1013", f"there is no function `{name}`", expr.name.span, help_)

    def _apply(self, expr: ast.Call, fn: ast.FnDecl) -> Term:
        names = [p.name for p in (*fn.params, *fn.options)]
        options = {o.name.name if o.name else "": o.value for o in expr.options}
        values = [*expr.args, *(options[o.name] for o in fn.options if o.name in options)]
        if len(values) != len(names) or len(expr.options) != len(fn.options):
            message = f"`{fn.name.name}` takes {', '.join(names)}"
            raise fault("HST1011", message, expr.span, "give each of them, options by name")
        leaves = {n: self.term(v) for n, v in zip(names, values, strict=True)}
        return Terms(self.fns, leaves, self.work).term(fn.body)
