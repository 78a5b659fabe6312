"""Which reductions share a loop nest, and in which order the nests run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hastec.ir.graph import NodeId, Reduce
from hastec.lower.work import Work


@dataclass(frozen=True, slots=True)
class Cluster:
    """Reductions over the same ranks under the same guards, computed in one pass."""

    ranks: tuple[str, ...]
    guards: tuple[NodeId, ...]
    members: tuple[NodeId, ...]


def pending(
    work: Work, roots: Iterable[NodeId], placed: Collection[str], known: Collection[NodeId]
) -> tuple[NodeId, ...]:
    """Return the reductions that ``roots`` need and that vary over ``placed`` ranks only.

    Dependencies come first; those in ``known`` are done. A reduction that also varies over a rank
    not placed yet belongs to a nest further in and is left to it.
    """
    found = []
    for node in work.reachable(roots):
        at = work.nodes[node]
        if isinstance(at.op, Reduce) and node not in known and set(at.ranks) <= set(placed):
            found.append(node)
    return tuple(found)


def clusters(work: Work, reduces: tuple[NodeId, ...]) -> tuple[Cluster, ...]:
    """Group reductions (dependencies first) into nests, in an order that respects dependence.

    A reduction joins the nest of one it depends on only under a rescale law; that is what makes
    a softmax one pass.
    """
    nests: list[tuple[int, tuple[str, ...], tuple[NodeId, ...], list[NodeId]]] = []
    stage: dict[NodeId, int] = {}
    for node in reduces:
        op = work.nodes[node].op
        assert isinstance(op, Reduce)
        inside = set(work.reachable(work.value_operands(node)))
        law = work.law_of(node)
        earliest = 0
        for other in (r for r in reduces if r in inside and r in stage):
            joined = law is not None and other == law.on and _same(work, node, other)
            earliest = max(earliest, stage[other] + (0 if joined else 1))
        fits = [n for n in nests if n[0] >= earliest and n[1] == op.ranks and n[2] == op.guards]
        if fits:
            fits[0][3].append(node)
            stage[node] = fits[0][0]
        else:
            stage[node] = earliest
            nests.append((earliest, op.ranks, op.guards, [node]))
    nests.sort(key=lambda n: n[0])
    return tuple(Cluster(ranks, guards, tuple(members)) for _, ranks, guards, members in nests)


def _same(work: Work, left: NodeId, right: NodeId) -> bool:
    a, b = work.nodes[left].op, work.nodes[right].op
    assert isinstance(a, Reduce) and isinstance(b, Reduce)
    return a.ranks == b.ranks and a.guards == b.guards
