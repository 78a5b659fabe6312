"""One kernel: its tables, its statements, and what must hold at its end."""

from __future__ import annotations

from collections.abc import Iterator

from hastec.diag import Diagnostic, HasteError, Note, Span
from hastec.front.bounds import check_bounds
from hastec.front.declare import check_sizes, declare
from hastec.front.expr import evaluate
from hastec.front.extents import infer_extents
from hastec.front.fault import Abandon, fault
from hastec.front.finish import finish, live
from hastec.front.formats import Catalogue
from hastec.front.nodes import MAX_NODES, Nodes
from hastec.front.ranks import declared_span, two_meanings
from hastec.front.scope import Broken, Table
from hastec.front.sizes import is_size, size_names
from hastec.front.state import Program, State
from hastec.front.statement import statement
from hastec.front.stored import check_stored
from hastec.grammar import ast
from hastec.grammar.parser import MAX_ERRORS
from hastec.ir.graph import Graph, Input, NodeId, Param
from hastec.ir.types import BY_NAME


def build_kernel(decl: ast.KernelDecl, program: Program, catalogue: Catalogue) -> Graph:
    """Return the graph of a kernel; raises ``HasteError`` with all that is wrong with it."""
    s = State(program, Nodes(decl.name.span), evaluate)
    _declare(s, decl, catalogue)
    _raise(s)
    s.later = {stmt.target.name: stmt.target.span for stmt in reversed(decl.body)}
    for stmt in decl.body:
        _statement(s, stmt)
        if len(s.problems) >= MAX_ERRORS or len(s.nodes.all) >= MAX_NODES:
            break
    _raise(s)
    outputs = _outputs(s, decl)
    _raise(s)
    order = live(s.nodes, list(outputs.values()))
    s.problems += check_bounds(s.nodes, s.open, order)
    s.problems += check_stored(s.nodes, order, s.params, outputs)
    _raise(s)
    infer_extents(s.nodes, order)
    return finish(decl.name.name, tuple(s.params.values()), s.nodes, outputs)


def _raise(s: State) -> None:
    if s.problems:
        raise HasteError(*s.problems)


def _statement(s: State, stmt: ast.Statement) -> None:
    """Read a statement; after an error its name stands for something broken."""
    name = stmt.target.name
    known = s.tables.get(name)
    try:
        statement(s, stmt)
    except HasteError as error:
        s.problems += error.diagnostics
        s.tables.setdefault(name, Broken(stmt.target.span))
    except Abandon:
        s.tables.setdefault(name, Broken(stmt.target.span))
    s.later.pop(name, None)
    if known is None and name in s.params and name not in s.tables:
        s.tables[name] = Broken(stmt.target.span)


# ------------------------------------------------------------------------------------- declarations
def _declare(s: State, decl: ast.KernelDecl, catalogue: Catalogue) -> None:
    params = [(p, False) for p in decl.params] + [(p, True) for p in decl.outputs]
    scalars = dict(_cut_names(decl))
    for param, output in params:
        try:
            _check_name(s, param.name)
            _enter(s, declare(param, catalogue, scalars, output=output), param)
        except HasteError as error:
            s.problems += error.diagnostics
    if s.problems:
        return
    for param, _ in params:
        s.problems += _like(s, param)
        s.problems += _size_clash(s, param)
    try:
        check_sizes(tuple(s.params.values()))
    except HasteError as error:
        s.problems += error.diagnostics


def _cut_names(decl: ast.KernelDecl) -> Iterator[tuple[str, Span]]:
    """Yield what a run-time cut may be called: scalar integer inputs and sizes."""
    for param in decl.params:
        dtype = BY_NAME.get(param.dtype.name)
        if not param.shape and dtype and dtype.is_integer:
            yield param.name.name, param.span
    for param in (*decl.params, *decl.outputs):
        for expr in param.shape:
            if isinstance(expr, ast.Name) and is_size(expr.name):
                yield expr.name, expr.span


def _check_name(s: State, name: ast.Ident) -> None:
    if name.name in s.params:
        other = s.params[name.name].span
        notes = (Note("it is declared here", other),) if other else ()
        message = f"`{name.name}` is declared twice"
        raise fault("HST1008", message, name.span, "use another name", *notes)
    other = declared_span(s, name.name)
    if other is not None:
        raise two_meanings(name.name, "a table", name.span, other)


def _enter(s: State, param: Param, decl: ast.Param) -> None:
    s.params[param.name] = param
    for size in size_names(param.shape):
        s.sizes.setdefault(size, decl.span)
    if param.role != "out":
        node = s.nodes.add(Input(param.name), param.span, param.dtype, param.shape)
        s.tables[param.name] = Table(
            param.name, node, param.shape, param.dtype, decl.name.span, partial=param.sparse
        )


def _size_clash(s: State, decl: ast.Param) -> Iterator[Diagnostic]:
    name = decl.name
    if name.name in s.sizes:
        error = two_meanings(name.name, "a table", name.span, s.sizes[name.name])
        yield from error.diagnostics


def _like(s: State, decl: ast.Param) -> Iterator[Diagnostic]:
    if decl.like is None:
        return
    param, other = s.params[decl.name.name], s.params.get(decl.like.name)
    span, help_ = decl.like.span, "name a sparse input of the same shape"
    if param.role != "out":
        message = "only an output takes the pattern of another table"
        yield Diagnostic("HST3009", message, span, "drop `like`")
    elif other is None or other.role == "out":
        yield Diagnostic("HST3009", f"`{decl.like.name}` is no input", span, help_)
    elif other.shape != param.shape or not other.sparse:
        why = "is not sparse" if not other.sparse else "has another shape"
        notes = (Note("declared here", other.span),) if other.span else ()
        yield Diagnostic("HST3009", f"`{other.name}` {why}", span, help_, notes)


# ----------------------------------------------------------------------------------------- outputs
def _outputs(s: State, decl: ast.KernelDecl) -> dict[str, NodeId]:
    found: dict[str, NodeId] = {}
    changed = False
    for param in (*decl.outputs, *decl.params):
        declared = s.params[param.name.name]
        table = s.tables.get(declared.name)
        if declared.role == "in":
            continue
        if not isinstance(table, Table):
            message = f"the output `{declared.name}` is never computed"
            help_ = f"add a statement that defines `{declared.name}`"
            s.problems.append(Diagnostic("HST1007", message, param.span, help_))
            continue
        found[declared.name] = table.node
        changed |= not isinstance(s.nodes[table.node].op, Input)
    if not changed and not s.problems:
        message = f"the kernel `{decl.name.name}` computes nothing"
        help_ = "add an output behind `->`, or update an `inout` table"
        s.problems.append(Diagnostic("HST1019", message, decl.name.span, help_))
    return found
