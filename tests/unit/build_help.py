"""Builds a program from text and runs it with the interpreter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hastec.diag import HasteError, Source
from hastec.front.build import check
from hastec.ir.graph import Graph
from hastec.ir.interp import Table, run_graph
from hastec.ir.read import read_graph
from hastec.ir.show import show_graph
from hastec.ir.verify import verify_graph

Array = NDArray[np.generic]


def build(text: str) -> Graph:
    """Return the last kernel of a program; its graph is verified and reads back."""
    graph = check(Source("test", text))[-1]
    verify_graph(graph)
    assert read_graph(show_graph(graph)) == graph
    return graph


def kernel(head: str, out: str, *lines: str, before: str = "") -> Graph:
    """Return the graph of one kernel, with declarations ``before`` it."""
    body = "".join(f"    {line}\n" for line in lines)
    return build(f"{before}\nkernel k({head}) -> {out} {{\n{body}}}\n")


def run(graph: Graph, sizes: dict[str, int] | None = None, **tables: object) -> dict[str, Array]:
    """Return the outputs of a graph for dense inputs."""
    given = {name: Table(np.asarray(value)) for name, value in tables.items()}
    found = run_graph(graph, given, sizes or {})
    return {name: table.values for name, table in found.items()}


def codes(text: str) -> list[str]:
    """Return the codes of what is wrong with a program."""
    try:
        check(Source("test", text))
    except HasteError as error:
        return [d.code for d in error.diagnostics]
    return []
