"""Choose formats: declared ones, then those a table was given in, then a shortlist by bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from hastec.ir.format import Format
from hastec.ir.forms import Form, kept_tables
from hastec.ir.graph import Decision, Graph, Node, NodeId, Param, Present
from hastec.levels.stats import Stats
from hastec.passes.bound import table_name
from hastec.passes.catalogue import Offer, compressed_format, dense_format, offers
from hastec.target import Target
from hastec.text import amount

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
        if param.format is not None:
            return param.format
        if param.name in self.given:
            return self.given[param.name]
        if not param.sparse:
            return dense_format(len(param.shape))
        if param.time == "static":
            return None
        return compressed_format(len(param.shape))

    def _shortlist(
        self, graph: Graph, node: Node, param: Param
    ) -> tuple[tuple[Offer, ...], Decision]:
        """Return the formats of a static table with the fewest bytes, and what was left out."""
        stats = self.stats.get(param.name)
        found = sorted(offers(param, stats, self.target), key=lambda o: o.bytes)
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

    def _hides(self, graph: Graph, node: Node, offer: Offer) -> bool:
        """Whether a program asks which entries are present and the format does not say."""
        asked = any(isinstance(n.op, Present) and n.op.table == node.id for n in graph.nodes)
        return asked and offer.format.dense


def _likes(graph: Graph, formats: Mapping[NodeId, Format]) -> dict[NodeId, Format]:
    """Return the formats of outputs that have the pattern of a table whose format is fixed."""
    names = {table_name(graph.node(n)): fmt for n, fmt in formats.items()}
    found = {}
    for node in (graph.node(i) for i in kept_tables(graph)):
        param = next((p for p in graph.params if p.name == table_name(node)), None)
        if param is not None and param.like in names:
            found[node.id] = names[param.like]
    return found
