"""What ``make demo`` shows: three pruned weights and one attention, compiled, checked and timed.

Everything printed is found out here and now, on this machine; nothing is looked up.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

import hastec
from hastec.diag import HasteError
from hastec.explain.report import Report, TableReport
from hastec.options import Options
from hastec.run.files import read_table
from hastec.run.rotation import rotated
from hastec.run.runner import Runner
from hastec.run.tables import take
from hastec.run.timing import Timer, timer_for

HERE = Path(__file__).resolve().parent
DUMPS = Path("dump")
COLUMNS = 16
TUNING = 4
"""Seconds that measuring candidates may take for each weight."""
HEADS, LENGTH, WIDTH = 4, 512, 64
NEXT = (
    ("README.md", "what this is, on one page"),
    ("docs/tutorial.md", "your own sparsity pattern in ten minutes"),
    ("docs/architecture.md", "how it is built, and where to add to it"),
    ("hastec --help", "check, run, explain, tune and verify programs of your own"),
)


def main() -> int:
    """Run the demonstration; 1 if a result was wrong."""
    start = time.perf_counter()
    options = Options.from_environment(tune_budget=TUNING)
    program = hastec.compile(HERE / "linear.haste", options=options)
    print(f"examples/linear.haste on {where(program)}, {COLUMNS} columns, f16 tables, f32 sums\n")
    for line in program.setup.source.text.splitlines():
        if line.startswith(("kernel", "    Y")):
            print(f"    {line}")
    weights = sorted((HERE / "data").glob("*.smtx.gz"), key=lambda p: p.stat().st_size)
    right = [show_weight(program, path) for path in weights]
    right.append(show_attention())
    print(f"\nEverything above took {time.perf_counter() - start:.0f} s. What to read next:")
    for name, what in NEXT:
        print(f"    {name:<22} {what}")
    return 0 if all(right) else 1


def where(program: hastec.Program) -> str:
    """Return the device a program is compiled for, in words."""
    device = program.setup.device
    return device.model or f"this processor ({torch.get_num_threads()} threads)"


# ------------------------------------------------------------------------------------------ weights
def show_weight(program: hastec.Program, path: Path) -> bool:
    """Bind one pruned weight, check and time it, and say what was decided; False if it is wrong."""
    device = program.setup.device.name
    param = program.graph.param("W")
    given = read_table(param, path, seed=0)
    entries = take(param, given).entries()
    weight = torch.zeros(entries.shape, dtype=torch.float16)
    weight[tuple(entries.coords)] = torch.as_tensor(entries.values)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(weight.shape[1], COLUMNS, generator=draw).half().to(device)
    bias = torch.randn(weight.shape[0], generator=draw).half().to(device)

    plan = program.bind(W=weight.to(device), b=bias, N=COLUMNS, tune=True)
    exact = weight.double() @ x.cpu().double() + bias.cpu().double()[:, None]
    error = off(plan(X=x), exact * torch.sigmoid(exact))
    report, dump = plan.report(), plan.dump(DUMPS / path.name.removesuffix(".smtx.gz"))
    print(f"\n{path.name.removesuffix('.smtx.gz')}")
    say_choice(report, timed(plan))
    say_times(plan, weight.to(device), x)
    good = error < 2e-3
    verdict = "right" if good else "WRONG"
    print(f"    checked  {verdict}: off by {error:.1e} from float64 (f16 rounds by 4.9e-4)")
    print(f"    dumped   {dump}/")
    return good


def off(y: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the norm of the error over the norm of the right result."""
    return float((y.cpu().double() - wanted).norm() / wanted.norm())


def timed(plan: hastec.Plan) -> int:
    """Return how many candidates were timed for a plan, now or earlier on this machine."""
    return sum(r.ms is not None for r in plan.decided.records) if plan.decided is not None else 0


def say_choice(report: Report, count: int) -> None:
    """Print the format of the weight, why it was taken, what else there was, and the bytes.

    ``count`` candidates were timed; if none was, predictions decided.
    """
    table = next(t for t in report.tables if t.name == "W")
    (region,) = report.regions
    print(f"    chosen   {table.layout or table.format}, {kib(table.bytes)}")
    fastest = f"it was the fastest of {count} candidates, each checked and then timed here"
    print(f"    because  {fastest if count > 1 else table.why}")
    for rejected in nearest(table):
        print(f"    not      {rejected}")
    least = region.least or region.bytes
    bound = f"{region.bytes / least:.2f}x the {kib(least)} that must move"
    dense = "" if region.dense is None else f"; with a dense W {kib(region.dense.bytes)}"
    print(f"    moves    {kib(region.bytes)}, {bound}{dense}")


def nearest(table: TableReport) -> Sequence[str]:
    """Return what was rejected, two of them, the formats that were priced first."""
    priced = [r for r in table.rejected if "predicted" in r.why]
    others = [r for r in table.rejected if r not in priced]
    found = (*priced, *others)[:2]
    return [f"{r.what.partition('=')[0].strip()}: {r.why}" for r in found]


def kib(count: float | None) -> str:
    """Return bytes as KiB."""
    return "? KiB" if count is None else f"{count / 1024:.0f} KiB"


def say_times(plan: hastec.Plan, weight: torch.Tensor, x: torch.Tensor) -> None:
    """Print the time of a call beside those of torch's products, which leave out bias and silu."""
    run = plan.run
    assert isinstance(run, Runner)
    timer = timer_for(run.device)
    ours = timer(rotated(run, {"X": x}), None).median
    (region,) = plan.report().regions
    found = [f"{ours * 1e6:.0f} us ({region.cost.seconds * 1e6:.0f} us predicted)"]
    for name, product in products(weight, x):
        seconds = min(timed_on(threads, timer, product) for threads in {1, torch.get_num_threads()})
        found.append(f"{name} {seconds * 1e6:.0f} us, {seconds / ours:.1f}x")
    print(f"    takes    {'; '.join(found)}")


def timed_on(threads: int, timer: Timer, product: Callable[[], torch.Tensor]) -> float:
    """Return the seconds of a product of torch on so many threads.

    Where others use the machine, torch is often faster on one: threads that wait for each other
    wait for whoever runs in between. The better time is the one to compare with.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return timer([product], None).median
    finally:
        torch.set_num_threads(before)


def products(
    weight: torch.Tensor, x: torch.Tensor
) -> Sequence[tuple[str, Callable[[], torch.Tensor]]]:
    """Return torch's products: dense, and CSR in the type of the table or, if torch has none,
    in f32.
    """
    wide, right = weight.float(), x.float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that CSR is new in torch
        narrow_csr, wide_csr = weight.to_sparse_csr(), wide.to_sparse_csr()
    try:
        narrow_csr @ x
        sparse = ("torch CSR", lambda: narrow_csr @ x)
    except RuntimeError:  # torch says so where it has no kernel for a type
        sparse = ("torch CSR in f32", lambda: wide_csr @ right)
    return [("torch dense", lambda: weight @ x), sparse]


# ---------------------------------------------------------------------------------------- attention
def show_attention() -> bool:
    """Run an attention whose pattern is a predicate: scores, softmax and product in one kernel."""
    program = hastec.compile(HERE / "a_shape.haste")
    draw = torch.Generator().manual_seed(2)
    shape = HEADS, LENGTH, WIDTH
    tables = [torch.randn(shape, generator=draw).bfloat16() for _ in range(3)]
    q, k, v = (t.to(program.setup.device.name) for t in tables)
    plan = program.bind(H=HEADS, L=LENGTH, D=WIDTH)
    error = off(plan(Q=q, K=k, V=v), attention(*tables))
    report = plan.report()
    scores = HEADS * LENGTH * LENGTH * 4
    print(f"\nexamples/a_shape.haste, {HEADS} heads, {LENGTH} tokens, bf16")
    for region in report.regions:
        for _, line in region.lines:
            print(f"    {line.strip()}")
        names = "scores, softmax and product"
        print(f"    kernel   {region.name} does all of it: {names} in one pass over the keys")
        moved = f"{kib(region.bytes)} predicted to move, none of it scores (they are {kib(scores)})"
        print(f"    moves    {moved}")
    good = len(report.regions) == 1 and error < 8e-3
    verdict = "right" if good else "WRONG"
    print(f"    checked  {verdict}: off by {error:.1e} from float64 (bf16 rounds by 3.9e-3)")
    return good


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return the same in float64, with all scores spelled out."""
    scores = q.double() @ k.double().transpose(1, 2) / WIDTH**0.5
    i, j = torch.arange(LENGTH)[:, None], torch.arange(LENGTH)[None, :]
    allowed = (j <= i) & ((i - j < 2048) | (j < 128))
    return torch.softmax(scores.masked_fill(~allowed, float("-inf")), -1) @ v.double()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HasteError as error:
        sys.exit(str(error))
