"""Runs nests of reductions: opens the loops, carries states, merges what is left at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import product
from math import prod

from hastec.diag.diagnostic import InternalError
from hastec.ir.define import Loop
from hastec.ir.graph import Access, Law, NodeId, Present, Reduce
from hastec.ir.kernel import Value
from hastec.ir.types import DType
from hastec.lower import evaluate as ev
from hastec.lower import split
from hastec.lower.again import again
from hastec.lower.cluster import Cluster, clusters, pending
from hastec.lower.context import Context, Nest
from hastec.lower.dots import factors, zero
from hastec.lower.monoids import LOWEST, identity, merge, power
from hastec.lower.nest import close_codes, place
from hastec.lower.turns import in_turns, turned
from hastec.lower.work import Refused

SUPPORTED = ("sum", "prod", "max", "min", "any", "all")


@dataclass(slots=True)
class _State:
    """One reduction of a nest: its states in the open loops, and its value so far."""

    node: NodeId
    op: Reduce
    dtype: DType
    chain: list[tuple[Loop, Value]] = field(default_factory=list)
    before: Value | None = None
    value: Value | None = None
    leaks: bool = False
    """Whether what is left out may have made NaN of it."""
    rows: tuple[str, ...] = ()
    """Digits of a leaking sum that are taken one by one when it is formed again."""


def reduce_all(c: Context, roots: tuple[NodeId, ...]) -> None:
    """Compute every reduction that ``roots`` need and that can be computed here."""
    found = clusters(c.work, pending(c.work, roots, tuple(c.coords), c.known()))
    turn = turned(c, (m for cluster in found for m in cluster.members))
    rank = turn[0] if turn is not None else ""
    for cluster in found:
        if not _varies(c, cluster, rank):
            run(c, cluster)
    if turn is not None:
        mine = [cluster for cluster in found if _varies(c, cluster, rank)]
        for node, value in in_turns(c, *turn, lambda: _results(c, mine)).items():
            _remember(c, node, value)


def _varies(c: Context, cluster: Cluster, rank: str) -> bool:
    return any(rank in c.work.nodes[node].ranks for node in cluster.members)


def _results(c: Context, found: list[Cluster]) -> dict[NodeId, Value]:
    """Compute nests, and return what each of their reductions gives."""
    for cluster in found:
        run(c, cluster)
    nodes = (node for cluster in found for node in cluster.members)
    return {node: ev.evaluate(c, node) for node in nodes}


def run(c: Context, cluster: Cluster) -> None:
    """Compute the reductions of one nest and remember their results.

    A table in several parts is iterated one part after the other, each in a pass of its own.
    What several programs share the last of them merges.
    """
    share = split.share(c, cluster.ranks)
    with c.nested(cluster.ranks):
        found: dict[NodeId, Value] = {}
        for choice in _choices(c, cluster):
            with c.parts(choice):
                made = _clean(c, cluster)
            found = _both(c, found, made) if found else made
    if share is not None:
        found = reduce(partial(_both, c), split.parts(c, share, found))
    for node, value in found.items():
        _remember(c, node, value)


def _remember(c: Context, node: NodeId, value: Value) -> None:
    """Keep the result of a reduction."""
    c.remember(node, value, c.work.nodes[node].ranks)
    law = c.work.law_of(node)
    if law is not None and law.on == node:
        c.remember(law.floor, value, c.work.nodes[node].ranks)


def _clean(c: Context, cluster: Cluster) -> dict[NodeId, Value]:
    """Return what the nest gives each of its reductions, whatever stands at places left out."""
    states = _states(c, cluster)
    found = _pass(c, cluster, states)
    sums = {s.node: found[s.node] for s in states if s.leaks}
    if not sums:
        return found
    rows = tuple(dict.fromkeys(d for s in states for d in s.rows))

    def alone(one: Context) -> Mapping[NodeId, Value]:
        return _pass(one, cluster, _states(one, cluster))

    return {**found, **again(c, sums, rows, alone)}


def _pass(c: Context, cluster: Cluster, states: list[_State]) -> dict[NodeId, Value]:
    """Return what one pass over the nest gives some of its reductions."""
    nest = Nest()
    with c.nested(cluster.ranks):
        reduce_all(c, tuple(b for r in cluster.ranks for b in c.work.bounds(r)))
        with ExitStack() as stack:
            place(c, cluster.ranks, nest, stack)
            _inner(c, cluster, cluster.guards)
            guard = ev.condition(c, cluster.guards)
            masks = _masks(c, cluster, nest, guard)
            with c.under(guard):
                for state in states:
                    _inner(c, cluster, state.op.args)
                    _accumulate(c, state, states, nest, masks)
            for state in states:
                _leave(c, state)
            close_codes(c, nest)
    return _close(c, states, nest)


def _choices(c: Context, cluster: Cluster) -> Iterator[tuple[tuple[NodeId, int], ...]]:
    """Yield which part each table iterated from here on has its turn: every combination."""
    options = []
    for lead in c.schedule.leads:
        op = c.work.nodes[lead.access].op
        assert isinstance(op, Access | Present)
        count = len(c.work.layouts[op.table])
        mine = set(lead.ranks) & set(cluster.ranks)
        if mine and count > 1 and c.key_of(lead.access) not in c.paths:
            options.append([(lead.access, n) for n in range(count)])
    yield from product(*options)


def _both(c: Context, left: dict[NodeId, Value], right: dict[NodeId, Value]) -> dict[NodeId, Value]:
    """Return the results of two passes merged."""
    k, found = c.k, dict[NodeId, Value]()
    for node in left:
        op, law = c.work.nodes[node].op, c.work.law_of(node)
        assert isinstance(op, Reduce)
        pair = [left[node], right[node]]
        if law is not None and law.on != node and law.on in found:
            pair = [
                _scaled(c, mine, k.apply("exp", k.apply("sub", most, found[law.on])))
                for mine, most in zip(pair, (left[law.on], right[law.on]), strict=True)
            ]
        found[node] = merge(k, op.monoid, *pair)
    return found


def _inner(c: Context, cluster: Cluster, roots: tuple[NodeId, ...]) -> None:
    """Compute the nests inside this one, except its own members."""
    own = set(cluster.members)
    known = c.known() | own
    todo = pending(c.work, roots, tuple(c.coords), known)
    for nested in clusters(c.work, todo):
        run(c, nested)


def _states(c: Context, cluster: Cluster) -> list[_State]:
    return [_state(c, m) for m in cluster.members]


def _state(c: Context, node: NodeId) -> _State:
    at = c.work.nodes[node]
    if not isinstance(at.op, Reduce):
        raise InternalError(f"%{node} is no reduction")
    if at.op.monoid not in SUPPORTED:
        raise Refused(f"the reduction {at.op.monoid} has no lowering yet")
    return _State(node, at.op, at.dtype)


def _masks(c: Context, cluster: Cluster, nest: Nest, guard: Value | None) -> tuple[Value, ...]:
    """Return the masks a contribution needs: those that change within the nest."""
    depth = min((loop.block.depth for loop in nest.loops), default=1 << 30)
    found = []
    for mask in c.masks(cluster.ranks):
        if set(mask.digits) & set(nest.tile) or c.k.home[mask.id].depth >= depth:
            found.append(mask)
    return tuple(found) if guard is None else (*found, guard)


def _accumulate(
    c: Context, state: _State, states: list[_State], nest: Nest, masks: tuple[Value, ...]
) -> None:
    law = c.work.law_of(state.node)
    if law is not None and law.on == state.node:
        _grow(c, state, law, nest, masks)
    elif state.node in c.schedule.dots:
        _dot(c, state, _factor(c, law, states), nest, masks)
    else:
        _merge(c, state, _factor(c, law, states), nest, masks)


def _factor(c: Context, law: Law | None, states: list[_State]) -> Value | None:
    """Return what earlier state is multiplied by, because the law's maximum grew."""
    if law is None:
        return None
    on = next((s for s in states if s.node == law.on), None)
    if on is None or on.before is None or on.value is None:
        return None
    return c.k.apply("exp", c.k.apply("sub", on.before, on.value), hint="factor")


def _scaled(c: Context, state: Value, factor: Value) -> Value:
    """Return a state times what its law's maximum, which may be of another type, rescales by."""
    return c.k.apply("mul", state, ev.convert(c, factor, state.dtype))


def _merge(
    c: Context, state: _State, factor: Value | None, nest: Nest, masks: tuple[Value, ...]
) -> None:
    k = c.k
    (arg,) = state.op.args
    value = ev.convert(c, ev.evaluate(c, arg), state.dtype)
    hint = f"{value.hint}_{state.op.monoid}" if value.hint else state.op.monoid
    value = _repeated(c, state, _masked(c, state, arg, value, masks), nest)
    early = f"tile_{state.op.monoid}" if nest.loops else ""
    value = k.reduce(state.op.monoid, value, _merged_early(c, state, nest), early)
    none = identity(k, state.op.monoid, state.dtype)
    before = _before(c, state, none, value.digits, nest, hint)
    if before is not None:
        if factor is not None:
            before = _scaled(c, before, factor)
        value = merge(k, state.op.monoid, before, value)
    state.value = value


def _repeated(c: Context, state: _State, value: Value, nest: Nest) -> Value:
    """Return a contribution merged with its copies along digits it does not vary over."""
    alike = (c.schedule.digit(d).extent or 1 for d in nest.tile if d not in value.digits)
    count = prod(alike)
    if state.op.monoid == "sum" and count > 1:
        return c.k.apply("mul", value, c.k.const(count, value.dtype))
    if state.op.monoid == "prod" and count > 1:
        return power(c.k, value, count)
    return value


def _grow(c: Context, state: _State, law: Law, nest: Nest, masks: tuple[Value, ...]) -> None:
    """The maximum a law rescales by: merged at once, so that what depends on it sees it grown."""
    k = c.k
    (arg,) = state.op.args
    value = k.named(ev.convert(c, ev.evaluate(c, arg), state.dtype), "score")
    value = _masked(c, state, arg, value, masks)
    value = k.reduce("max", value, _merged_early(c, state, nest), hint="tile_max")
    lowest = k.const(LOWEST, state.dtype)
    state.before = _before(c, state, lowest, value.digits, nest, hint="running_max")
    before = state.before if state.before is not None else lowest
    value = k.apply("max", before, value, hint="new_max")
    state.value = value
    c.remember(state.node, value, c.coords)
    c.remember(law.floor, value, c.coords)


def _dot(
    c: Context, state: _State, factor: Value | None, nest: Nest, masks: tuple[Value, ...]
) -> None:
    k = c.k
    made = factors(c, state.op, tuple(nest.tile), masks)
    digits = tuple(d for d in k.digits_of(made.left, made.right) if d not in made.over)
    before = _before(c, state, k.const(0.0, state.dtype), digits, nest, "acc")
    if before is not None and factor is not None:
        before = _scaled(c, before, factor)
    state.value = k.dot(made.left, made.right, before, made.over)
    state.leaks, state.rows = made.leaks, made.rows if made.leaks else ()


def _merged_early(c: Context, state: _State, nest: Nest) -> tuple[str, ...]:
    """Return the digits merged in every iteration; the others keep a state each to the end."""
    early = state.node in c.schedule.early or c.work.law_of(state.node) is not None
    roles = ("block", "reg") if early or not nest.loops else ("block",)
    return tuple(d for d in nest.tile if c.schedule.digit(d).role in roles)


def _before(
    c: Context, state: _State, none: Value, digits: tuple[str, ...], nest: Nest, hint: str
) -> Value | None:
    """Carry a state through the open loops; None if there are none."""
    value = none
    for loop in nest.loops:
        value = c.k.carry(loop, value, digits, hint=hint)
        state.chain.append((loop, value))
    return value if nest.loops else None


def _leave(c: Context, state: _State) -> None:
    """Turn the state inside the loops into the state after them."""
    assert state.value is not None
    for loop, inside in reversed(state.chain):
        state.value = c.k.update(loop, inside, state.value)


def _close(c: Context, states: list[_State], nest: Nest) -> dict[NodeId, Value]:
    """Merge what the nest's digits still hold apart."""
    left = tuple(nest.tile)
    grown: dict[NodeId, Value] = {}
    found: dict[NodeId, Value] = {}
    for state in states:
        assert state.value is not None
        law = c.work.law_of(state.node)
        value = state.value
        if law is not None and law.on == state.node:
            grown[state.node] = value
        elif law is not None and law.on in grown:
            mine = grown[law.on]
            whole = c.k.reduce("max", mine, left)
            if whole is not mine:
                scale = c.k.apply("exp", c.k.apply("sub", mine, whole))
                value = _scaled(c, value, scale)
        found[state.node] = c.k.reduce(state.op.monoid, value, left)
    return found


# ------------------------------------------------------------------------------------------ masks
def _masked(
    c: Context, state: _State, arg: NodeId, value: Value, masks: tuple[Value, ...]
) -> Value:
    """Replace contributions from outside the range by the identity, unless they are it already."""
    law = c.work.law_of(state.node)
    dependent = law is not None and law.on != state.node
    if state.op.monoid == "sum" and not dependent:
        masks = tuple(m for m in masks if not zero(c, arg, m))
    mask = c.k.conj(masks)
    if mask is None:
        return value
    none = identity(c.k, state.op.monoid, state.dtype)
    return c.k.apply("where", mask, value, none)
