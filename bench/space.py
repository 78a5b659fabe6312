"""Runs every schedule of every format of one product on the GPU: predicted against measured time.

``python bench/space.py M K density N [--limit 24]`` prints a line a schedule, the fastest first,
each checked against a float64 product before it is timed. This is what prices are fitted from.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from bench.timing import copies_for, gpu_time
from hastec.backends.triton.backend import TritonBackend
from hastec.binding import BLOCKS
from hastec.cost import Facts
from hastec.diag import Source
from hastec.front.build import check
from hastec.ir.graph import Graph
from hastec.ir.schedule_text import show_schedule
from hastec.levels.packed import Entries
from hastec.levels.registry import default_registry
from hastec.levels.stats import describe
from hastec.passes.bound import layouts_of, table_name, work_of
from hastec.passes.catalogue import offers
from hastec.passes.formats import ChooseFormats
from hastec.passes.fuse import Fuse
from hastec.passes.normalise import Normalise
from hastec.passes.ranking import Ranked, rank
from hastec.run.device import gpu
from hastec.run.known import facts_for
from hastec.levels.assemble import pack

PROGRAM = Path(__file__).parent.parent / "examples" / "linear.haste"


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("shape", nargs=4)
    args.add_argument("--limit", type=int, default=24)
    args.add_argument("--out", default="")
    given = args.parse_args()
    m, k, n = int(given.shape[0]), int(given.shape[1]), int(given.shape[3])
    run(m, k, float(given.shape[2]), n, given.limit, given.out)


def run(m: int, k: int, density: float, n: int, limit: int, out: str) -> None:
    torch.manual_seed(0)
    device = gpu()
    assert device is not None
    graph = check(Source("linear", PROGRAM.read_text()))[-1]
    dense = torch.randn(m, k, device="cuda", dtype=torch.float16) / 8
    dense[torch.rand(m, k, device="cuda") >= density] = 0
    x = torch.randn(k, n, device="cuda", dtype=torch.float16)
    b = torch.randn(m, device="cuda", dtype=torch.float16)
    wanted = torch.nn.functional.silu(dense.double() @ x.double() + b.double()[:, None])
    sizes = {"M": m, "K": k, "N": n}
    coords = tuple(dense.nonzero().t().contiguous())
    stats = describe(coords, (m, k), BLOCKS)
    entries = Entries(coords, dense[coords], (m, k))
    registry = default_registry()
    for step in (Normalise(), ChooseFormats(device.target, {}, {"W": stats}), Fuse()):
        graph = step.run(graph)
    offered = list(offers(graph.param("W"), stats, device.target))
    facts = facts_for(graph, {"W": stats}, sizes, {"W": tuple(o.format for o in offered)})
    lines = []
    t_dense = gpu_time([lambda d=dense.clone(): d @ x for _ in range(copies_for(2 * m * k))])
    csr = dense.to_sparse_csr()
    t_csr = gpu_time([lambda: csr @ x] * 2)
    print(f"{device.model} {m}x{k} density {density} N {n}: dense {t_dense*1e6:.1f} us, cuSPARSE {t_csr*1e6:.1f} us")
    for node, fmt in graph.candidates:
        if fmt.dense and n == 1:
            continue
        formats = {**dict(graph.formats), node: fmt}
        layouts = layouts_of(graph, formats, registry)
        work = work_of(graph, graph.regions[0], layouts)
        backend = TritonBackend()
        ranking = rank(work, device.target, facts, sizes, 160, refuse=backend.refuse)
        chosen = list(ranking.ranked[:limit])
        packed = pack(layouts[node], entries, sizes)
        turns = copies_for(packed.bytes)
        copies = [{name: a.clone() for name, a in packed.named().items()} for _ in range(turns)]
        lines += measure(chosen, backend, device, copies, packed, x, b, wanted, sizes, str(fmt), t_dense)
    lines.sort(key=lambda row: row["us"])
    for row in lines[:40]:
        print(f"{row['us']:8.1f} us  x{row['ratio']:.2f}  predicted {row['predicted']:8.1f} {row['bound']:8} {row['format'][:40]:40} {row['axes']}")
    if out:
        Path(out).write_text("\n".join(json.dumps(r) for r in lines))


def measure(chosen, backend, device, copies, packed, x, b, wanted, sizes, name, t_dense):
    def build(r: Ranked):
        try:
            emitted = backend.emit(r.kernel, {}, device.target)
            return backend.build(emitted, r.kernel, device.target)
        except Exception as why:  # noqa: BLE001 - a candidate that does not compile is reported
            return why

    with ThreadPoolExecutor(16) as pool:
        built = list(pool.map(build, chosen))
    rows = []
    for r, made in zip(chosen, built, strict=True):
        axes = ", ".join(str(a) for a in r.schedule.axes) + f" s{r.schedule.stages} w{r.schedule.threads // 32}"
        if isinstance(made, Exception):
            print("does not build:", name[:30], axes, str(made)[:200], file=sys.stderr)
            continue
        launcher = backend.load(made.files, r.kernel, device.target)
        y = torch.full(wanted.shape, float("nan"), device="cuda", dtype=torch.float16)
        env = {**sizes, **packed.sizes()}
        grid = [s.evaluate(env) for _, s in r.kernel.grid]
        values = [env[s] for s in r.kernel.sizes]

        def call(arrays, launcher=launcher, r=r, grid=grid, values=values, y=y):
            have = {**arrays, "X.val": x, "b.val": b, "Y.val": y}
            launcher([have[t.name] for t in r.kernel.tables], values, grid)

        call(copies[0])
        torch.cuda.synchronize()
        error = ((y.double() - wanted).norm() / wanted.norm()).item()
        if not error < 2e-3:
            print("WRONG", name[:40], axes, error, show_schedule(r.schedule), file=sys.stderr)
            continue
        seconds = gpu_time([lambda a=a: call(a) for a in copies], 20, 5)
        rows.append({
            "us": seconds * 1e6, "ratio": t_dense / seconds, "predicted": r.price.seconds * 1e6,
            "bound": r.price.bound, "format": name, "axes": axes, "facts": dict(made.facts),
            "count": {"slots": r.count.slots, "bytes": r.count.bytes, "lines": r.count.lines,
                      "trips": r.count.trips, "programs": r.count.programs, "threads": r.count.threads, "flops": r.count.flops},
            "schedule": show_schedule(r.schedule), "sizes": sizes,
        })
    return rows


if __name__ == "__main__":
    main()
