"""The two factors of a matrix product, each 0 where a contribution does not count.

A product of tiles adds every pair it holds. What lies outside the range, the pattern or the table
must therefore be 0 in one factor, and must not be an infinity or NaN in the other: a masked load
gives 0, but what is computed from it may be anything (``exp(0 - most)`` of a padded score). A mask
over digits of one factor alone (``j <= i`` of ``V[j, d]``) cannot clean the other, which some rows
see and some do not: then the product is said to leak, and :mod:`hastec.lower.again` sees to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hastec.ir.graph import Access, Map, NodeId, Present, Reduce
from hastec.ir.kernel import Value
from hastec.lower import evaluate as ev
from hastec.lower import tables
from hastec.lower.context import Context
from hastec.lower.work import Refused


@dataclass(frozen=True, slots=True)
class Factors:
    """Two factors and the digits they are summed over.

    ``leaks``: an infinity or NaN of one may stand where the other is 0 for what is left out.
    """

    left: Value
    right: Value
    over: tuple[str, ...]
    leaks: bool = False
    rows: tuple[str, ...] = ()


def factors(c: Context, op: Reduce, tile: tuple[str, ...], masks: tuple[Value, ...]) -> Factors:
    """Return the factors of a sum of products over ``tile``, 0 where a mask is false."""
    nodes, plain = _product(c, op), _operands(c, op, tile)
    left: list[Value] = []
    right: list[Value] = []
    leaks = False
    for mask in masks:
        zeros = [zero(c, node, mask) for node in nodes]
        within = set(mask.digits) <= set(plain.right.digits)
        if not zeros[0] and not (zeros[1] and _stored(c, nodes[0])):
            left.append(mask)
        if not zeros[1] and within and not (zeros[0] and _stored(c, nodes[1])):
            right.append(mask)
        if not within and not zeros[1] and any(_strict(c, g) for g in op.guards):
            raise Refused("only present entries may be touched, and a matrix product reads others")
        leaks |= not ((zeros[0] or mask in left) and (zeros[1] or mask in right))
    a, b = _under(c, left, plain.left), _under(c, right, plain.right)
    return Factors(a, b, plain.over, leaks and a.dtype.is_float, _rows(c, nodes, plain))


def _rows(c: Context, nodes: tuple[NodeId, NodeId], plain: Factors) -> tuple[str, ...]:
    """Return the free digits of what is computed: of the left factor if neither is."""
    both = zip(nodes, (plain.left, plain.right), strict=True)
    found = [v for node, v in both if not _stored(c, node)] or [plain.left]
    return tuple(d for v in found for d in v.digits if d not in plain.over)


def _operands(c: Context, op: Reduce, tile: tuple[str, ...]) -> Factors:
    """Return the factors of a sum of products as they are, with the digits it sums over."""
    a, b = (ev.evaluate(c, node) for node in _product(c, op))
    if a.dtype != b.dtype:
        # A computed factor is rounded to its partner's type: the one rounding inside a kernel.
        narrow = min((a.dtype, b.dtype), key=lambda t: t.bits)
        a, b = c.k.cast(a, narrow), c.k.cast(b, narrow)
    over = tuple(d for d in tile if d in a.digits and d in b.digits)
    if not over:
        raise Refused("a matrix product needs a tile of the summed rank in both factors")
    if any(d in a.digits for d in b.digits if d not in over):
        raise Refused("both factors of a matrix product vary with a tile that is not summed")
    return Factors(a, b, over)


def _product(c: Context, op: Reduce) -> tuple[NodeId, NodeId]:
    body = c.work.nodes[op.args[0]].op
    if not isinstance(body, Map) or body.fn != "mul" or op.monoid != "sum":
        raise Refused("only a sum of products can be a matrix product")
    return body.args[0], body.args[1]


def _under(c: Context, masks: list[Value], value: Value) -> Value:
    mask = c.k.conj(masks)
    return value if mask is None else c.k.apply("where", mask, value, c.k.const(0.0, value.dtype))


def _strict(c: Context, node: NodeId) -> bool:
    """Whether a condition asks which entries a table stores."""
    op = c.work.nodes[node].op
    return isinstance(op, Present) or (isinstance(op, Map) and any(_strict(c, a) for a in op.args))


def _stored(c: Context, node: NodeId) -> bool:
    """Whether a factor is what a table holds, or 0: finite arithmetic may meet it."""
    at = c.work.nodes[node]
    match at.op:
        case Access():
            return True
        case Map("cast" | "neg", (arg,)):
            return _stored(c, arg)
        case _:
            return False


def zero(c: Context, node: NodeId, mask: Value) -> bool:
    """Whether an evaluated node is 0 where ``mask`` is false."""
    at = c.work.nodes[node]
    match at.op:
        case Access(table, _):
            fills = [layout.fill for layout in c.work.layouts[table]]
            return not any(fills) and mask in tables.zero_under(c, node)
        case Map("mul", args):
            # Of floats every factor: one that is not masked may hold an infinity.
            zeros = [zero(c, a, mask) for a in args]
            return all(zeros) if at.dtype.is_float else any(zeros)
        case Map("cast" | "neg", (arg,)):
            return zero(c, arg, mask)
        case _:
            return False
