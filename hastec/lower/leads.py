"""Which accesses may lead: be iterated themselves instead of the whole range of an index."""

from __future__ import annotations

from collections.abc import Mapping

from hastec.ir.graph import Access, Const, Index, Map, NodeId, Present, Reduce
from hastec.ir.schedule import Lead
from hastec.levels.protocol import Layout
from hastec.lower.work import Work


def leads(work: Work) -> tuple[Lead, ...]:
    """Return the accesses that should lead, each with the ranks it leads.

    A rank is led by one access. Outputs with another table's pattern are led by it; a reduction
    is led by a table whose absent entries make its argument the identity. Where several
    reductions run over one rank, that must hold in each: what leads, leads all of them.
    """
    taken: set[str] = set()
    found: list[Lead] = []
    for store, define in work.stores:
        like = work.like.get(store)
        if like is not None:
            _add(work, like, define.ranks, taken, found)
    reduces = {n.id: n.op for n in work.reduces() if isinstance(n.op, Reduce)}
    able = {node: _candidates(work, op) for node, op in reduces.items()}
    for node, op in reduces.items():
        for access in able[node]:
            ranks = (r for r in op.ranks if _for_all(work, reduces, able, r, access))
            _add(work, access, tuple(ranks), taken, found)
    return tuple(found)


def _for_all(
    work: Work,
    reduces: Mapping[NodeId, Reduce],
    able: Mapping[NodeId, tuple[NodeId, ...]],
    rank: str,
    access: NodeId,
) -> bool:
    """Whether each reduction over a rank skips what an access, or another like it, leaves out."""
    here = _entry(work, access)
    mine = (node for node, op in reduces.items() if rank in op.ranks)
    return all(any(_entry(work, a) == here for a in able[node]) for node in mine)


def _entry(work: Work, access: NodeId) -> tuple[NodeId, tuple[NodeId, ...]]:
    op = work.nodes[access].op
    assert isinstance(op, Access | Present)
    return op.table, op.subs


def axes_of(work: Work, leads: tuple[Lead, ...], rank: str) -> tuple[str, ...]:
    """Return the axes of a rank: itself, or the levels walked for it."""
    lead = next((x for x in leads if rank in x.ranks), None)
    if lead is None:
        return (rank,)
    op = work.nodes[lead.access].op
    assert isinstance(op, Access | Present)
    found = []
    for layout in work.layouts[op.table]:
        for number, level in enumerate(layout.levels):
            at = work.nodes[op.subs[layout.dims.index(level.spec.coord.dim)]].op
            if isinstance(at, Index) and at.rank == rank:
                found.append(axis_name(work, leads, lead, layout, number))
    return tuple(found)


def axis_name(work: Work, leads: tuple[Lead, ...], lead: Lead, layout: Layout, number: int) -> str:
    """Return the name of the axis that walks a level of a leading access.

    A table may lead twice, for different ranks: then the axes are told apart by them.
    """
    name, mine = f"{layout.table}.{number}", _table(work, lead)
    twice = sum(_table(work, other) == mine for other in leads) > 1
    return f"{name}:{lead.ranks[0]}" if twice else name


def _table(work: Work, lead: Lead) -> NodeId:
    op = work.nodes[lead.access].op
    assert isinstance(op, Access | Present)
    return op.table


def _add(
    work: Work, access: NodeId, ranks: tuple[str, ...], taken: set[str], found: list[Lead]
) -> None:
    op = work.nodes[access].op
    assert isinstance(op, Access | Present)
    layouts = work.layouts[op.table]
    mine = [
        r for r in ranks if r not in taken and any(_partial(work, op, lay, r) for lay in layouts)
    ]
    mine = [r for r in mine if r not in _awaited(work, [*found, Lead(access, tuple(mine))], r)]
    if mine:
        taken.update(mine)
        found.append(Lead(access, tuple(mine)))


def _awaited(work: Work, leads: list[Lead], rank: str) -> set[str]:
    """Return the ranks that must be placed before ``rank``: those its range depends on, and those
    of the levels above, over any number of tables.

    Two tables stored in opposite orders would wait for each other: the second is looked up.
    """
    found: set[str] = set()
    left = [rank]
    while left:
        at = left.pop()
        lead = next((x for x in leads if at in x.ranks), None)
        above = _above(work, lead.access, at) if lead is not None else ()
        above += tuple(r for b in work.bounds(at) for r in sorted(work.nodes[b].ranks))
        left += [r for r in above if r not in found]
        found.update(above)
    return found


def _above(work: Work, access: NodeId, rank: str) -> tuple[str, ...]:
    """Return the other ranks of the levels above the first one walked for a rank."""
    op = work.nodes[access].op
    assert isinstance(op, Access | Present)
    found: dict[str, None] = {}
    for layout in work.layouts[op.table]:
        ranks = [_rank_of(work, op, layout, level.spec.coord.dim) for level in layout.levels]
        first = ranks.index(rank) if rank in ranks else 0
        found.update(dict.fromkeys(r for r in ranks[:first] if r))
    return tuple(found)


def _rank_of(work: Work, op: Access | Present, layout: Layout, dim: str) -> str:
    at = work.nodes[op.subs[layout.dims.index(dim)]].op
    return at.rank if isinstance(at, Index) else ""


def _partial(work: Work, op: Access | Present, layout: Layout, rank: str) -> bool:
    """Whether an access stores some coordinates of ``rank`` only, and can be walked for them."""
    for dim, sub in zip(layout.dims, op.subs, strict=True):
        at = work.nodes[sub].op
        if not isinstance(at, Index) or at.rank != rank:
            continue
        levels = [layout.levels[n] for n in layout.find(dim)]
        if any(not lv.facts.full for lv in levels):
            # Coordinates that repeat are found by bisection; their runs are what is walked.
            return all(lv.facts.unique for lv in levels)
    return False


def _candidates(work: Work, reduce: Reduce) -> tuple[NodeId, ...]:
    """Return accesses of a reduction whose absence makes it skip, guards first."""
    found: list[NodeId] = []
    for guard in reduce.guards:
        found += _required(work, guard)
    if len(reduce.args) == 1:
        inside = work.reachable(reduce.args)
        accesses = [n for n in inside if isinstance(work.nodes[n].op, Access)]
        found += [a for a in accesses if absorbs(work, reduce, a)]
    return tuple(dict.fromkeys(found))


def _required(work: Work, guard: NodeId) -> list[NodeId]:
    """Return accesses that must be present for a guard to hold."""
    at = work.nodes[guard]
    match at.op:
        case Present():
            return [guard]
        case Access(table, _) if not any(lay.fill for lay in work.layouts[table]):
            return [guard]
        case Map("and", (left, right)):
            return [*_required(work, left), *_required(work, right)]
        case _:
            return []


_IDENTITY = {
    "sum": 0.0,
    "max": float("-inf"),
    "min": float("inf"),
    "prod": 1.0,
    "any": 0.0,
    "all": 1.0,
}


def absorbs(work: Work, reduce: Reduce, access: NodeId) -> bool:
    """Whether an absent entry of ``access`` contributes the identity of the reduction.

    As the language states it, an absent entry annihilates beside finite partners: 0 in a product,
    an infinity in a sum.
    """
    op = work.nodes[access].op
    assert isinstance(op, Access)
    layouts = work.layouts[op.table]
    if not any(not lv.facts.full for lay in layouts for lv in lay.levels):
        return False
    known = {access: float(layouts[0].fill)}
    value = _known(work, reduce.args[0], known)
    return value is not None and value == _IDENTITY.get(reduce.monoid)


def _known(work: Work, node: NodeId, known: dict[NodeId, float]) -> float | None:
    """Return the value of a node, if what is known decides it whatever finite partners are."""
    if node in known:
        return known[node]
    at = work.nodes[node]
    match at.op:
        case Const(value):
            return float(value)
        case Map(fn, args):
            return _applied(fn, [_known(work, a, known) for a in args])
        case _:
            return None


def _applied(fn: str, args: list[float | None]) -> float | None:
    infinite = [a for a in args if a is not None and abs(a) == float("inf")]
    match fn, args:
        case "mul", _ if 0.0 in args:
            return 0.0
        case "div", (a, _) if a == 0.0:
            return 0.0
        case "add", (a, b):
            if infinite:
                return infinite[0]
            return a + b if a is not None and b is not None else None
        case "and", _ if 0.0 in args:
            return 0.0
        case (("cast" | "abs" | "sqrt" | "relu" | "tanh" | "floor" | "ceil"), (a,)) if a == 0.0:
            return 0.0
        case "cast", (a,):
            return a
        case "neg", (a,):
            return None if a is None else -a
        case _:
            return None


def needed(work: Work, access: NodeId) -> tuple[NodeId, ...]:
    """Return the other accesses without whose entry the value of ``access`` is of no use.

    Wherever the value goes, what it becomes there is decided, or skipped, where one of them is
    absent, whatever the value; if only it is finite.
    """
    goals = [(op.guards, op.args) for n in work.reduces() if isinstance(op := n.op, Reduce)]
    goals += [(op.guards, (op.body,)) for _, op in work.stores]
    bounds = tuple(b for r in work.ranks for b in work.bounds(r))
    op = work.nodes[access].op
    assert isinstance(op, Access | Present)
    # What is not read is the fill, and that is to be finite too, or what is added to its like.
    fills = {n.id: _fill(work, n.op) for n in work.accesses() if isinstance(n.op, Access | Present)}
    mine = fills.pop(access)
    others = {a for a, fill in fills.items() if abs(mine) < float("inf") or mine == fill}
    if access in _directly(work, (*bounds, *(g for guards, _ in goals for g in guards))):
        return ()
    for guards, args in goals:
        for arg in args:
            if access in _directly(work, (arg,)):
                skips = {a for g in guards for a in _required(work, g)}
                others &= {a for a in others if a in skips or _decides(work, arg, a)}
    return tuple(sorted(others))


def _directly(work: Work, roots: tuple[NodeId, ...]) -> set[NodeId]:
    """Return the nodes that values are made of, but for what reductions are made of."""
    found, left = set[NodeId](), list(roots)
    while left:
        at = left.pop()
        if at not in found:
            found.add(at)
            inner = isinstance(work.nodes[at].op, Reduce)
            left += () if inner else work.value_operands(at)
    return found


def _decides(work: Work, node: NodeId, access: NodeId) -> bool:
    """Whether a value is decided where an access is absent."""
    op = work.nodes[access].op
    return isinstance(op, Access) and _known(work, node, {access: _fill(work, op)}) is not None


def _fill(work: Work, op: Access | Present) -> float:
    return float(work.layouts[op.table][0].fill)
