"""A compilation as files: every stage, kernels and their source, facts, and the explanation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from hastec.artefact import Artefact, Code, stage_text
from hastec.cache.identity import versions
from hastec.explain.report import Report
from hastec.explain.text import Formula, show
from hastec.ir.graph import Graph
from hastec.ir.kernel_show import show_kernel
from hastec.ir.view import node_link
from hastec.sym.formula import pretty
from hastec.target import Target


def dump_files(
    graph: Graph,
    artefact: Artefact | None,
    target: Target,
    report: Report | None,
    formula: Formula = pretty,
) -> dict[str, bytes]:
    """Return the files of a dump by name; the same compilation gives the same bytes.

    ``NN-pass.txt`` are the graphs behind each pass, ``KERNEL.kernel.txt`` the kernels,
    ``KERNEL.py`` or ``.ll`` the generated source, ``KERNEL.cubin``, ``.o`` … the machine code if
    it was built, ``machine.json`` what was compiled for and what the machine code is like,
    ``graph.json`` the last graph as networkx reads it, ``explain.txt`` and ``explain.json`` the
    explanation, if there is one.
    """
    stages = artefact.stages if artefact is not None else (("00-build", stage_text(graph)),)
    files = {f"{name}.txt": text for name, text in stages}
    built: dict[str, bytes] = {}
    for code in artefact.codes if artefact is not None else ():
        files[f"{code.region}.kernel.txt"] = show_kernel(code.kernel)
        files[f"{code.region}{code.suffix}"] = code.source
        built.update(_built(code))
    files["machine.json"] = _json(_machine(artefact, target))
    files["graph.json"] = _json(node_link(graph))
    if report is not None:
        files["explain.txt"] = show(report, formula)
        files["explain.json"] = _json(report.data())
    return {**{name: text.encode() for name, text in files.items()}, **built}


def _built(code: Code) -> Iterator[tuple[str, bytes]]:
    """Yield what a build left of a kernel, under the kernel's name; its source is there already."""
    for name, content in code.files.items():
        suffix = name.partition(".")[2]
        if f".{suffix}" != code.suffix:
            yield f"{code.region}.{suffix}", content


def _machine(artefact: Artefact | None, target: Target) -> dict[str, object]:
    """Return facts of the machine code by kernel, the target, and the versions that decided."""
    codes = artefact.codes if artefact is not None else ()
    return {
        "target": {"name": target.name, "backend": target.backend, "arch": target.arch},
        "kernels": {code.region: dict(code.facts) for code in codes},
        "versions": dict(versions()),
    }


def _json(data: Mapping[str, object]) -> str:
    return json.dumps(data, indent=2, sort_keys=True) + "\n"
