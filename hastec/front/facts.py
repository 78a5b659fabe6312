"""What is evaluated behind which conditions, and what those conditions say about integers."""

from __future__ import annotations

from collections.abc import Iterator

from hastec.front.nodes import Nodes
from hastec.front.prove import Prover
from hastec.ir.graph import (
    Access,
    Define,
    Map,
    NodeId,
    Op,
    Present,
    Reduce,
    Select,
    Softmax,
    Update,
    binds,
)
from hastec.sym.size import Size

Facts = tuple[Size, ...]
"""Forms that are at least 0; see :mod:`hastec.front.prove`."""
_OPPOSITE = {"lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "eq": "ne", "ne": "eq"}


def facts_of(prover: Prover, condition: NodeId, truth: bool) -> Facts:
    """Return what ``condition`` being ``truth`` says."""
    found: list[Size] = []
    todo = [(condition, truth)]
    while todo:
        node, truth = todo.pop()
        match prover.nodes[node].op:
            case Map("not", (arg,)):
                todo.append((arg, not truth))
            case Map("and" | "or" as fn, args) if truth == (fn == "and"):
                todo += [(arg, truth) for arg in args]
            case Map(fn, (left, right)) if fn in _OPPOSITE:
                integers = all(prover.nodes[n].dtype.is_integer for n in (left, right))
                if integers:
                    a, b = prover.form(left), prover.form(right)
                    found += _comparison(prover, fn if truth else _OPPOSITE[fn], a, b)
            case _:
                pass
    return tuple(found)


def _comparison(prover: Prover, fn: str, a: Size, b: Size) -> tuple[Size, ...]:
    match fn:
        case "lt":
            return (b - a - 1,)
        case "le":
            return (b - a,)
        case "gt":
            return (a - b - 1,)
        case "ge":
            return (a - b,)
        case "eq":
            return (a - b, b - a)
        case _:
            # Not equal, and never less: greater.
            sides = (a - b, b - a)
            return tuple(side - 1 for side in sides if prover.holds(side))


def parts(nodes: Nodes, prover: Prover, op: Op, facts: Facts) -> Iterator[tuple[NodeId, Facts]]:
    """Yield the values ``op`` evaluates, each with the facts it stands behind.

    Tables that are read are not among them: they are computed on their own.
    """
    for rank in binds(op):
        yield nodes.ranks[rank].lo, facts
        yield nodes.ranks[rank].hi, facts
    match op:
        case Map("and" | "or" as fn, (left, right)):
            yield left, facts
            yield right, (*facts, *facts_of(prover, left, fn == "and"))
        case Map("where", (condition, then, other)):
            yield condition, facts
            yield then, (*facts, *facts_of(prover, condition, True))
            yield other, (*facts, *facts_of(prover, condition, False))
        case Map(_, values) | Access(_, values) | Present(_, values):
            yield from ((v, facts) for v in values)
        case Reduce(_, _, guards, values):
            yield from _behind(prover, guards, values, facts)
        case Softmax(_, guards, value) | Define(_, _, guards, value):
            yield from _behind(prover, guards, (value,), facts)
        case Update(_, _, subs, guards, body):
            yield from _behind(prover, guards, (*subs, body), facts)
        case Select(_, _, _, guards, key, amount, always):
            if amount is not None:
                yield amount, facts
            yield from _behind(prover, guards, (key, *always), facts)
        case _:
            return


def _behind(
    prover: Prover, guards: tuple[NodeId, ...], values: tuple[NodeId, ...], facts: Facts
) -> Iterator[tuple[NodeId, Facts]]:
    for guard in guards:
        yield guard, facts
        facts = (*facts, *facts_of(prover, guard, True))
    yield from ((v, facts) for v in values)
