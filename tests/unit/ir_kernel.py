"""A short way to write graphs in tests."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastec.ir.graph import Graph, NodeId, Param
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.interp import Table, run_graph
from hastec.ir.rewrite import drop_dead
from hastec.ir.types import F32, DType
from hastec.ir.verify import verify_graph
from hastec.sym.size import Size


class Kernel(GraphBuilder):
    """A builder that declares, runs and verifies in a line each."""

    def __init__(self) -> None:
        super().__init__(name="kernel")

    def given(
        self,
        name: str,
        sizes: str = "",
        dtype: DType = F32,
        role: Literal["in", "inout"] = "in",
        sparse: bool = False,
        fill: float = 0.0,
    ) -> NodeId:
        """Declare an input over the sizes, one letter each."""
        shape = tuple(Size.of(size) for size in sizes)
        node = self.param(Param(name, dtype, shape, role, sparse=sparse, fill=fill))
        assert node is not None
        return node

    def over(self, name: str, size: str) -> NodeId:
        """A rank over a whole size, as its coordinate."""
        return self.index(self.loop(name, size))

    def give(
        self,
        name: str,
        ranks: str,
        body: NodeId,
        guards: tuple[NodeId, ...] = (),
        dtype: DType = F32,
        sparse: bool = False,
        fill: float = 0.0,
        like: str = "",
    ) -> NodeId:
        """Define an output over ranks of one letter each."""
        shape = self.extents(tuple(ranks))
        self.param(Param(name, dtype, shape, "out", sparse=sparse, fill=fill, like=like))
        node = self.define(name, tuple(ranks), body, guards)
        self.output(name, node)
        return node

    def graph(self) -> Graph:
        """Return the verified graph."""
        graph = drop_dead(self.build())
        verify_graph(graph)
        return graph

    def run(
        self, exact: bool = False, sizes: dict[str, int] | None = None, **tables: ArrayLike | Table
    ) -> dict[str, Table]:
        """Interpret the graph."""
        given = {n: t if isinstance(t, Table) else Table(np.asarray(t)) for n, t in tables.items()}
        return run_graph(self.graph(), given, sizes or {}, exact=exact)

    def values(self, **tables: ArrayLike | Table) -> NDArray[np.generic]:
        """Interpret the graph and return its first output."""
        return next(iter(self.run(False, None, **tables).values())).values
