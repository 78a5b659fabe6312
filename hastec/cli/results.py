"""What a run gave: in numbers, in files, and against what the program means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hastec.diag import Diagnostic
from hastec.driver import Program
from hastec.explain.writing import unwritten
from hastec.run.compare import Difference, compare, tolerance
from hastec.run.interpreted import Interpreted
from hastec.run.results import write_npy

DIFFERS = "HST6501"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How outputs compare with what the program means, and a problem for each that differs."""

    differences: tuple[Difference, ...]
    problems: tuple[Diagnostic, ...]


def agreement(made: Program, given: Mapping[str, object], found: Mapping[str, Any]) -> Agreement:
    """Run the graph interpreter on the same tables and compare every output."""
    graph, setup = made.graph, made.setup
    wanted = Interpreted(graph, {}, {}, "cpu", setup.registry).meant(given)
    told = tuple(
        compare(name, value, wanted[name], tolerance(graph, graph.param(name).dtype, False))
        for name, value in found.items()
    )
    advice = "report this: `hastec verify` on the program may say which pass is wrong"
    wrong = tuple(Diagnostic(DIFFERS, str(d), help=advice) for d in told if d.wrong)
    return Agreement(told, wrong)


def write_results(found: Mapping[str, Any], outs: Mapping[str, Path]) -> list[str]:
    """Write outputs to files and say so. Raises HasteError HST6405."""
    for name, path in outs.items():
        try:
            write_npy(path, found[name])
        except OSError as why:
            raise unwritten(path, why) from None
    return [f"  {name} written to {path}" for name, path in outs.items()]
