"""Types and ranks of nodes, from their operands: the one statement of these rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hastec.diag import InternalError
from hastec.ir.graph import (
    Access,
    Const,
    Convert,
    Define,
    Index,
    Input,
    Map,
    Monoid,
    Node,
    NodeId,
    Op,
    Present,
    Rank,
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Term,
    Update,
    binds,
    operands,
)
from hastec.ir.scalars import SCALARS, Result, result_type
from hastec.ir.types import BOOL, BY_NAME, F32, I32, I64, DType, compute_type

Nodes = Mapping[NodeId, Node]
Ranks = Mapping[str, Rank]

MAX_FIELD_ROUNDS = 8
"""Types only widen along i32, i64, f32, f64, so a state settles well within this many rounds."""


def over(op: Op) -> tuple[str, ...]:
    """Return the ranks whose ranges ``op`` runs through: those it binds, and softmax's own."""
    return (op.rank,) if isinstance(op, Softmax) else binds(op)


def needs(op: Op, ranks: Ranks) -> tuple[NodeId, ...]:
    """Return all nodes ``op`` is computed from: bounds of the ranks it runs over, then operands."""
    names = (op.rank,) if isinstance(op, Index) else over(op)
    bounds = (b for name in names for b in (ranks[name].lo, ranks[name].hi))
    return (*bounds, *operands(op))


def ranks_of(op: Op, nodes: Nodes, ranks: Ranks) -> tuple[str, ...]:
    """Return the ranks ``op`` varies over: its operands' and its ranges', without those it binds.

    Order is that of first appearance. Only the set matters for meaning.
    """
    if isinstance(op, Index):
        return (op.rank,)
    found: dict[str, None] = {}
    for operand in operands(op):
        found.update(dict.fromkeys(nodes[operand].ranks))
    if isinstance(op, Softmax):
        found[op.rank] = None
    for name in over(op):
        for bound in (ranks[name].lo, ranks[name].hi):
            found.update(dict.fromkeys(nodes[bound].ranks))
    return tuple(r for r in found if r not in binds(op))


def dtype_of(op: Op, nodes: Nodes, monoids: Iterable[Monoid] = ()) -> DType | None:
    """Return the type of ``op``; None where the node states it (inputs, constants, casts …)."""
    match op:
        case SizeOf() | Index():
            return I64
        case Map(fn, args):
            given = SCALARS[fn].result is Result.GIVEN
            return None if given else result_type(fn, tuple(nodes[a].dtype for a in args))
        case Access(table, _) | Convert(table, _) | Update(table, _, _, _, _):
            return nodes[table].dtype
        case Present() | Select():
            return BOOL
        case Reduce(monoid, _, _, args):
            return _reduced(monoid, tuple(nodes[a].dtype for a in args), monoids)
        case Softmax(_, _, arg):
            return result_type("exp", (nodes[arg].dtype,))
        case Input() | Const() | Define():
            return None


def _reduced(monoid: str, args: tuple[DType, ...], monoids: Iterable[Monoid]) -> DType:
    match monoid:
        case "sum" | "prod" | "max" | "min":
            return compute_type(args)
        case "mean" | "lse":
            return result_type("exp", args)
        case "any" | "all":
            return BOOL
        case "argmax" | "argmin":
            return I64
        case _:
            declared = next(m for m in monoids if m.name == monoid)
            return monoid_types(declared, args)[1]


def monoid_types(monoid: Monoid, args: tuple[DType, ...]) -> tuple[tuple[DType, ...], DType]:
    """Return the types of the state's fields and of the result, for elements of types ``args``.

    A field has the computing type that holds its element, its empty state and its merge.
    """
    params: dict[Term, DType] = {("param", n): t for n, t in zip(monoid.params, args, strict=True)}
    pairs = zip(monoid.one, monoid.none, strict=True)
    fields = tuple(compute_type((term_type(a, params), term_type(b, params))) for a, b in pairs)
    for _ in range(MAX_FIELD_ROUNDS):
        known = dict(params)
        done = dict(params)
        for name, dtype in zip(monoid.fields, fields, strict=True):
            known |= {("state", "a", name): dtype, ("state", "b", name): dtype}
            done |= {("field", name): dtype}
        merged = (term_type(m, known) for m in monoid.merge)
        wider = tuple(compute_type((f, m)) for f, m in zip(fields, merged, strict=True))
        if wider == fields:
            return fields, term_type(monoid.give, done)
        fields = wider
    raise InternalError(f"the state of monoid {monoid.name} has no type")


def term_type(term: object, leaves: Mapping[Term, DType]) -> DType:
    """Return the type of a monoid's expression; ``leaves`` types its parameters and fields.

    A conversion states its type by name: ``("cast", "f32", term)``.
    """
    if isinstance(term, tuple) and term in leaves:
        return leaves[term]
    match term:
        case ("const", bool()):
            return BOOL
        case ("const", int(value)):
            return I32 if -(2**31) <= value < 2**31 else I64
        case ("const", _):
            return F32
        case ("cast", str(name), _):
            return BY_NAME[name]
        case (str(fn), *parts):
            return result_type(fn, tuple(term_type(p, leaves) for p in parts))
        case _:
            raise InternalError(f"not an expression of a monoid: {term!r}")


def const_type(value: bool | int | float) -> DType:
    """Return the type of a literal: bool, i32 (i64 if it does not fit) or f32."""
    return term_type(("const", value), {})
