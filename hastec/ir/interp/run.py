"""Runs a graph: every node it needs, operands first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import numpy as np

from hastec.diag import Diagnostic, HasteError
from hastec.ir.graph import (
    Access,
    Const,
    Convert,
    Define,
    Graph,
    Index,
    Input,
    Map,
    Node,
    NodeId,
    Param,
    Present,
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Update,
)
from hastec.ir.infer import needs
from hastec.ir.interp.points import access, constant, index, mapped, present
from hastec.ir.interp.presence import Presence, like_table
from hastec.ir.interp.reduce import reduced, softmax
from hastec.ir.interp.state import BAD_TABLE, DEFAULT_LIMIT, Run
from hastec.ir.interp.store import defined, held, selected, stores_part, updated
from hastec.ir.interp.table import Held, Table


def run_graph(
    graph: Graph,
    tables: Mapping[str, Table],
    sizes: Mapping[str, int],
    *,
    exact: bool = False,
    limit: int = DEFAULT_LIMIT,
) -> dict[str, Table]:
    """Return what ``graph`` computes: every output and ``inout`` table by name.

    ``tables`` has every input and ``inout`` table, ``sizes`` every size that the shapes of
    ``tables`` do not show. With ``exact``, floats compute in float64 throughout and only outputs
    (and conversions to 16 bits) round; else every operation rounds to the type it computes in,
    except that a sum of floats is added in float64 and rounded once.

    Raises ``HasteError``: HST4901 for an access that is needed and out of range, HST4902 for a
    place written twice, HST4903 if more than ``limit`` elements would be held, HST4904 for a
    division of integers by zero, HST4905 for a table that does not fit its declaration.
    """
    run = Run(graph, bind_sizes(graph, tables, sizes), exact, limit)
    run.given = {p.name: _given(run, p, tables[p.name]) for p in graph.params if p.name in tables}
    presence = Presence(run)
    with np.errstate(all="ignore"):
        for node in _order(graph):
            _evaluate(run, presence, node)
        return {name: _result(run, presence, name, node) for name, node in graph.outputs}


def bind_sizes(
    graph: Graph, tables: Mapping[str, Table], sizes: Mapping[str, int]
) -> dict[str, int]:
    """Return ``sizes`` with those that the shapes of ``tables`` show."""
    known = dict(sizes)
    shapes = [(p, np.shape(tables[p.name].values)) for p in graph.params if p.name in tables]
    for param, shape in shapes:
        if len(shape) != len(param.shape):
            _refuse(param, f"has {len(shape)} dimensions, not {len(param.shape)}")
    names = _size_names(graph)
    # A size may stand alone only in a later table: at least one is found a round.
    for _ in names:
        for param, shape in shapes:
            for size, extent in zip(param.shape, shape, strict=True):
                found = size.solve(extent, known)
                known.update((found,) if found else ())
    missing = [name for name in names if name not in known]
    if missing:
        message = f"the size `{missing[0]}` is not known"
        raise HasteError(Diagnostic(BAD_TABLE, message, None, f"pass `{missing[0]}`"))
    for param, shape in shapes:
        wanted = tuple(s.evaluate(known) for s in param.shape)
        if shape != wanted:
            _refuse(param, f"has shape {shape}, not {wanted}")
    return known


def _advice(param: Param) -> str:
    shape = ", ".join(str(size) for size in param.shape)
    return f"pass `{param.name}` as a table of shape [{shape}]"


def _size_names(graph: Graph) -> tuple[str, ...]:
    extents = (r.extent for r in graph.ranks if r.extent is not None)
    shapes = (size for n in graph.nodes for size in n.shape or ())
    more = (name for size in (*extents, *shapes) for name in size.names())
    return tuple(dict.fromkeys((*graph.sizes, *more)))


def _refuse(param: Param, what: str) -> None:
    message = f"the table given for `{param.name}` {what}"
    raise HasteError(Diagnostic(BAD_TABLE, message, param.span, _advice(param)))


def _given(run: Run, param: Param, table: Table) -> Held:
    if table.present is not None and table.present.shape != table.values.shape:
        _refuse(param, "has another shape than its presence")
    return held(param, table)


def _order(graph: Graph) -> list[Node]:
    """The nodes that the outputs need, operands first."""
    nodes, ranks = graph.by_id, {r.name: r for r in graph.ranks}
    done: dict[NodeId, Node] = {}
    stack = [node for _, node in reversed(graph.outputs)]
    while stack:
        node = nodes[stack[-1]]
        like = like_table(graph, node.op.name) if isinstance(node.op, Define) else None
        asked = (*needs(node.op, ranks), *(() if like is None else (like,)))
        waits = [i for i in asked if i not in done]
        stack.extend(reversed(waits))
        if not waits:
            done.setdefault(node.id, node)
            stack.pop()
    return list(done.values())


def _evaluate(run: Run, presence: Presence, node: Node) -> None:
    match node.op:
        case Input() | Select() | Define() | Update() | Convert():
            run.tables[node.id] = _table(run, presence, node, node.op)
        case Const() | SizeOf():
            run.values[node.id] = constant(run, node, node.op)
        case Index():
            run.values[node.id] = index(run, node.op)
        case Map():
            run.values[node.id] = mapped(run, node, node.op)
        case Access():
            run.values[node.id] = access(run, node, node.op)
        case Present():
            stored = presence.stored(node.op.table)
            run.values[node.id] = present(run, node, node.op, stored)
        case Reduce():
            run.values[node.id] = reduced(run, node, node.op)
        case Softmax():
            run.values[node.id] = softmax(run, node, node.op)
        case _ as never:
            assert_never(never)


def _table(
    run: Run, presence: Presence, node: Node, op: Input | Select | Define | Update | Convert
) -> Held:
    match op:
        case Input(name):
            if name not in run.given:
                _refuse(run.params[name], "is missing")
            return run.given[name]
        case Define():
            return defined(run, node, op, presence.pattern(op.name))
        case Update():
            return updated(run, node, op, presence.stored(op.table))
        case Select():
            return selected(run, node, op)
        case Convert(table, _):
            source = run.tables[table]
            return Held(source.data, presence.stored(table), source.fill)


def _result(run: Run, presence: Presence, name: str, node: NodeId) -> Table:
    table, param = run.tables[node], run.params[name]
    if not stores_part(param):
        return Table(table.data)
    stored = presence.stored(node)
    there = np.ones(table.data.shape, np.bool_) if stored is None else stored
    return Table(table.data, there, param.fill)
