"""Schedules that form sums of products as matrix products of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from hastec.ir.graph import Access, Index, Map, NodeId, Present, Reduce
from hastec.ir.schedule import Lead, Schedule
from hastec.lower.axes import AxisFacts
from hastec.lower.spread import Spread, build
from hastec.lower.work import Work
from hastec.target import Target

SMALLEST = 16
"""Tiles of a matrix product are at least this wide."""
_PACES = ((1, 1), (1, 3), (2, 1), (2, 3), (4, 1), (4, 3), (8, 3))
"""Warps of a program, and iterations in flight."""
LEAST_HELD, MOST_HELD = 16, 64
"""How much of the largest tile one thread may hold."""
NARROW = 48
"""An output shorter than this leaves matrix units waiting for memory."""
MOST_TILE = 256
"""An axis kept whole in one tile is at most this long."""


@dataclass(frozen=True, slots=True)
class Product:
    """A sum of products: the ranks that only its left or its right factor varies over."""

    node: NodeId
    summed: tuple[str, ...]
    left: frozenset[str]
    right: frozenset[str]


def products(work: Work) -> tuple[Product, ...]:
    """Return the reductions that may be matrix products."""
    found = []
    for node in work.reduces():
        op = node.op
        assert isinstance(op, Reduce)
        body = work.nodes[op.args[0]]
        if op.monoid != "sum" or not isinstance(body.op, Map) or body.op.fn != "mul":
            continue
        if not body.dtype.is_float or body.dtype.bits > 32:
            continue
        a, b = (set(work.nodes[x].ranks) - set(op.ranks) for x in body.op.args)
        shared = all(set(op.ranks) <= set(work.nodes[x].ranks) for x in body.op.args)
        if shared and a - b and b - a:
            found.append(Product(node.id, op.ranks, frozenset(a - b), frozenset(b - a)))
    return tuple(found)


def tile_schedules(
    work: Work, target: Target, facts: tuple[AxisFacts, ...], leads: tuple[Lead, ...]
) -> Iterator[Schedule]:
    """Yield schedules in which every sum of products is a matrix product of tiles."""
    dots = products(work)
    if not dots:
        return
    tiled = _tiled(facts, dots)
    if tiled is None:
        return
    rest = [f for f in facts if f.name not in tiled]
    narrow = any(f.name in tiled and not f.reduced and (f.number or NARROW) < NARROW for f in facts)
    for sizes in product(*(_widths(f, dots, narrow) for f in facts if f.name in tiled)):
        widths = dict(zip((f.name for f in facts if f.name in tiled), sizes, strict=True))
        spreads: dict[str, Spread] = {}
        for f in facts:
            spreads[f.name] = _tile(f, widths[f.name]) if f.name in widths else _alone(f)
        order = (*(f.name for f in rest), *_row_major(work, facts, tiled))
        nodes = tuple(p.node for p in dots)
        for warps, stages in _PACES:
            threads = warps * target.lanes
            if LEAST_HELD <= _elements(widths) / threads <= MOST_HELD:
                yield build(spreads, leads, order, nodes, stages=stages, threads=threads)


def _row_major(work: Work, facts: tuple[AxisFacts, ...], tiled: frozenset[str]) -> tuple[str, ...]:
    """Order tiles such that, in most tables, the one with unit stride comes last."""
    ranks = {f.rank: f.name for f in facts if f.name in tiled}
    above: dict[str, set[str]] = {name: set() for name in ranks.values()}
    for access in work.accesses():
        assert isinstance(access.op, Access | Present)
        subs = (work.nodes[s].op for s in access.op.subs)
        mine = [ranks[s.rank] for s in subs if isinstance(s, Index) and s.rank in ranks]
        for n, name in enumerate(mine):
            above[name].update(mine[:n])
    order: list[str] = []
    while len(order) < len(above):
        left = [a for a in above if a not in order]
        free = [a for a in left if not above[a] - set(order) - {a}]
        order.append((free or left)[0])
    return tuple(order)


def _elements(widths: dict[str, int]) -> int:
    two = sorted(widths.values())[-2:]
    return two[0] * two[-1]


def _tiled(facts: tuple[AxisFacts, ...], dots: tuple[Product, ...]) -> frozenset[str] | None:
    """Return the axes that become tiles: one for each side and each sum, or None."""
    chosen: set[str] = set()
    for dot in dots:
        for ranks in (dot.left, dot.right, frozenset(dot.summed)):
            fits = [f for f in facts if f.rank in ranks and _may_tile(f)]
            if not fits:
                return None
            if not any(f.name in chosen for f in fits):
                chosen.add(fits[-1].name)
    return frozenset(chosen)


def _may_tile(f: AxisFacts) -> bool:
    if f.fixed:
        n = f.number or 0
        return n >= SMALLEST and n & (n - 1) == 0
    return not f.led


def _widths(f: AxisFacts, dots: tuple[Product, ...], narrow: bool) -> tuple[int, ...]:
    """Return the tiles to try: with a ``narrow`` output, more and smaller programs, longer steps,
    for then it is the bytes of the other factor that must keep flowing.
    """
    if f.fixed and f.number is not None:
        return (f.number,)
    if f.wish >= SMALLEST:
        return (f.wish,)
    whole = None
    if f.number is not None and f.number <= MOST_TILE:
        whole = max(SMALLEST, 1 << (f.number - 1).bit_length())
    summed = any(f.rank in d.summed for d in dots)
    inner = _inside(f, dots)
    if whole is not None and (inner or whole <= 64):
        return (whole,)
    if summed:
        return (64, 128) if narrow else (32, 64)
    if whole is not None:
        return (min(64, whole),)
    return (16, 32, 64) if narrow else (64, 128)


def _inside(f: AxisFacts, dots: tuple[Product, ...]) -> bool:
    """Whether an axis belongs to a product inside another one's sum: best held whole."""
    return len(dots) > 1


def _tile(f: AxisFacts, width: int) -> Spread:
    # Values that share a word have a digit of their own: the word is loaded once.
    words: Spread = (("block", width // f.pack), ("block", f.pack))
    tile: Spread = words if 1 < f.pack < width else (("block", width),)
    if f.fixed or (f.number is not None and f.number <= width):
        return tile
    return (("loop" if f.reduced else "grid", None), *tile)


def _alone(f: AxisFacts) -> Spread:
    if f.reduced or f.led or f.extent is None:
        return (("loop", None),)
    return (("grid", None),)
