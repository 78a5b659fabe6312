"""Runs the schedules of every format of one product on the GPU: predicted against measured time.

``python -m bench.space M K density N [--limit 24] [--out FILE]`` prints a line a schedule, the
fastest first, each checked against a float64 product before it is timed. Prices are fitted to it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.timing import copies_for, gpu_time
from hastec.backends.triton.backend import TritonBackend
from hastec.contracts import Built
from hastec.diag import Source
from hastec.front.build import check
from hastec.ir.format import Format
from hastec.ir.graph import Graph, Input, NodeId
from hastec.ir.schedule_text import show_schedule
from hastec.levels.assemble import pack, unpack
from hastec.levels.packed import Entries, Packed
from hastec.levels.stats import Stats, describe
from hastec.passes.bound import layouts_of
from hastec.passes.catalogue import BLOCKS, widths
from hastec.passes.formats import ChooseFormats
from hastec.passes.fuse import Fuse
from hastec.passes.normalise import Normalise
from hastec.passes.ranking import Ranked, rank
from hastec.passes.tile import Tile
from hastec.run.device import Device, gpu
from hastec.run.scratch import Scratch

PROGRAM = Path(__file__).parent.parent / "examples" / "linear.haste"


@dataclass(frozen=True)
class Case:
    """One product on random data."""

    x: torch.Tensor
    b: torch.Tensor
    sizes: Mapping[str, int]
    stats: Stats
    entries: Entries
    seconds: float


def main() -> None:
    """Measure one case."""
    given = argparse.ArgumentParser()
    given.add_argument("shape", nargs=4)
    given.add_argument("--limit", type=int, default=24)
    given.add_argument("--only", default="", help="formats whose text has it")
    given.add_argument("--values", default="", help="value code of the weight, then not sparse")
    given.add_argument("--out", default="")
    args = given.parse_args()
    m, k, n = int(args.shape[0]), int(args.shape[1]), int(args.shape[3])
    device = gpu()
    assert device is not None
    case = made(m, k, float(args.shape[2]), n)
    rows = []
    for row in measured(case, device, args.limit, args.only, args.values):
        rows.append(row)
        if args.out:  # what was measured stays if the rest is stopped
            with Path(args.out).open("a") as file:
                file.write(json.dumps(row) + "\n")
    rows.sort(key=lambda row: row["us"])
    for row in rows[:30]:
        print(
            f"{row['us']:8.1f} us  x{row['ratio']:.2f}  predicted {row['predicted']:8.1f} "
            f"{row['bound']:8} {row['format'][:110]} | {row['axes']}"
        )


def made(m: int, k: int, density: float, n: int) -> Case:
    """Return a case of random data; dense and cuSPARSE products are timed and printed."""
    torch.manual_seed(0)
    dense = torch.randn(m, k, device="cuda", dtype=torch.float16) / 8
    dense[torch.rand(m, k, device="cuda") >= density] = 0
    x = torch.randn(k, n, device="cuda", dtype=torch.float16)
    b = torch.randn(m, device="cuda", dtype=torch.float16)
    coords = tuple(dense.nonzero().t().contiguous())
    stats = describe(coords, (m, k), BLOCKS, widths=widths(k))
    turns = [dense.clone() for _ in range(copies_for(2 * m * k))]
    seconds = gpu_time([partial(torch.matmul, d, x) for d in turns])
    csr = dense.to_sparse_csr() if density < 1 else dense
    sparse = gpu_time([lambda: csr @ x] * 2)
    print(
        f"{torch.cuda.get_device_name()} {m}x{k} density {density} N {n}: "
        f"cuBLAS {seconds * 1e6:.1f} us, cuSPARSE {sparse * 1e6:.1f} us"
    )
    sizes = {"M": m, "K": k, "N": n}
    return Case(x, b, sizes, stats, Entries(coords, dense[coords], (m, k)), seconds)


def meant(case: Case, held: Entries) -> torch.Tensor:
    """Return the exact result for a weight as its format holds it, f64[M, N]."""
    dense = torch.zeros(held.shape, dtype=torch.float64, device="cuda")
    dense[tuple(torch.as_tensor(c) for c in held.coords)] = torch.as_tensor(held.values).double()
    return torch.nn.functional.silu(dense @ case.x.double() + case.b.double()[:, None])


def program(values: str) -> Graph:
    """Return the graph of the product, its weight with a value code if there is one."""
    text = PROGRAM.read_text()
    if values:
        text = text.replace("sparse f16[M, K]", f"f16[M, K] values {values}")
    return check(Source("linear", text))[-1]


def measured(
    case: Case, device: Device, limit: int, only: str, values: str
) -> Iterator[dict[str, Any]]:
    """Yield a row for every schedule that is right."""
    graph = program(values)
    choose = ChooseFormats(device.target, {}, {"W": case.stats}, 99)
    for step in (Normalise(), choose, Fuse()):
        graph = step.run(graph)
    (weight,) = (n.id for n in graph.nodes if n.op == Input("W"))
    candidates = [f for node, f in graph.candidates if node == weight]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(16, mp_context=spawn) as pool:
        for fmt in candidates or [dict(graph.formats)[weight]]:
            if only in str(fmt):
                formats = {**dict(graph.formats), weight: fmt}
                yield from _of_format(case, device, graph, formats, weight, limit, pool)


def _of_format(
    case: Case,
    device: Device,
    graph: Graph,
    formats: Mapping[NodeId, Format],
    weight: NodeId,
    limit: int,
    pool: Executor,
) -> Iterator[dict[str, Any]]:
    backend = TritonBackend()
    tile = Tile(device.target, {"W": case.stats}, case.sizes, refuse=backend.refuse)
    (region,) = graph.regions
    work, facts = tile.work(graph, region, formats), tile.facts(graph, formats)
    found = rank(work, device.target, facts, case.sizes, 400, refuse=backend.refuse)
    packed = pack(layouts_of(graph, formats, tile.registry)[weight], case.entries, case.sizes)
    wanted = meant(case, unpack(packed, case.sizes))
    chosen = list(found.ranked[:limit])
    fmt = str(formats[weight])
    print(f"{fmt}: {packed.bytes / 2**20:.2f} MiB, {len(found.ranked)} schedules", flush=True)
    for ranked, built in zip(chosen, _built(pool, chosen, device), strict=True):
        row = _row(case, device, ranked, built, packed, wanted)
        if row is not None:
            yield {"format": fmt, **row}


def _built(pool: Executor, chosen: list[Ranked], device: Device) -> list[Built | str]:
    return list(pool.map(_build, chosen, [device] * len(chosen)))


def _build(ranked: Ranked, device: Device) -> Built | str:
    backend = TritonBackend()
    try:
        emitted = backend.emit(ranked.kernel, {}, device.target)
        return backend.build(emitted, ranked.kernel, device.target)
    except Exception as why:  # a candidate that does not compile is reported
        return str(why)


def _row(
    case: Case,
    device: Device,
    ranked: Ranked,
    built: Built | str,
    packed: Packed,
    wanted: torch.Tensor,
) -> dict[str, Any] | None:
    schedule = ranked.schedule
    axes = ", ".join(str(a) for a in schedule.axes)
    axes += f", {schedule.stages} stages, {schedule.threads} threads"
    if isinstance(built, str):
        print("does not build:", axes, built[:300], file=sys.stderr)
        return None
    seconds, error = _timed(case, device, ranked, built, packed, wanted)
    if not error < 2e-3:
        print("WRONG", axes, error, show_schedule(schedule), file=sys.stderr)
        return None
    return {
        "us": seconds * 1e6,
        "ratio": case.seconds / seconds,
        "predicted": ranked.price.seconds * 1e6,
        "bound": ranked.price.bound,
        "axes": axes,
        "facts": dict(built.facts),
        **_counted(ranked),
        "stages": schedule.stages,
        "schedule": show_schedule(schedule),
        "sizes": dict(case.sizes),
    }


def _timed(
    case: Case,
    device: Device,
    ranked: Ranked,
    built: Built,
    packed: Packed,
    wanted: torch.Tensor,
) -> tuple[float, float]:
    """Return the seconds of a launch and the relative error of its result."""
    kernel = ranked.kernel
    launch = TritonBackend().load(built.files, kernel, device.target)
    y = torch.full(wanted.shape, float("nan"), device="cuda", dtype=torch.float16)
    env = {**case.sizes, **packed.sizes()}
    grid = [size.evaluate(env) for _, size in kernel.grid]
    values = [env[s] for s in kernel.sizes]

    scratch = Scratch(kernel).makers(env, "cuda")

    def call(arrays: Mapping[str, Any]) -> None:
        own = {name: make() for name, make in scratch}
        have = {**arrays, **own, "X.val": case.x, "b.val": case.b, "Y.val": y}
        launch([have[t.name] for t in kernel.tables], values, grid)

    named = dict(packed.named())
    call(named)
    torch.cuda.synchronize()
    error = ((y.double() - wanted).norm() / wanted.norm()).item()
    if not error < 2e-3:
        return float("nan"), error
    turns = [_clones(named) for _ in range(copies_for(packed.bytes))]
    return gpu_time([partial(call, arrays) for arrays in turns], 20, 5), error


def _clones(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array.clone() for name, array in arrays.items()}


def _counted(ranked: Ranked) -> dict[str, Any]:
    counted = ranked.count
    names = ("programs", "threads", "slots", "flops", "bytes", "lines", "trips")
    return {"count": {n: getattr(counted, n) for n in names}, "detail": dict(counted.detail)}


if __name__ == "__main__":
    main()
