"""Choose formats: declared ones, then those a table was given in, then a shortlist by bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from hastec.diag import HasteError
from hastec.ir.format import RAW, CodeSpec, Format
from hastec.ir.forms import Form, kept_tables
from hastec.ir.graph import Decision, Graph, Node, NodeId, Param, Present
from hastec.levels.formats import bind_format
from hastec.levels.registry import Registry, default_registry
from hastec.levels.stats import Stats
from hastec.passes.bound import table_name
from hastec.passes.catalogue import Offer, compressed_format, dense_format, offers
from hastec.target import Target
from hastec.text import amount

PLAIN = CodeSpec("i32")
"""The index code of formats that name none."""
SHORTLIST = 5
"""How many formats of a table are priced on their schedules."""


@dataclass(frozen=True, slots=True)
class ChooseFormats:
    """Give every table in memory a format, or a shortlist of formats that pricing settles.

    ``given`` are the formats that tables arrive in; ``stats`` describe static tables.

    before: ``in W: static sparse f16[M, K]``; after: ``candidate %0: sell(i, j) = …`` and others,
    or ``format %0: csr(i, j) = …`` if it was declared
    """

    target: Target
    given: Mapping[str, Format] = field(default_factory=dict)
    stats: Mapping[str, Stats] = field(default_factory=dict)
    shortlist: int = SHORTLIST
    registry: Registry = field(default_factory=default_registry)

    name: ClassVar[str] = "formats"
    needs: ClassVar[frozenset[Form]] = frozenset({Form.NORMAL})
    gives: ClassVar[frozenset[Form]] = frozenset()

    def run(self, graph: Graph) -> Graph:
        """Return the graph with formats and candidates."""
        params = {p.name: p for p in graph.params}
        formats: dict[NodeId, Format] = {}
        candidates: list[tuple[NodeId, Format]] = []
        decisions = list(graph.decisions)
        for node in (graph.node(i) for i in kept_tables(graph)):
            param = params.get(table_name(node))
            if param is not None and param.like:
                continue
            fixed = self._fixed(node, param)
            if fixed is not None or param is None:
                formats[node.id] = fixed or dense_format(len(node.shape or ()))
                continue
            offered, decision = self._shortlist(graph, node, param)
            decisions.append(decision)
            candidates += [(node.id, offer.format) for offer in offered]
        likes = _likes(graph, formats)
        return replace(
            graph,
            formats=tuple(sorted({**formats, **likes}.items())),
            candidates=tuple(candidates),
            decisions=tuple(decisions),
        )

    def _fixed(self, node: Node, param: Param | None) -> Format | None:
        """Return the format that is not ours to choose, if there is one."""
        if param is None or param.role == "out":
            return dense_format(len(node.shape or ()))
        if param.format is not None and not (param.sparse and _open(param.format)):
            return param.format
        if param.name in self.given:
            return self.given[param.name]
        if not param.sparse:
            return dense_format(len(param.shape))
        if param.time == "static":
            return None
        return _coded(compressed_format(len(param.shape)), param)

    def _shortlist(
        self, graph: Graph, node: Node, param: Param
    ) -> tuple[tuple[Offer, ...], Decision]:
        """Return the formats of a static table with the fewest bytes, and what was left out."""
        stats = self.stats.get(param.name)
        found = sorted(offers(param, stats, self.target, self.registry), key=lambda o: o.bytes)
        if param.format is not None:
            found = [self._with_codes(o, param) for o in found]
        able = [o for o in found if not o.reason and not self._hides(graph, node, o)]
        kept = able[: self.shortlist]
        # A dense table is always priced: it says at which density it would win.
        kept += [o for o in able[self.shortlist :] if o.format.dense]
        left = [(str(o.format), f"{amount(o.bytes)}, not among the smallest") for o in able]
        left = [(f, why) for f, why in left if all(f != str(k.format) for k in kept)]
        left += [(str(o.format), o.reason) for o in found if o.reason]
        names = ", ".join(o.format.name for o in kept)
        sizes = ", ".join(f"{o.format.name} {amount(o.bytes)}" for o in kept)
        return tuple(kept), Decision(f"formats of {param.name}", names, sizes, tuple(left))

    def _with_codes(self, offer: Offer, param: Param) -> Offer:
        """Return an offer with the codes a table is declared with, refused if they do not fit."""
        fmt = _coded(offer.format, param)
        try:
            bind_format(fmt, param.name, param.dtype, param.shape, self.registry)
        except HasteError as error:
            return replace(offer, format=fmt, reason=offer.reason or error.diagnostics[0].message)
        return replace(offer, format=fmt)

    def _hides(self, graph: Graph, node: Node, offer: Offer) -> bool:
        """Whether a program asks which entries are present and the format does not say."""
        asked = any(isinstance(n.op, Present) and n.op.table == node.id for n in graph.nodes)
        return asked and offer.format.dense


def _open(fmt: Format) -> bool:
    """Whether a declared format names codes only, and leaves the levels to the compiler."""
    return any(not part.levels for part in fmt.parts)


def _coded(fmt: Format, param: Param) -> Format:
    """Return a format with the codes that a table is declared with."""
    if param.format is None:
        return fmt
    (asked,) = param.format.parts
    parts = []
    for part in fmt.parts:
        index = part.index if asked.index == PLAIN else asked.index
        values = part.values if asked.values == RAW else asked.values
        parts.append(replace(part, index=index, values=values))
    return replace(fmt, parts=tuple(parts))


def _likes(graph: Graph, formats: Mapping[NodeId, Format]) -> dict[NodeId, Format]:
    """Return the formats of outputs that have the pattern of a table whose format is fixed."""
    names = {table_name(graph.node(n)): fmt for n, fmt in formats.items()}
    found = {}
    for node in (graph.node(i) for i in kept_tables(graph)):
        param = next((p for p in graph.params if p.name == table_name(node)), None)
        if param is not None and param.like in names:
            found[node.id] = names[param.like]
    return found
