"""A graph as text, one line a node, in the language that :mod:`hastec.ir.read` reads back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never

from hastec.ir.format import RAW, CodeSpec, Coord, Digit, Format, LevelSpec, Part
from hastec.ir.graph import (
    Access,
    Const,
    Convert,
    Decision,
    Define,
    Graph,
    Index,
    Input,
    Map,
    Monoid,
    Node,
    NodeId,
    Op,
    Param,
    Present,
    Rank,
    Reduce,
    Region,
    Select,
    SizeOf,
    Softmax,
    Term,
    Update,
)
from hastec.ir.lex import quoted, show_span, string

ShowSchedule = Callable[[object], str]


def show_graph(graph: Graph, schedule: ShowSchedule | None = None) -> str:
    """Return ``graph`` as text that :func:`hastec.ir.read.read_graph` reads back as an equal graph.

    ``schedule`` prints the schedule of a region, by default as ``str``.
    """
    lines = [*_declarations(graph), *_ranks(graph)]
    lines += [f"{show_node(n)}{show_span(n.span)}" for n in graph.nodes]
    lines += _decisions(graph, schedule or str)
    body = "".join(f"  {line}\n" if line else "\n" for line in lines)
    return f"graph {quoted(graph.name)}({', '.join(graph.sizes)}) {{\n{body}}}\n"


def _declarations(graph: Graph) -> list[str]:
    lines = [f"{show_param(p)}{show_span(p.span)}" for p in graph.params]
    for monoid in graph.monoids:
        lines += _monoid(monoid)
    return lines


def _ranks(graph: Graph) -> list[str]:
    nodes = {n.id: n for n in graph.nodes}
    return [_rank(r, nodes) for r in graph.ranks]


def _decisions(graph: Graph, schedule: ShowSchedule) -> list[str]:
    lines = [f"output {quoted(name)} = %{node}" for name, node in graph.outputs]
    lines += [f"law %{law.on} floor %{law.floor} {_refs(law.reduces)}" for law in graph.laws]
    lines += [f"format %{node}: {show_format(fmt)}" for node, fmt in graph.formats]
    for region in graph.regions:
        lines += _region(region, schedule)
    lines += [f"hint {quoted(name)} = {value}" for name, value in graph.hints]
    lines += [f"candidate %{node}: {show_format(fmt)}" for node, fmt in graph.candidates]
    for decision in graph.decisions:
        lines += _decision(decision)
    return lines + [f"passed {quoted(name)}" for name in graph.passed]


def _decision(decision: Decision) -> list[str]:
    text = ", ".join(string(t) for t in (decision.subject, decision.chosen, decision.reason))
    return [
        f"decision {text}",
        *(f"rejected {string(what)}, {string(why)}" for what, why in decision.rejected),
    ]


# ------------------------------------------------------------------------------------ declarations
def show_param(param: Param) -> str:
    """Return the declaration of one table."""
    words = [f"{param.role} {quoted(param.name)}:"]
    words += [param.time] if param.time != "step" else []
    words += ["sparse"] if param.sparse else []
    words += ["host"] if param.host else []
    shape = f"[{', '.join(str(s) for s in param.shape)}]" if param.shape else ""
    words.append(f"{param.dtype}{shape}")
    words += [f"fill {show_number(param.fill)}"] if repr(param.fill) != "0.0" else []
    words += [f"like {quoted(param.like)}"] if param.like else []
    words += [f"cap {param.cap}"] if param.cap else []
    words += [f"@ {show_format(param.format)}"] if param.format else []
    return " ".join(words)


def show_format(fmt: Format) -> str:
    """Return a format with every field, so that it reads back equal."""
    arguments = ", ".join(f"{quoted(k)} = {v}" for k, v in fmt.arguments)
    dims = ", ".join(quoted(d) for d in fmt.dims)
    parts = [f"({_part(p)})" for p in fmt.parts]
    head = f"{quoted(fmt.name)}({dims}{'; ' + arguments if arguments else ''})"
    cut = f" cut {quoted(fmt.cut.dim)} < {quoted(fmt.cut.bound)}" if fmt.cut else ""
    return f"{head} = {' + '.join(parts)}{cut}"


def _part(part: Part) -> str:
    text = ", ".join(_level(level) for level in part.levels)
    text += f" values {_code(part.values)}" if part.values != RAW else ""
    text += f" index {_code(part.index)}" if part.index != CodeSpec("i32") else ""
    return text + (f" order [{', '.join(_digit(d) for d in part.order)}]" if part.order else "")


def _level(level: LevelSpec) -> str:
    options = ", ".join(f"{quoted(k)} = {_option(v)}" for k, v in level.options)
    return f"{quoted(level.kind)}({_coord(level.coord)}{'; ' + options if options else ''})"


def _option(value: int | str | Coord) -> str:
    match value:
        case int():
            return str(value)
        case str():
            return f"name {quoted(value)}"
        case Coord():
            return _coord(value)


def _coord(coord: Coord) -> str:
    # A divisor without an operation means nothing, but what exists must print.
    return quoted(coord.dim) + (f" {coord.op} {coord.by}" if coord.op else "")


def _code(code: CodeSpec) -> str:
    options = ", ".join(f"{quoted(k)} = {v}" for k, v in code.options)
    return quoted(code.name) + (f"({options})" if options else "")


def _digit(digit: Digit) -> str:
    div = f" / {digit.div}" if digit.div != 1 else ""
    return f"{digit.level}{div}" + (f" % {digit.extent}" if digit.extent else "")


def _monoid(monoid: Monoid) -> list[str]:
    params = ", ".join(quoted(p) for p in monoid.params)
    return [
        f"monoid {quoted(monoid.name)}({params}) {{{show_span(monoid.span)}",
        f"  one {_fields(monoid.fields, monoid.one)}",
        f"  none {_fields(monoid.fields, monoid.none)}",
        f"  merge {_fields(monoid.fields, monoid.merge)}",
        f"  give {show_term(monoid.give)}",
        "}",
    ]


def _fields(names: tuple[str, ...], terms: tuple[Term, ...]) -> str:
    return ", ".join(f"{quoted(n)} = {show_term(t)}" for n, t in zip(names, terms, strict=False))


def show_term(term: object) -> str:
    """Return an expression of a monoid: ``g``, ``a.p``, ``.h`` (a field of the result), ``2``."""
    match term:
        case ("const", bool() | int() | float() as value):
            return show_number(value)
        case ("param", str(name)):
            return quoted(name)
        case ("state", str(side), str(name)):
            return f"{side}.{name}"
        case ("field", str(name)):
            return f".{name}"
        case (str(fn), *parts):
            return f"{quoted(fn)}({', '.join(show_term(p) for p in parts)})"
        case str():
            return f"type {quoted(term)}"
        case _:
            return f"?{term!r}"


def _rank(rank: Rank, nodes: dict[NodeId, Node]) -> str:
    extent = f" extent {rank.extent}" if rank.extent is not None else ""
    text = f"rank {quoted(rank.name)}: %{rank.lo} .. %{rank.hi}{extent}{show_span(rank.span)}"
    plain = (_plain(nodes.get(rank.lo)), _plain(nodes.get(rank.hi)))
    note = f"{plain[0]} .. {plain[1]}" if all(plain) else ""
    return text + (("  " if rank.span else "   # ") + note if note else "")


def _plain(node: Node | None) -> str:
    """A bound that needs no other node, as people write it."""
    match node:
        case Node(op=Const(value)):
            return show_number(value)
        case Node(op=SizeOf(size)):
            return str(size)
        case _:
            return ""


# ------------------------------------------------------------------------------------------- nodes
def show_node(node: Node) -> str:
    """Return one node: ``%7: f32{m, n} = reduce sum[k](%6)``; a table shows its shape."""
    ranks = f"{{{_names(node.ranks)}}}" if node.ranks else ""
    shape = "" if node.shape is None else f"[{', '.join(str(s) for s in node.shape)}]"
    return f"%{node.id}: {node.dtype}{shape}{ranks} = {show_op(node.op)}"


def show_op(op: Op) -> str:
    """Return what a node does."""
    match op:
        case Input(name):
            return f"input {quoted(name)}"
        case Const(value):
            return f"const {show_number(value)}"
        case SizeOf(size):
            return f"size {size}"
        case Index(rank):
            return f"index {quoted(rank)}"
        case Map(fn, args):
            return f"{quoted(fn)}{_refs(args)}"
        case Access(table, subs):
            return f"access %{table}{_subs(subs)}"
        case Present(table, subs):
            return f"present %{table}{_subs(subs)}"
        case Convert(table, fmt):
            return f"convert %{table} to {show_format(fmt)}"
        case Reduce() | Softmax() | Select() | Define() | Update():
            return _show_binder(op)
        case _ as never:
            assert_never(never)


def _show_binder(op: Reduce | Softmax | Select | Define | Update) -> str:
    match op:
        case Reduce(monoid, ranks, guards, args):
            return f"reduce {quoted(monoid)}{_bracket(ranks, guards)}{_refs(args)}"
        case Softmax(rank, guards, arg):
            return f"softmax{_bracket((rank,), guards)}(%{arg})"
        case Define(name, ranks, guards, body):
            return f"define {quoted(name)}{_bracket(ranks, guards)} = %{body}"
        case Update(table, ranks, subs, guards, body):
            return f"update %{table}{_subs(subs)} over {_bracket(ranks, guards)} = %{body}"
        case Select(kind, ranks, over, guards, key, amount, always):
            text = f"select {kind}{_bracket(ranks, guards)} over {quoted(over)} key %{key}"
            text += "" if amount is None else f" amount %{amount}"
            return text + (f" always {_refs(always)}" if always else "")


def _bracket(ranks: tuple[str, ...], guards: tuple[NodeId, ...]) -> str:
    shown = f"; {', '.join(f'%{g}' for g in guards)}" if guards else ""
    return f"[{_names(ranks)}{shown}]"


def _names(names: Iterable[str]) -> str:
    return ", ".join(quoted(n) for n in names)


def _refs(ids: tuple[NodeId, ...]) -> str:
    return f"({', '.join(f'%{i}' for i in ids)})"


def _subs(ids: tuple[NodeId, ...]) -> str:
    return f"[{', '.join(f'%{i}' for i in ids)}]"


def show_number(value: bool | int | float) -> str:
    """Return a literal that keeps its kind: ``true``, ``3``, ``3.0``, ``-inf``."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


# --------------------------------------------------------------------------------------- decisions
def _region(region: Region, schedule: ShowSchedule) -> list[str]:
    lines = [f"region {quoted(region.name)} {_refs(region.stores)}"]
    if region.schedule is not None:
        lines += [f"  | {line}" for line in schedule(region.schedule).split("\n")]
    return lines
