"""Lay out in HBM: every format states the order of its positions in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from hastec.ir.format import Format
from hastec.ir.forms import Form
from hastec.ir.graph import Graph
from hastec.levels.protocol import Layout
from hastec.levels.registry import Registry, default_registry
from hastec.passes.bound import layouts_of


@dataclass(frozen=True, slots=True)
class LayOut:
    """State the storage order of every table.

    before: ``sell(i, j) = dense(i / 32), dense(i % 32), ragged(j; pad = i / 32, unit = 8)``;
    after: the same ``order [0, 2 / 8, 1 % 32, 2 % 8]``: slice, step, lane, register, the mirror
    of a schedule with lanes along rows and eight positions a step
    """

    registry: Registry = field(default_factory=default_registry)

    name: ClassVar[str] = "layout"
    needs: ClassVar[frozenset[Form]] = frozenset({Form.FORMATS, Form.SCHEDULED})
    gives: ClassVar[frozenset[Form]] = frozenset({Form.PLACED})

    def run(self, graph: Graph) -> Graph:
        """Return the graph with placed formats."""
        bound = layouts_of(graph, dict(graph.formats), self.registry)
        placed = tuple((n, _placed(fmt, bound[n])) for n, fmt in graph.formats)
        return graph if placed == graph.formats else replace(graph, formats=placed)


def _placed(fmt: Format, layouts: tuple[Layout, ...]) -> Format:
    """Return a format with the levels and the order its layouts have; leading dimensions, which it
    does not name, are not its own.
    """
    parts = []
    for part, layout in zip(fmt.parts, layouts, strict=True):
        specs = tuple(level.spec for level in layout.levels)
        lead = sum(spec.coord.dim not in fmt.dims for spec in specs)
        own = (replace(d, level=d.level - lead) for d in layout.order if d.level >= lead)
        parts.append(replace(part, levels=specs[lead:], order=tuple(own)))
    return replace(fmt, parts=tuple(parts))
