"""One rank for indices with the same range, so that equal values are one value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hastec.ir.graph import (
    Access,
    Define,
    Graph,
    Index,
    Input,
    Node,
    NodeId,
    Op,
    Present,
    Rank,
    Reduce,
    Select,
    Softmax,
    Update,
    binds,
    operands,
)
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.infer import over
from hastec.ir.rewrite import drop_dead, rewrite


def unify(graph: Graph) -> Graph:
    """Rename an index to an earlier one with the same bounds, where no value varies over both.

    Reductions that read different sparse tables keep indices of their own, so that each can be
    led by what it skips.

    before: ``m = max[j](s[j]); l = sum[j.1](exp(s[j.1] - m))``; after: both over ``j``
    """
    for later in reversed(graph.ranks):
        for earlier in _alike(graph, later):
            skipped = {*_sparse(graph, earlier), *_sparse(graph, later.name)}
            if len(skipped) <= 1 and _apart(graph, earlier, later.name):
                graph = _rename(graph, later.name, earlier)
                break
    return graph


def _alike(graph: Graph, later: Rank) -> list[str]:
    """Return earlier ranks with the same range, those that index the same dimensions first."""
    names = [r.name for r in graph.ranks]
    before = graph.ranks[: names.index(later.name)] if later.name in names else ()
    places = _places(graph)
    mine = places.get(later.name, frozenset())

    def likeness(rank: Rank) -> tuple[int, bool]:
        stem = rank.name.split(".")[0] == later.name.split(".")[0]
        return len(mine & places.get(rank.name, frozenset())), stem

    same = [r for r in before if (r.lo, r.hi) == (later.lo, later.hi)]
    return [r.name for r in sorted(same, key=likeness, reverse=True)]


def _places(graph: Graph) -> dict[str, frozenset[tuple[NodeId, int]]]:
    """Return, for every rank, the dimensions of tables that it alone indexes."""
    found: dict[str, set[tuple[NodeId, int]]] = {}
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Access | Present):
            for n, sub in enumerate(op.subs):
                index = graph.node(sub).op
                if isinstance(index, Index):
                    found.setdefault(index.rank, set()).add((op.table, n))
        elif isinstance(op, Define):
            for n, rank in enumerate(op.ranks):
                found.setdefault(rank, set()).add((node.id, n))
    return {rank: frozenset(places) for rank, places in found.items()}


def _sparse(graph: Graph, rank: str) -> set[frozenset[NodeId]]:
    """Return, for each reduction over a rank, the inputs it reads that are sparse along it."""
    return {
        frozenset(_read_along(graph, node, rank))
        for node in graph.nodes
        if isinstance(node.op, Reduce) and rank in node.op.ranks
    }


def _read_along(graph: Graph, reduce: Node, rank: str) -> Iterator[NodeId]:
    left, seen = [*operands(reduce.op)], set[NodeId]()
    while left:
        at = left.pop()
        op = graph.node(at).op
        if at in seen or (isinstance(op, Reduce) and rank in op.ranks):
            continue
        seen.add(at)
        if isinstance(op, Access | Present):
            subs = [graph.node(s).op for s in op.subs]
            if any(sub == Index(rank) and _skips(graph, op.table, n) for n, sub in enumerate(subs)):
                yield op.table
        left += operands(op)


def _skips(graph: Graph, table: NodeId, number: int) -> bool:
    """Whether an input may leave out coordinates of a dimension."""
    op = graph.node(table).op
    param = graph.param(op.name) if isinstance(op, Input) else None
    if param is None or param.format is None:
        return param is not None and param.sparse
    fmt, lead = param.format, len(param.shape) - len(param.format.dims)
    levels = [lv for part in fmt.parts for lv in part.levels] if number >= lead else []
    return any(lv.kind != "dense" for lv in levels if lv.coord.dim == fmt.dims[number - lead])


def _apart(graph: Graph, left: str, right: str) -> bool:
    """Whether no node varies over both ranks, and neither is bound where the other is needed."""
    for node in graph.nodes:
        ranks = {*node.ranks, *over(node.op)}
        if left in ranks and right in ranks:
            return False
    pair = frozenset((left, right))
    return not any(_clash(graph, node, pair) for node in graph.nodes if pair & {*binds(node.op)})


def _clash(graph: Graph, binder: Node, pair: frozenset[str]) -> bool:
    """Whether a reduction over one rank of ``pair`` must run while ``binder`` has placed the other.

    One that depends on nothing bound in between can run before; below a definition none can.
    """
    nodes = graph.by_id
    bound = frozenset(binds(binder.op))
    other = pair - bound
    stack = [(o, bound, frozenset[str]()) for o in operands(binder.op)]
    seen: set[tuple[NodeId, frozenset[str], frozenset[str]]] = set()
    while stack:
        entry = stack.pop()
        if entry in seen:
            continue
        seen.add(entry)
        at, held, needed = entry
        op = nodes[at].op
        varies = needed | frozenset(nodes[at].ranks)
        mine = frozenset(binds(op))
        table = isinstance(op, Define | Update | Select)
        clash = varies & held or not isinstance(binder.op, Reduce | Softmax)
        if clash and not table and mine & other:
            return True
        inside = held if table else held | mine
        stack += [(o, inside, varies if nodes[o].is_table else needed) for o in operands(op)]
    return False


def _rename(graph: Graph, old: str, new: str) -> Graph:
    def rule(b: GraphBuilder, node: Node) -> NodeId | None:
        op = _renamed(node.op, old, new)
        return None if op == node.op else b.add(op, node.dtype, node.shape, node.span)

    done = rewrite(graph, rule)
    return drop_dead(replace(done, ranks=tuple(r for r in done.ranks if r.name != old)))


def _renamed(op: Op, old: str, new: str) -> Op:
    def name(rank: str) -> str:
        return new if rank == old else rank

    match op:
        case Index(rank):
            return Index(name(rank))
        case Reduce(monoid, ranks, guards, args):
            return Reduce(monoid, tuple(map(name, ranks)), guards, args)
        case Softmax(rank, guards, arg):
            return Softmax(name(rank), guards, arg)
        case Define(called, ranks, guards, body):
            return Define(called, tuple(map(name, ranks)), guards, body)
        case Update(table, ranks, subs, guards, body):
            return Update(table, tuple(map(name, ranks)), subs, guards, body)
        case Select(kind, ranks, selected, guards, key, amount, always):
            names = tuple(map(name, ranks))
            return Select(kind, names, name(selected), guards, key, amount, always)
        case _:
            return op
