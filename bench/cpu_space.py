"""Runs every schedule of every format of one program on the CPU: predicted against measured time.

``python -m bench.cpu_space linear matrix.smtx 16`` or ``… matmul 512 512 512`` prints a line a
schedule, the fastest first, each checked against a float64 reference before it is timed, and what
NumPy-like libraries take. Prices of the CPU target are fitted from these lines.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hastec
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

LINEAR = """kernel linear(W: static sparse f32[M, K], X: f32[K, N], b: f32[M]) -> Y: f32[M, N] {
    Y[i, n] = silu(sum[k] W[i, k] * X[k, n] + b[i])
}"""
MATMUL = """kernel matmul(A: f32[M, K], B: f32[K, N]) -> C: f32[M, N] {
    C[i, j] = sum[k] A[i, k] * B[k, j]
}"""
SOFTMAX = """kernel rows(X: f32[M, N]) -> Y: f32[M, N] {
    Y[i, j] = softmax[j](X[i, j])
}"""
CHAIN = """kernel chain(X: f32[M, N], Z: f32[M, N], b: f32[N]) -> Y: f32[M, N] {
    Y[i, j] = silu(X[i, j] * Z[i, j] + b[j]) + X[i, j]
}"""
ROWS = """kernel rows(X: f32[M, N]) -> y: f32[M] {
    y[i] = sum[j] X[i, j] * X[i, j]
}"""
COLUMNS = """kernel columns(X: f32[M, N]) -> y: f32[N] {
    y[j] = max[i] X[i, j]
}"""


@dataclass(frozen=True, slots=True)
class Case:
    """A program with its tables, what it should give, and what libraries do for it."""

    text: str
    tables: Mapping[str, Any]
    wanted: torch.Tensor
    others: Mapping[str, Callable[[], object]]


def read_smtx(path: str) -> torch.Tensor:
    """Return a pattern of the DLMC collection with random values, as a CSR tensor."""
    whole = Path(path).read_bytes()
    lines = (gzip.decompress(whole) if path.endswith(".gz") else whole).decode().split("\n")
    rows, columns, count = map(int, lines[0].replace(",", " ").split())
    starts, crd = (np.array(line.split(), np.int32) for line in lines[1:3])
    torch.manual_seed(0)
    values = torch.randn(count) / 8
    parts = torch.from_numpy(starts), torch.from_numpy(crd), values
    return torch.sparse_csr_tensor(*parts, (rows, columns), check_invariants=True)


def linear(matrix: str, columns: str) -> Case:
    """``matrix`` is the path of an smtx file, or ``MxKxdensity``."""
    if "x" in Path(matrix).name and not matrix.endswith((".smtx", ".gz")):
        m, k, density = matrix.split("x")
        dense = torch.randn(int(m), int(k)) / 8
        dense[torch.rand(dense.shape) >= float(density)] = 0
        w = dense.to_sparse_csr()
    else:
        w = read_smtx(matrix)
    import scipy.sparse

    n = int(columns)
    x, b = torch.randn(w.shape[1], n), torch.randn(w.shape[0])
    parts = w.values().numpy(), w.col_indices().numpy().astype(np.int32)
    rows = scipy.sparse.csr_matrix((*parts, w.crow_indices().numpy().astype(np.int32)), w.shape)
    wanted = torch.nn.functional.silu(w.to_dense().double() @ x.double() + b.double()[:, None])
    narrow = torch.sparse_csr_tensor(
        w.crow_indices().int(), w.col_indices().int(), w.values(), w.shape, check_invariants=True
    )
    flat, y = x.numpy(), w.to_dense()
    others = {"scipy": lambda: rows @ flat, "torch": lambda: narrow @ x, "dense": lambda: y @ x}
    return Case(LINEAR, {"W": w, "X": x, "b": b}, wanted, others)


def matmul(m: str, k: str, n: str) -> Case:
    a, b = torch.randn(int(m), int(k)), torch.randn(int(k), int(n))
    return Case(MATMUL, {"A": a, "B": b}, a.double() @ b.double(), {"torch": lambda: a @ b})


def softmax(m: str, n: str) -> Case:
    x = torch.randn(int(m), int(n))
    return Case(SOFTMAX, {"X": x}, x.double().softmax(1), {"torch": lambda: x.softmax(1)})


def chain(m: str, n: str) -> Case:
    x, z, b = torch.randn(int(m), int(n)), torch.randn(int(m), int(n)), torch.randn(int(n))
    silu = torch.nn.functional.silu
    wanted = silu(x.double() * z.double() + b.double()) + x.double()
    return Case(CHAIN, {"X": x, "Z": z, "b": b}, wanted, {"torch": lambda: silu(x * z + b) + x})


def rows(m: str, n: str) -> Case:
    x = torch.randn(int(m), int(n))
    return Case(ROWS, {"X": x}, (x.double() ** 2).sum(1), {"torch": lambda: (x * x).sum(1)})


def columns(m: str, n: str) -> Case:
    x = torch.randn(int(m), int(n))
    return Case(COLUMNS, {"X": x}, x.double().amax(0), {"torch": lambda: x.amax(0)})


CASES = {f.__name__: f for f in (linear, matmul, softmax, chain, rows, columns)}


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
    taken = {p.name: take(p, case.tables[p.name]) for p in graph.params if p.role == "in"}
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
    if not error < 1e-5:
        print("WRONG", error, formats, axes_of(ranked))
    return Row(cpu_time(lambda: launcher(*args), 0.06), ranked, formats, built.facts)


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("case", choices=sorted(CASES))
    args.add_argument("sizes", nargs="*")
    args.add_argument("--limit", type=int, default=100)
    args.add_argument("--show", type=int, default=25)
    args.add_argument("--threads", type=int, default=0)
    args.add_argument("--out", default="")
    given = args.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    case = CASES[given.case](*given.sizes)
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
