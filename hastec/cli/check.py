"""``hastec check``: report what is wrong with programs. No device and no library is needed."""

from __future__ import annotations

import argparse
from dataclasses import replace

from hastec.cli.answer import Answer, Data, Problem, problems_of
from hastec.cli.arguments import Parser
from hastec.cli.sources import program
from hastec.diag import HasteError
from hastec.front.build import check
from hastec.ir.graph import Graph, Param
from hastec.ir.show import show_param
from hastec.levels.missing import missing
from hastec.text import counted, listed


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="programs; - reads standard input")


def run(args: argparse.Namespace) -> Answer:
    """Check files one by one; a wrong one does not stop the others."""
    names: list[str] = args.files
    found = [_checked(name) for name in names]
    return Answer(
        "\n".join(a.text for a in found if a.text),
        {"files": [a.data for a in found]},
        tuple(p for a in found for p in a.problems),
    )


def _checked(name: str) -> Answer:
    try:
        source = program(name)
        graphs = check(source)
    except HasteError as error:
        return Answer("", {"file": name, "ok": False, "kernels": []}, problems_of(error))
    notes = [
        Problem(replace(note, severity="warning"), source) for g in graphs for note in missing(g)
    ]
    text = f"{name}: {counted(len(graphs), 'kernel')}, no errors: {_named(graphs)}"
    data = {"file": name, "ok": True, "kernels": [_kernel(g) for g in graphs]}
    return Answer(text if graphs else f"{name}: no kernel, no errors", data, tuple(notes))


def _named(graphs: tuple[Graph, ...]) -> str:
    return listed(g.name for g in graphs)


def _kernel(graph: Graph) -> Data:
    return {
        "name": graph.name,
        "sizes": list(graph.sizes),
        "tables": [_table(p) for p in graph.params],
        "interpreted": any(missing(graph)),
    }


def _table(param: Param) -> Data:
    return {
        "name": param.name,
        "role": param.role,
        "time": param.time,
        "type": param.dtype.name,
        "shape": [str(size) for size in param.shape],
        "sparse": param.sparse,
        "declaration": show_param(param),
    }
