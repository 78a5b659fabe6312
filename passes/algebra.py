"""Algebra on reductions: derived ones spelled out, factors taken out of sums."""

from __future__ import annotations

from hastec.ir.graph import Const, Graph, Map, Node, NodeId, Reduce, Softmax
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.rewrite import rewrite
from hastec.ir.types import I64, DType
from hastec.passes import products

LOWEST = -3.4028234663852886e38
"""The lowest finite f32: maxima that scores are taken relative to are kept above it."""


I64_MAX = 2**63 - 1


def spell_out(graph: Graph) -> Graph:
    """Write softmax, lse and mean as plain reductions, and take factors out of sums.

    before: ``%5 = softmax[j](%4)``; after: ``%6 = max[j](%4); %8 = max(%6, lowest);
    %9 = exp(%4 - %8); %10 = sum[j](%9); %12 = where(%10 == 0, 0, 1 / %10); %13 = %9 * %12``
    """
    return rewrite(graph, _rule)


def _rule(b: GraphBuilder, node: Node) -> NodeId | None:
    match node.op:
        case Softmax(rank, guards, arg):
            return _softmax(b, rank, guards, arg)
        case Reduce("lse", ranks, guards, (arg,)):
            floor, total = _relative(b, ranks, guards, arg)
            return b.map("add", floor, b.map("log", total))
        case Reduce(("argmax" | "argmin") as which, (rank,), guards, (arg,)):
            return _place(b, "max" if which == "argmax" else "min", rank, guards, arg)
        case Reduce("mean", ranks, guards, (arg,)):
            return _mean(b, node.dtype, ranks, guards, arg)
        case Reduce("sum", ranks, guards, (arg,)) if node.dtype.is_float:
            return _sum(b, ranks, guards, arg)
        case Map("exp", (arg,)):
            return _share(b, arg)
        case _:
            return None


def _relative(
    b: GraphBuilder, ranks: tuple[str, ...], guards: tuple[NodeId, ...], arg: NodeId
) -> tuple[NodeId, NodeId]:
    """Return the maximum of scores, kept finite, and the sum of their exponentials below it."""
    dtype = b.nodes[arg].dtype
    score = arg if dtype.is_float and dtype.bits >= 32 else b.map("add", arg, b.const(0.0))
    most = b.reduce("max", ranks, (score,), guards)
    floor = b.map("max", most, b.const(LOWEST, b.nodes[most].dtype))
    weight = b.map("exp", b.map("sub", score, floor))
    return floor, b.reduce("sum", ranks, (weight,), guards)


def _softmax(b: GraphBuilder, rank: str, guards: tuple[NodeId, ...], arg: NodeId) -> NodeId:
    floor, total = _relative(b, (rank,), guards, arg)
    weight = b.map("exp", b.map("sub", arg, floor))
    share = b.map("mul", weight, _inverse(b, total))
    return behind(b, guards, share, b.const(0.0, b.nodes[total].dtype))


def _inverse(b: GraphBuilder, total: NodeId) -> NodeId:
    """One over a sum; 0 where it is 0, so that nothing over nothing is nothing."""
    dtype = b.nodes[total].dtype
    zero = b.const(0.0, dtype)
    share = b.map("div", b.const(1.0, dtype), total)
    return b.map("where", b.map("eq", total, zero), zero, share)


def behind(b: GraphBuilder, guards: tuple[NodeId, ...], value: NodeId, other: NodeId) -> NodeId:
    """Return ``value`` where all guards hold, tested left to right, else ``other``."""
    if not guards:
        return value
    test = guards[0]
    for guard in guards[1:]:
        test = b.map("and", test, guard)
    return b.map("where", test, value, other)


def _place(
    b: GraphBuilder, monoid: str, rank: str, guards: tuple[NodeId, ...], arg: NodeId
) -> NodeId:
    """The lowest index at which the extremum is reached; -1 where there is none."""
    best = b.reduce(monoid, (rank,), (arg,), guards)
    index = b.index(rank)
    first = b.reduce("min", (rank,), (index,), (*guards, b.map("eq", arg, best)))
    none = b.const(I64_MAX, I64)
    return b.map("where", b.map("eq", first, none), b.const(-1, I64), first)


def _mean(
    b: GraphBuilder,
    dtype: DType,
    ranks: tuple[str, ...],
    guards: tuple[NodeId, ...],
    arg: NodeId,
) -> NodeId:
    total = b.reduce("sum", ranks, (arg,), guards)
    count = b.reduce("sum", ranks, (b.const(1.0, dtype),), guards)
    zero = b.const(0.0, dtype)
    share = b.map("div", total, count)
    return b.map("where", b.map("eq", count, zero), zero, share)


def _sum(
    b: GraphBuilder, ranks: tuple[str, ...], guards: tuple[NodeId, ...], arg: NodeId
) -> NodeId | None:
    parts = products.factors(b, arg)
    out = [p for p in parts if products.leaves(b, p, ranks)]
    inside = [p for p in parts if p not in out]
    if not inside:
        return None
    grouped = products.paired(b, inside, ranks) if len(inside) > 2 else inside
    if not out and (len(inside) <= 2 or len(grouped) > 2):
        return None
    total = b.reduce("sum", ranks, (products.product(b, grouped),), guards)
    return products.product(b, [total, *out])


def _share(b: GraphBuilder, arg: NodeId) -> NodeId | None:
    """exp(s - (floor + log total)) is exp(s - floor) / total: the form a rescale law knows.

    Where every score is -inf that is 0 / 0; like a softmax it is 0 then.
    """
    match b.nodes[arg].op:
        case Map("sub", (score, lse)):
            pass
        case _:
            return None
    match b.nodes[lse].op:
        case Map("add", (floor, log)) if is_floor(b, floor):
            pass
        case _:
            return None
    match b.nodes[log].op:
        case Map("log", (total,)):
            weight = b.map("exp", b.map("sub", score, floor))
            return b.map("mul", weight, _inverse(b, total))
        case _:
            return None


def is_floor(b: GraphBuilder, node: NodeId) -> bool:
    """Whether a value is a maximum kept finite."""
    match b.nodes[node].op:
        case Map("max", (most, lowest)):
            op = b.nodes[most].op
            return b.nodes[lowest].op == Const(LOWEST) and isinstance(op, Reduce)
        case _:
            return False
