"""Products as lists of factors: what may leave a sum, and how the rest is grouped."""

from __future__ import annotations

from hastec.ir.graph import Const, Map, NodeId, SizeOf
from hastec.ir.graph_builder import GraphBuilder

TINY = 1.1754943508222875e-38
"""The smallest normal f32: what a size used as a divisor is kept above."""


def factors(b: GraphBuilder, node: NodeId) -> list[NodeId]:
    """Return nodes whose product is ``node``; divisors that are sizes become reciprocals."""
    at = b.nodes[node]
    match at.op:
        case Map("mul", (left, right)) if at.dtype.is_float:
            return [*factors(b, left), *factors(b, right)]
        case Map("div", (left, right)) if at.dtype.is_float and from_sizes(b, right):
            one = b.const(1.0, at.dtype)
            divisor = b.map("max", _floating(b, right), b.const(TINY, at.dtype))
            return [*factors(b, left), b.map("div", one, divisor)]
        case _:
            return [node]


def _floating(b: GraphBuilder, node: NodeId) -> NodeId:
    return node


def from_sizes(b: GraphBuilder, node: NodeId) -> bool:
    """Whether a value is made of numbers and sizes only, so that it is finite for all data."""
    match b.nodes[node].op:
        case Const(value):
            return value == value and abs(value) not in (0, float("inf"))
        case SizeOf():
            return True
        case Map(fn, args) if fn in ("cast", "sqrt", "mul", "add", "max", "div", "exp2"):
            return all(from_sizes(b, a) for a in args)
        case _:
            return False


def guarded_inverse(b: GraphBuilder, node: NodeId) -> bool:
    """Whether a value is ``where(l == 0, 0, 1 / l)``: 0 exactly when a sum beside it is empty."""
    match b.nodes[node].op:
        case Map("where", (test, zero, _)):
            is_zero = b.nodes[zero].op == Const(0.0)
            return is_zero and isinstance(t := b.nodes[test].op, Map) and t.fn == "eq"
        case _:
            return False


def product(b: GraphBuilder, parts: list[NodeId]) -> NodeId:
    """Return the product of factors, multiplied from left to right."""
    total = parts[0]
    for part in parts[1:]:
        total = b.map("mul", total, part)
    return total


def leaves(b: GraphBuilder, node: NodeId, ranks: tuple[str, ...]) -> bool:
    """Whether a factor may be taken out of a sum over ``ranks`` without changing any result."""
    if set(b.nodes[node].ranks) & set(ranks):
        return False
    return from_sizes(b, node) or guarded_inverse(b, node)


def paired(b: GraphBuilder, parts: list[NodeId], ranks: tuple[str, ...]) -> list[NodeId]:
    """Group three or more factors of a sum over ``ranks`` into two, if each then has ranks of its
    own: the form of a matrix product.

    A factor joins the one that covers its ranks; what is left must be two.
    """
    groups: list[list[NodeId]] = [[p] for p in parts]
    changed = True
    while len(groups) > 2 and changed:
        changed = False
        for small in sorted(groups, key=lambda g: len(_outer(b, g, ranks))):
            hosts = [g for g in groups if g is not small]
            fits = [g for g in hosts if _outer(b, small, ranks) <= _outer(b, g, ranks)]
            if fits:
                fits[0].extend(small)
                groups.remove(small)
                changed = True
                break
    return [product(b, sorted(g, key=parts.index)) for g in groups]


def _outer(b: GraphBuilder, group: list[NodeId], ranks: tuple[str, ...]) -> frozenset[str]:
    return frozenset(r for p in group for r in b.nodes[p].ranks if r not in ranks)
