"""Runs every schedule of every format of one program on the CPU: predicted against measured time.

``python -m bench.cpu_space linear matrix.smtx 16`` or ``… matmul 512 512 512`` prints a line a
schedule, the fastest first, each checked against a float64 reference before it is timed, and what
NumPy-like libraries take. Prices of the CPU target are fitted from these lines.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

import hastec
from bench.cpu_cases import CASES, KINDS, Case
from bench.timing import cpu_time
from hastec.backends.cpu.backend import Cpu
from hastec.binding import learn, passes_for
from hastec.ir.format import Format
from hastec.ir.graph import Graph, NodeId
from hastec.passes.bound import layouts_of, table_name, work_of
from hastec.passes.facts import facts_for
from hastec.passes.ranking import Ranked, rank
from hastec.run.outputs import Output, allocate
from hastec.run.tables import TableValue, take


# ------------------------------------------------------------------------------------- the space
@dataclass(frozen=True, slots=True)
class Row:
    """One schedule measured."""

    seconds: float
    ranked: Ranked
    formats: str
    facts: Mapping[str, str]

    def json(self) -> dict[str, object]:
        count, price = self.ranked.count, self.ranked.price
        return {
            "us": self.seconds * 1e6,
            "predicted": price.seconds * 1e6,
            "bound": price.bound,
            "format": self.formats,
            "axes": axes_of(self.ranked),
            "facts": dict(self.facts),
            "programs": count.programs,
            "slots": count.slots,
            "bytes": count.bytes,
            "lines": count.lines,
            "detail": dict(count.detail),
        }


def axes_of(ranked: Ranked) -> str:
    early = f" early {len(ranked.schedule.early)}" if ranked.schedule.early else ""
    return ", ".join(str(a) for a in ranked.schedule.axes) + early


def measure(
    case: Case, limit: int, backend: Cpu, build: bool = True, threads: int = 0
) -> Iterator[Row]:
    """Yield every schedule that lowers, measured."""
    program = hastec.compile(case.text, backend_name="cpu")
    setup, graph = program.setup, program.graph
    if threads:
        device = replace(setup.device, target=replace(setup.device.target, units=threads))
        setup = replace(setup, device=device)
    target = setup.device.target
    taken = {p.name: take(p, case.all[p.name]) for p in graph.params if p.role == "in"}
    known = learn(graph, taken, {})
    for step in passes_for(setup, known):
        if step.name == "tile":
            break
        graph = step.run(graph)
    for formats in _formats(graph):
        layouts = layouts_of(graph, formats, setup.registry)
        named = {table_name(graph.node(n)): f for n, f in formats.items()}
        facts = facts_for(graph, known.stats, known.sizes, named)
        (region,) = graph.regions
        work = work_of(graph, region, layouts)
        ranking = rank(work, target, facts, known.sizes, 400, refuse=backend.refuse)
        for why, count in ranking.refused:
            print(f"  {count} refused: {why}")
        arrays, sizes = _arrays(graph, taken, layouts, known.sizes)
        name = " ".join(formats[n].name for n, _ in graph.candidates[:1])
        for ranked in ranking.ranked[:limit]:
            yield _one(case, ranked, backend, target, arrays, sizes, name, build)


def _formats(graph: Graph) -> Iterator[dict[NodeId, Format]]:
    open_: dict[NodeId, list[Format]] = {}
    for node, fmt in graph.candidates:
        open_.setdefault(node, []).append(fmt)
    for choice in product(*open_.values()):
        yield {**dict(graph.formats), **dict(zip(open_, choice, strict=True))}


def _arrays(
    graph: Graph, taken: Mapping[str, TableValue], layouts: Any, sizes: Mapping[str, int]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the arrays and numbers of a launch, outputs included."""
    arrays: dict[str, Any] = {}
    numbers = dict(sizes)
    for node, mine in layouts.items():
        name = table_name(graph.node(node))
        if name in taken:
            value = taken[name]
            if value.dense is not None and not value.param.sparse:
                arrays[f"{name}.val"] = value.dense
                continue
            packed = value.in_layouts(mine, sizes)
            arrays.update(packed.named())
            numbers.update(packed.sizes())
        else:
            shape = graph.node(node).shape or ()
            out = Output(name, graph.node(node).dtype, shape, True)
            arrays.update(allocate((out,), sizes, {}, "cpu"))
    return arrays, numbers


def _one(
    case: Case, ranked: Ranked, backend: Cpu, target: Any, arrays: dict[str, Any],
    sizes: Mapping[str, int], formats: str, build: bool,
) -> Row:  # fmt: skip
    kernel = ranked.kernel
    if not build:
        return Row(0.0, ranked, formats, {})
    built = backend.build(backend.emit(kernel, {}, target), kernel, target)
    launcher = backend.load(built.files, kernel, target)
    grid = [size.evaluate(sizes) for _, size in kernel.grid]
    args = [arrays[t.name] for t in kernel.tables], [sizes[s] for s in kernel.sizes], grid
    out = next(arrays[t.name] for t in kernel.tables if t.access == "write")
    out.fill_(float("nan"))
    launcher(*args)
    error = float((out.double() - case.wanted).norm() / case.wanted.norm())
    if not error < case.allowed:
        print("WRONG", error, formats, axes_of(ranked))
    return Row(cpu_time(lambda: launcher(*args), 0.06), ranked, formats, built.facts)


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("case", choices=sorted(CASES))
    args.add_argument("sizes", nargs="*")
    args.add_argument("--limit", type=int, default=100)
    args.add_argument("--show", type=int, default=25)
    args.add_argument("--threads", type=int, default=0)
    args.add_argument("--kind", choices=sorted(KINDS), default="f32")
    args.add_argument("--out", default="")
    given = args.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    case = CASES[given.case](*given.sizes, kind=given.kind)
    times = {name: cpu_time(call) for name, call in case.others.items()}
    print(f"{given.case} {' '.join(given.sizes)}: " + shown(times))
    found = sorted(measure(case, given.limit, Cpu(), True, given.threads), key=lambda r: r.seconds)
    for row in found[: given.show]:
        line = row.json()
        print(
            f"{line['us']:9.1f} us  predicted {line['predicted']:9.1f} {line['bound']:7}"
            f" {line['format']:7} {line['axes']} | {shown_facts(row.facts)}"
        )
    picked = min(found, key=lambda r: r.ranked.price.seconds)
    print(f"chosen: {picked.seconds * 1e6:.1f} us, {picked.seconds / found[0].seconds:.2f}x best")
    if given.out:
        Path(given.out).write_text("\n".join(json.dumps(r.json()) for r in found) + "\n")


def shown(times: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {seconds * 1e6:.1f} us" for name, seconds in times.items())


def shown_facts(facts: Mapping[str, str]) -> str:
    return " ".join(f"{k} {v}" for k, v in facts.items())


if __name__ == "__main__":
    main()
