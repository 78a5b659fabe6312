"""Runs the benchmarks: ``make bench``, or ``python -m bench.run --quick --tune``.

Results are added to ``bench/results``, one JSON object a line, and shown as a table.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import torch

from bench.cases import Case, cases
from bench.linear import Wrong, measure
from bench.report import markdown
from bench.rows import Row, machine, write
from hastec.options import Options

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the cases that are asked for; 1 if a result was wrong."""
    given = arguments().parse_args()
    device = given.device or ("cuda" if torch.cuda.is_available() else "cpu")
    here = machine(device)
    options = Options.from_environment(tune_budget=given.budget)
    chosen = [c for c in cases(device, given.quick) if matches(c, given.cases)]
    out = given.out or RESULTS / f"{re.sub(r'[^A-Za-z0-9]+', '-', here.device)}-{here.date}.jsonl"
    rows: list[Row] = []
    wrong = 0
    for n, case in enumerate(chosen, start=1):
        start = time.perf_counter()
        label = f"[{n}/{len(chosen)}] {case.name}, {case.batch} columns"
        try:
            row = measure(case, device, here, given.tune, options)
        except Wrong as why:
            wrong += 1
            print(f"{label}: WRONG: {why}", file=sys.stderr)
            continue
        rows.append(row)
        write(out, [row])  # what was measured stays if a later case is stopped
        took = time.perf_counter() - start
        ratio = row.best_other / row.us
        print(f"{label}: {row.us:.1f} us, {ratio:.2f}x the best other ({took:.0f} s)", flush=True)
    print(f"\n{markdown(rows)}\n\nwritten to {out}")
    return 1 if wrong else 0


def arguments() -> argparse.ArgumentParser:
    """Return the arguments of the command."""
    made = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    made.add_argument("--quick", action="store_true", help="one weight, few batches")
    made.add_argument(
        "--cases", default="", metavar="TEXT", help="only cases whose name matches a pattern"
    )
    made.add_argument("--tune", action="store_true", help="measure candidates first")
    made.add_argument("--budget", type=float, metavar="SECONDS", help="for tuning a case")
    made.add_argument(
        "--device", choices=("cpu", "cuda"), help="by default the GPU if there is one"
    )
    made.add_argument("--out", type=Path, metavar="FILE", help="where results are added")
    return made


def matches(case: Case, wanted: str) -> bool:
    """Whether a case is asked for."""
    return re.search(wanted, f"{case.name}, {case.batch} columns") is not None


if __name__ == "__main__":
    sys.exit(main())
