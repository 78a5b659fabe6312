"""The axes a schedule must spread, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hastec.ir.graph import Access, Define, Index, NodeId, Present, Reduce, SizeOf
from hastec.ir.schedule import Lead
from hastec.levels.protocol import Layout, Level
from hastec.lower.leads import axis_name
from hastec.lower.work import Work
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class AxisFacts:
    """One axis: a rank, or a level walked for one.

    ``reduced``: a reduction walks it (it may index an output too), so that every program must
    see all of it. ``extent`` is its size where one is known before a launch, ``number`` that size
    under the sizes at hand (None: a run-time length). ``fixed``: the size is part of the format,
    so that digits must cover it exactly. ``unit``: a walked fibre is padded to multiples of it.
    ``sequential``: it is walked in order. ``contiguous``: neighbours along it are neighbours in
    some table. ``word``: bytes of a stored coordinate, if each position has one. ``pack``: how
    many neighbours share a word of a value code. ``slice``: how many neighbours some table keeps
    together, ``wish``: the tile the program asks for (0: none).
    """

    name: str
    rank: str
    reduced: bool
    extent: Size | None
    number: int | None
    fixed: bool = False
    unit: int = 1
    sequential: bool = False
    contiguous: bool = False
    led: bool = False
    word: int = 1
    pack: int = 1
    slice: int = 0
    wish: int = 0

    @property
    def single(self) -> bool:
        """Whether the axis has one value whatever the sizes."""
        return self.extent is not None and self.extent.constant == 1


def axes(work: Work, leads: tuple[Lead, ...], sizes: Mapping[str, int]) -> tuple[AxisFacts, ...]:
    """Return every axis of a region: those of outputs first, then those of reductions."""
    led = {r: lead for lead in leads for r in lead.ranks}
    dense = _contiguous_ranks(work)
    slices, packs = _slices(work), _packs(work)
    walked = [r for n in reversed(work.reduces()) if isinstance(n.op, Reduce) for r in n.op.ranks]
    found: list[AxisFacts] = []
    for rank in dict.fromkeys((*work.out_ranks, *walked)):
        reduced = rank in walked
        if rank in led:
            found += _levels(work, leads, led[rank], rank, reduced, sizes)
        else:
            facts = _free(work, rank, reduced, sizes, rank in dense)
            pack = packs.get(rank, 1)
            found.append(replace(facts, slice=slices.get(rank, 0), pack=pack))
    wishes = dict(work.graph.hints)
    return tuple(replace(f, wish=wishes.get(f"tile.{f.rank}", 0)) for f in found)


def _slices(work: Work) -> dict[str, int]:
    """Return, for ranks that some table stores as quotient and remainder, how many remainders."""
    found: dict[str, int] = {}
    for access in work.accesses():
        assert isinstance(access.op, Access | Present)
        for layout in work.layouts[access.op.table]:
            for dim, sub in zip(layout.dims, access.op.subs, strict=True):
                at, coords = work.nodes[sub].op, (layout.levels[n] for n in layout.find(dim))
                inner = [lv for lv in coords if lv.spec.coord.op == "%" and lv.facts.full]
                if isinstance(at, Index) and inner:
                    found[at.rank] = inner[-1].spec.coord.by
    return found


def _packs(work: Work) -> dict[str, int]:
    """Return, for ranks whose neighbours share words in some table, how many share one."""
    found: dict[str, int] = {}
    for access in work.accesses():
        assert isinstance(access.op, Access | Present)
        for layout in work.layouts[access.op.table]:
            if not layout.order:
                continue
            last = layout.levels[layout.order[-1].level]
            at = work.nodes[access.op.subs[layout.dims.index(last.spec.coord.dim)]].op
            if isinstance(at, Index) and last.facts.full and not last.facts.fibre:
                found[at.rank] = max(found.get(at.rank, 1), layout.values.per_word)
    return found


def _free(
    work: Work, rank: str, reduced: bool, sizes: Mapping[str, int], contiguous: bool
) -> AxisFacts:
    hi = work.nodes[work.bounds(rank)[1]].op
    extent = hi.size if isinstance(hi, SizeOf) else work.ranks[rank].extent
    number = None
    if isinstance(hi, SizeOf):
        number = evaluate(hi.size, sizes)
    return AxisFacts(rank, rank, reduced, extent, number, contiguous=contiguous)


def evaluate(size: Size | None, sizes: Mapping[str, int]) -> int | None:
    """Return a size under the sizes at hand; None if one it needs is not among them."""
    if size is None or any(n not in sizes for n in size.names()):
        return None
    return size.evaluate(sizes)


def _levels(
    work: Work,
    leads: tuple[Lead, ...],
    lead: Lead,
    rank: str,
    reduced: bool,
    sizes: Mapping[str, int],
) -> list[AxisFacts]:
    op = work.nodes[lead.access].op
    assert isinstance(op, Access | Present)
    found = []
    for layout in work.layouts[op.table]:
        dim = dim_of(work, lead.access, layout, rank)
        for number in layout.find(dim):
            level = layout.levels[number]
            extent = layout.extents[number]
            fixed = extent is not None and extent.constant is not None
            found.append(
                AxisFacts(
                    axis_name(work, leads, lead, layout, number),
                    rank,
                    reduced,
                    extent,
                    evaluate(extent, sizes),
                    fixed,
                    level.facts.unit,
                    level.facts.sequential,
                    layout.order[-1].level == number,
                    led=True,
                    word=_word(level),
                    pack=layout.values.per_word if layout.order[-1].level == number else 1,
                )
            )
    return found


def _word(level: Level) -> int:
    if level.facts.sequential:
        return 1
    return max((s.dtype.bytes for s in level.arrays() if s.name.endswith(".crd")), default=1)


def dim_of(work: Work, access: NodeId, layout: Layout, rank: str) -> str:
    """Return the dimension of a table that an access subscripts by a rank."""
    op = work.nodes[access].op
    assert isinstance(op, Access | Present)
    for dim, sub in zip(layout.dims, op.subs, strict=True):
        at = work.nodes[sub].op
        if isinstance(at, Index) and at.rank == rank:
            return dim
    raise KeyError(rank)


def _contiguous_ranks(work: Work) -> frozenset[str]:
    """Return ranks along which some dense table is read or stored with unit stride."""
    found = set()
    for access in work.accesses():
        assert isinstance(access.op, Access | Present)
        last = work.nodes[access.op.subs[-1]].op if access.op.subs else None
        layouts = work.layouts[access.op.table]
        if isinstance(last, Index) and all(_dense(lay) for lay in layouts):
            found.add(last.rank)
    for _, op in work.stores:
        if isinstance(op, Define) and op.ranks:
            found.add(op.ranks[-1])
    return frozenset(found)


def _dense(layout: Layout) -> bool:
    return all(lv.facts.full and not lv.facts.fibre for lv in layout.levels)
