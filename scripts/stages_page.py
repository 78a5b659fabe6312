"""Fill in the worked example of ``docs/architecture.md``: ``python scripts/stages_page.py``.

The page holds a program and a schedule; what the compiler makes of the two goes behind the marks
``<!-- stage … -->``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hastec.artefact import code_of
from hastec.backends import backend
from hastec.diag import Source
from hastec.front.build import check
from hastec.ir.graph import Graph
from hastec.ir.kernel_show import show_kernel
from hastec.ir.schedule_text import read_schedule
from hastec.ir.show import show_graph
from hastec.levels.registry import default_registry
from hastec.passes.dead import DeadCode
from hastec.passes.formats import ChooseFormats
from hastec.passes.fuse import Fuse
from hastec.passes.layout import LayOut
from hastec.passes.normalise import Normalise
from hastec.passes.patterns import Patterns
from hastec.target import TARGETS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "architecture.md"
MARKED = r"(<!-- stage {} -->\n```\w+\n)(.*?)^```$"
TARGET = TARGETS["sm_90"]


def filled(text: str) -> str:
    """Return the page with the stages of its example."""
    source = Source("rows.haste", "haste 1\n" + _marked(text, "program")[2])
    (graph,) = check(source)
    for step in (Normalise(), Patterns(), ChooseFormats(TARGET), Fuse()):
        graph = step.run(graph)
    schedule = read_schedule(_marked(text, "schedule")[2])
    graph = replace(graph, regions=(replace(graph.regions[0], schedule=schedule),))
    graph = DeadCode().run(LayOut().run(graph))
    lines = dict(enumerate(source.text.split("\n"), start=1))
    made = backend("triton"), TARGET, default_registry(), lines
    code = code_of(graph, graph.regions[0], *made, build=False)
    stages = {
        "graph": _graph_lines(graph),
        "kernel": _kernel_lines(show_kernel(code.kernel)),
        "source": iter(code.source.strip().split("\n")),
    }
    for name, shown in stages.items():
        found = _marked(text, name)
        text = text[: found.start(2)] + "\n".join(shown) + "\n" + text[found.end(2) :]
    return text


def _marked(text: str, name: str) -> re.Match[str]:
    found = re.search(MARKED.format(name), text, re.M | re.S)
    if found is None:
        raise SystemExit(f"the page has no place for the {name}")
    return found


def _graph_lines(graph: Graph) -> Iterator[str]:
    """Yield the nodes of a graph and what was decided about its tables, places left out."""
    for line in show_graph(graph, lambda _: "…").split("\n"):
        if re.match(r" +(rank|%|output|format|region)", line):
            yield line.split("   #")[0].strip()


def _kernel_lines(text: str) -> Iterator[str]:
    """Yield the digits of a kernel and its loop, with what follows; places left out."""
    lines = [line.split("   #")[0].rstrip() for line in text.strip().split("\n")]
    start = next(n for n, line in enumerate(lines) if line.startswith("  for "))
    yield lines[0]
    yield from (line for line in lines if re.match(r"  (digit|grid|state)", line))
    yield "  …"
    yield from lines[start:]


def main() -> None:
    """Write the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
