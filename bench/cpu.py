"""Compares compiled programs with scipy and torch on the CPU, from call to result.

``python -m bench.cpu tables/*.smtx.gz`` multiplies pruned weights of f32, and ``--dense``
runs dense programs in f32, f16 and bf16. The compiled product of a weight has bias
and activation in it; what libraries do is the product alone.

Results are checked against float64 first. Then all take turns: a round times each for a few
milliseconds and keeps the median of its calls, and what counts is the least of a case's rounds, so
that what else this machine does hits all alike. With ``--out FILE`` rows are added to a file that
``bench.report`` reads too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

import hastec
from bench.cpu_cases import CASES, KINDS, Case
from bench.report import markdown
from bench.rows import Machine, Row, machine, write
from hastec.options import Options
from hastec.plan import Plan

REST, WARM, BURST = 5e-3, 10e-3, 5e-3
"""Seconds for which a round waits, then repeats a call before and while it is timed."""
OURS = "ours"

DENSE: tuple[tuple[str, ...], ...] = (
    ("matmul", "512", "512", "512"),
    ("matmul", "1000", "1000", "1000"),
    ("matmul", "2048", "2048", "2048"),
    ("softmax", "2048", "1000"),
    ("softmax", "512", "4096"),
    ("chain", "1000", "1000"),
    ("chain", "2048", "2048"),
    ("squares", "2048", "2048"),
    ("sums", "2048", "2048"),
    ("sums", "1000", "1000"),
    ("most", "2048", "2048"),
    ("columns", "2048", "2048"),
)


class Wrong(Exception):
    """Results that are not right: nothing is timed then."""


def measure(name: str, case: Case, kind: str, here: Machine, rounds: int = 15) -> Row:
    """Return the result of one case. Raises Wrong if anybody computes something else."""
    program = hastec.compile(case.text, backend_name="cpu", options=Options.from_environment())
    given: dict[str, Any] = {**case.bound, **case.sizes}
    plan = program.bind(**given)
    error = off(plan(**case.tables), case.wanted)
    check(name, error, case.allowed)
    exact = case.wanted if case.exact is None else case.exact
    for other, call in case.others.items():
        check(f"{name}, {other}", off(call(), exact), 2 * case.allowed)
    us = compared({OURS: lambda: plan(**case.tables), **case.others}, rounds)
    return row(name, case, kind, here, plan, error, us)


def off(found: object, wanted: torch.Tensor) -> float:
    """Return the norm of the error over that of the right result, in float64."""
    y = torch.as_tensor(found).double().reshape(wanted.shape)
    return float((y - wanted).norm() / max(float(wanted.norm()), 1e-30))


def check(what: str, error: float, allowed: float) -> None:
    """Raise Wrong if an error is larger than it may be."""
    if not error <= allowed:
        raise Wrong(f"{what}: the relative error is {error:.2e}")


def compared(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the microseconds of every call: the least median of ``rounds`` in turns."""
    best = dict.fromkeys(calls, float("inf"))
    for n in range(rounds):
        order = list(calls) if n % 2 == 0 else list(reversed(list(calls)))
        for name in order:
            best[name] = min(best[name], 1e6 * median(calls[name]))
    return best


def median(call: Callable[[], object]) -> float:
    """Return the median seconds of calls in a row, of three at least, after some to warm up.

    Threads of whoever ran before wait for more work for a while, which is over by then.
    """
    time.sleep(REST)
    _repeated(call, 1, WARM)
    return statistics.median(_repeated(call, 3, BURST))


def _repeated(call: Callable[[], object], least: int, seconds: float) -> list[float]:
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < least or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return found


def row(
    name: str, case: Case, kind: str, here: Machine, plan: Plan, error: float,
    us: Mapping[str, float],
) -> Row:  # fmt: skip
    """Return what was measured with what was chosen."""
    (region,) = plan.report().regions
    first: Any = next(iter(case.all.values()))
    sparse = first.layout == torch.sparse_csr
    density = round(first.values().numel() / first.numel(), 4) if sparse else 1.0
    dense_bytes = first.numel() * KINDS[kind][0].itemsize
    packed = next((t.bytes for t in plan.report().tables if t.name == "W"), None)
    return Row(
        bench="cpu",
        table=name,
        rows=first.shape[0],
        columns=first.shape[1],
        density=density,
        batch=case.sizes["N"],
        dtype=kind,
        machine=here,
        us=us[OURS],
        predicted_us=1e6 * region.cost.seconds,
        bound=region.cost.bound,
        format=str(plan.formats["W"]) if sparse else "dense",
        schedule=region.schedule,
        tuned=False,
        error=error,
        bytes=int(packed or dense_bytes),
        dense_bytes=dense_bytes,
        others=tuple((n, t) for n, t in us.items() if n != OURS),
    )


def cases(given: argparse.Namespace) -> Iterator[tuple[str, str, Callable[[], Case]]]:
    """Yield names, element types and how to make the cases that are asked for."""
    for path in given.tables:
        for n in given.columns.split(","):
            name = Path(path).name.split(".smtx")[0]
            yield name, "f32", partial(CASES["linear"], path, n)
    for program, *sizes in DENSE if given.dense else ():
        for kind in given.kinds.split(","):
            name = f"{program} {'x'.join(sizes)} {kind}"
            yield name, kind, partial(CASES[program], *sizes, kind=kind)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases that are asked for; 1 if a result was wrong."""
    given = parser().parse_args(arguments)
    here, rows, wrong = machine("cpu"), list[Row](), 0
    for name, kind, make in cases(given):
        if given.cases not in name:
            continue
        try:
            found = measure(name, make(), kind, here, given.rounds)
        except Wrong as why:
            wrong += 1
            print(f"WRONG: {why}", file=sys.stderr)
            continue
        rows.append(found)
        others = ", ".join(f"{n} {t:.1f}" for n, t in found.others)
        ratio = f"{found.best_other / found.us:.2f}x the best"
        print(f"{name}, {found.batch} columns: {found.us:.1f} us, {ratio} ({others})", flush=True)
    if given.out is not None:
        write(given.out, rows)
    print(f"\n{markdown(rows)}")
    return 1 if wrong else 0


def parser() -> argparse.ArgumentParser:
    """Return the arguments of the command."""
    made = argparse.ArgumentParser(prog="python -m bench.cpu", description=__doc__)
    made.add_argument("tables", nargs="*", help="smtx files, or MxKxdensity")
    made.add_argument("--columns", default="1,16,32,128", help="how many the weights multiply")
    made.add_argument("--dense", action="store_true", help="dense programs too")
    made.add_argument("--kinds", default="f32,f16,bf16", help="element types of dense programs")
    made.add_argument("--cases", default="", metavar="TEXT", help="only cases whose name has it")
    made.add_argument("--rounds", type=int, default=15)
    made.add_argument("--out", type=Path, metavar="FILE", help="where rows are added")
    return made


if __name__ == "__main__":
    sys.exit(main())
