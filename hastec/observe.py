"""Observers of a compilation: what every stage looked like, kept or written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hastec.ir.graph import Graph


@dataclass(slots=True)
class Stages:
    """Keeps the text of every stage under the name ``NN-pass``."""

    show: Callable[[Graph], str]
    found: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, number: int, name: str, graph: Graph) -> None:
        """Keep a stage."""
        self.found.append((f"{number:02}-{name}", self.show(graph)))
