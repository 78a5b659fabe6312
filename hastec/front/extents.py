"""How far an index goes whose range only data know, read off the tables it must fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hastec.front.nodes import Nodes
from hastec.front.sizes import combine
from hastec.ir.graph import Access, Index, Map, NodeId, Reduce, Softmax
from hastec.ir.scalars import SCALARS
from hastec.sym.size import Size


def infer_extents(nodes: Nodes, order: Sequence[NodeId]) -> None:
    """Give reductions over ranges without a known extent one, where an access tells it.

    before: ``t < len[b]`` reads ``page[b, t / S]`` with ``page: [B, T]``; after: extent ``T * S``.
    Only what every step of the reduction reads counts, not what stands behind a condition.
    """
    for at in order:
        op = nodes[at].op
        if not isinstance(op, Reduce) or op.guards:
            continue
        for name in op.ranks:
            rank = nodes.ranks[name]
            if rank.extent is None:
                found = next(_limits(nodes, op.args, name), None)
                nodes.ranks[name] = replace(rank, extent=found)


def _limits(nodes: Nodes, roots: tuple[NodeId, ...], rank: str) -> Iterator[Size]:
    for at in _always(nodes, roots):
        op = nodes[at].op
        if not isinstance(op, Access):
            continue
        for sub, size in zip(op.subs, nodes[op.table].shape or (), strict=False):
            match nodes[sub].op:
                case Map("div", (index, by)) if nodes[index].op == Index(rank):
                    step = nodes.as_size(by)
                    found = None if step is None else combine("*", size, step)
                    if found is not None:
                        yield found
                case _:
                    pass


def _always(nodes: Nodes, roots: tuple[NodeId, ...]) -> Iterator[NodeId]:
    """Yield the values that are evaluated whenever ``roots`` are."""
    todo, seen = list(roots), set(roots)
    while todo:
        at = todo.pop()
        yield at
        match nodes[at].op:
            case Map(fn, args):
                below = args[:1] if SCALARS[fn].lazy else args
            case Access(_, subs):
                below = subs
            case Softmax(_, (), arg):
                below = (arg,)
            case Reduce(_, _, (), args):
                below = args
            case _:
                below = ()
        todo += [n for n in below if n not in seen]
        seen.update(below)
