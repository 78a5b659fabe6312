"""Calls: functions of the language and of the program, conversions, bits."""

from __future__ import annotations

from collections.abc import Sequence

from hastec.diag import HasteError, Note
from hastec.front.fault import fault, meant
from hastec.front.kinds import need_condition, need_integer, need_word
from hastec.front.scope import Closure, Scope, Table, Value
from hastec.front.state import State
from hastec.grammar import ast
from hastec.grammar.tokens import KEEP, REDUCE
from hastec.ir.graph import NodeId
from hastec.ir.scalars import SCALARS
from hastec.ir.types import BITS, BY_NAME, Kind
from hastec.text import counted

WORDS = ("bitand", "bitor", "bitxor", "shl", "shr", "popc")
"""Functions of integer words."""

Argument = Value | Table


def call(s: State, expr: ast.Call, scope: Scope) -> NodeId:
    """Return the value of ``name(args; options)``."""
    name = expr.name.name
    if name in s.program.fns:
        return apply_fn(s, expr, scope)
    found = scope.find(name)
    if isinstance(found, Table | Closure):
        note = Note("it is defined here", found.span)
        help_ = f"write `{name}[…]`: tables take square brackets"
        raise fault("HST1013", f"`{name}` is a table, not a function", expr.name.span, help_, note)
    if expr.options:
        span = expr.options[0].span
        raise fault("HST1012", f"`{name}` takes no options", span, "remove what follows `;`")
    if name in ("min", "max"):
        return _extreme(s, name, expr, scope)
    if name == "bit" and len(expr.args) == 2:
        return _read_bit(s, expr, scope)
    if name == "bit" or name in BY_NAME:
        return _convert(s, name, expr, scope)
    if name in SCALARS and SCALARS[name].public:
        return _scalar(s, name, expr, scope)
    raise _no_function(s, expr)


def _no_function(s: State, expr: ast.Call) -> HasteError:
    name = expr.name.name
    public = (n for n, f in SCALARS.items() if f.public)
    known = (*s.program.fns, *public, *BY_NAME, "bit")
    help_ = meant(name, known, "declare it: `fn name(x) = …`")
    if name in (*REDUCE, *KEEP) or name in s.program.monoids:
        help_ = f"write `{name}[k](…)`: it needs an index in brackets"
    if name == "where":
        help_ = "write `a if condition else b`"
    return fault("HST1013", f"there is no function `{name}`", expr.name.span, help_)


def _values(s: State, expr: ast.Call, scope: Scope, wanted: int) -> tuple[NodeId, ...]:
    if len(expr.args) != wanted:
        message = f"`{expr.name.name}` takes {counted(wanted, 'argument')}, not {len(expr.args)}"
        letters = ", ".join("abc"[:wanted])
        raise fault("HST1011", message, expr.span, f"write `{expr.name.name}({letters})`")
    return tuple(s.value(a, scope) for a in expr.args)


def _scalar(s: State, name: str, expr: ast.Call, scope: Scope) -> NodeId:
    args = _values(s, expr, scope, SCALARS[name].arity)
    if name in WORDS:
        for arg, where in zip(args, expr.args, strict=True):
            need_word(s, arg, where.span, f"`{name}`")
    return s.nodes.map(name, args, expr.span)


def _extreme(s: State, name: str, expr: ast.Call, scope: Scope) -> NodeId:
    if len(expr.args) < 2:
        help_ = f"write `{name}[k](x)` to reduce over an index, or `{name}(a, b)`"
        raise fault("HST1011", f"`{name}` takes two arguments or more", expr.span, help_)
    total, *rest = (s.value(a, scope) for a in expr.args)
    for other in rest:
        total = s.nodes.map(name, (total, other), expr.span)
    return total


def _convert(s: State, name: str, expr: ast.Call, scope: Scope) -> NodeId:
    (arg,) = _values(s, expr, scope, 1)
    dtype = BITS if name == "bit" else BY_NAME[name]
    if dtype.stores_only and dtype != BITS:
        message = f"`{name}` only stores: nothing is computed in it"
        raise fault("HST2015", message, expr.name.span, "convert to i32 or f32")
    if dtype.kind is Kind.BOOL and s.nodes[arg].dtype.is_float:
        need_condition(s, arg, expr.args[0].span, f"what `{name}` takes")
    return s.nodes.cast(arg, dtype, expr.span)


def _read_bit(s: State, expr: ast.Call, scope: Scope) -> NodeId:
    """``bit(w, j)`` is whether bit ``j`` of the integer ``w`` is set."""
    word, place = _values(s, expr, scope, 2)
    need_integer(s, word, expr.args[0].span, "the first argument of `bit`")
    need_integer(s, place, expr.args[1].span, "the second argument of `bit`")
    shifted = s.nodes.map("shr", (word, place), expr.span)
    lowest = s.nodes.map("bitand", (shifted, s.nodes.const(1)), expr.span)
    return s.nodes.map("ne", (lowest, s.nodes.const(0)), expr.span)


# ------------------------------------------------------------------------ functions of the program
def apply_fn(s: State, expr: ast.Call, scope: Scope, extra: Sequence[Argument] = ()) -> NodeId:
    """Return the body of a ``fn`` or ``pattern`` at its arguments and, last, ``extra``."""
    fn = s.program.fns[expr.name.name]
    args = [*(_argument(s, a, scope) for a in expr.args), *extra]
    if len(args) != len(fn.params):
        message = f"`{fn.name.name}` takes {counted(len(fn.params), 'argument')}, not {len(args)}"
        note = Note("declared here", fn.name.span)
        help_ = f"write `{_signature(fn)}`"
        raise fault("HST1011", message, expr.span, help_, note)
    names: dict[str, Argument] = {p.name: a for p, a in zip(fn.params, args, strict=True)}
    names |= _options(s, expr, fn, scope)
    key = ("fn", fn.name.name, *names.values())
    if key not in s.inlined:
        node = s.value(fn.body, Scope(names=names))
        if fn.word == "pattern":
            need_condition(s, node, fn.body.span, f"the pattern `{fn.name.name}`")
        s.inlined[key] = node
    return s.inlined[key]


def _signature(fn: ast.FnDecl) -> str:
    options = "; " + ", ".join(f"{o.name} = …" for o in fn.options) if fn.options else ""
    return f"{fn.name.name}({', '.join(p.name for p in fn.params)}{options})"


def _argument(s: State, expr: ast.Expr, scope: Scope) -> Argument:
    """A table may be handed over by its name."""
    found = scope.find(expr.name) if isinstance(expr, ast.Name) else None
    if isinstance(found, Table) and found.names is None and found.shape:
        return found
    return Value(s.value(expr, scope))


def _options(s: State, expr: ast.Call, fn: ast.FnDecl, scope: Scope) -> dict[str, Argument]:
    wanted = [o.name for o in fn.options]
    found: dict[str, Argument] = {}
    for n, option in enumerate(expr.options):
        name = option.name.name if option.name else (wanted[n] if n < len(wanted) else "")
        if name not in wanted or name in found:
            what = "is given twice" if name in found else f"is no option of `{fn.name.name}`"
            help_ = meant(name, wanted, f"write `{_signature(fn)}`")
            raise fault("HST1012", f"`{name or 'this'}` {what}", option.span, help_)
        found[name] = _argument(s, option.value, scope)
    for name in wanted:
        if name not in found:
            message = f"`{fn.name.name}` needs the option `{name}`"
            raise fault("HST1012", message, expr.span, f"write `{_signature(fn)}`")
    # In the order of the declaration, so that equal uses are known to be equal.
    return {name: found[name] for name in wanted}
