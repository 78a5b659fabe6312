"""What is tuned: a program after fusion, on tables of known sizes, for one device."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from hastec.contracts import Backend
from hastec.ir.format import Format
from hastec.ir.graph import Graph, NodeId, Region
from hastec.ir.show import show_format
from hastec.passes.bound import table_name, tables_of
from hastec.passes.tile import Tile
from hastec.run.device import Device
from hastec.run.tables import TableValue
from hastec.tune.records import Pairs, Sizes


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A program to tune.

    ``graph`` is fused and has no schedules; ``tile`` prices it. ``sizes`` are all sizes, ``given``
    the tables that are known. ``key`` names program, sizes, patterns and target, ``program`` the
    same without sizes and patterns; ``place`` names the device in records. ``lines`` is the
    program's text by line number.
    """

    graph: Graph
    tile: Tile
    backend: Backend
    device: Device
    lines: Mapping[int, str]
    sizes: Mapping[str, int]
    given: Mapping[str, TableValue]
    key: str
    program: str
    place: str
    versions: Pairs

    @property
    def named_sizes(self) -> Sizes:
        """The sizes as records hold them."""
        return tuple(sorted(self.sizes.items()))


def region_key(key: str, graph: Graph, region: Region, settled: Mapping[NodeId, Format]) -> str:
    """Return the key of one region of the problem ``key``: its tables may have got their formats
    from an earlier region.
    """
    parts = [key, region.name]
    for node in sorted(tables_of(graph, region) & set(settled)):
        parts += [table_name(graph.node(node)), show_format(settled[node])]
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
