"""``hastec tune``: measure candidates, keep the fastest right one, pin it if asked to."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field

from hastec.cli.answer import Answer
from hastec.cli.arguments import Parser, add_bindings, add_program, add_sizes, folder, one_of
from hastec.cli.bindings import read_bindings, require
from hastec.cli.plans import bound, told
from hastec.cli.sources import program
from hastec.driver import compile
from hastec.options import Effort, Options
from hastec.plan import Plan
from hastec.text import counted, duration
from hastec.tune.records import Record, Status

QUIET = 2.0
"""Seconds of work that need no sign of life."""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_program(parser)
    add_bindings(parser)
    add_sizes(parser)
    parser.add_argument(
        "--backend", type=one_of(("cpu", "triton")), help="cpu or triton (the GPU's)"
    )
    efforts = tuple(str(e.value) for e in Effort if e is not Effort.NONE)
    parser.add_argument("--effort", type=one_of(efforts), help="quick (a shortlist) or full")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="for the whole program")
    parser.add_argument("--again", action="store_true", help="measure what is recorded already")
    parser.add_argument(
        "--lock", nargs="?", const="", metavar="FILE", help="pin the choice (in haste.lock)"
    )


def run(args: argparse.Namespace) -> Answer:
    """Tune a program for the static tables and sizes that are bound."""
    options = Options.from_environment(
        tune_effort=args.effort,
        tune_budget=args.budget,
        force_tune=True if args.again else None,
    )
    made = compile(
        program(args.file), kernel=args.kernel, backend_name=args.backend or "", options=options
    )
    source = made.setup.source
    given = read_bindings(args, made.graph, source, made.setup.device.name)
    require(made.graph, given, source, ("static",))
    bar = Bar(options.progress)
    try:
        plan = bound(made, given, tune=True, progress=bar)
    finally:
        bar.end()
    lines, data = _shown(plan), _data(plan)
    if args.lock is not None:
        where = plan.pin(folder(args.lock) if args.lock else None)
        lines.append(f"  pinned in {where}; HASTE_LOCKED=1 takes it from there")
        data["lock"] = str(where)
    return Answer("\n".join(lines), data, told(plan))


@dataclass(slots=True)
class Bar:
    """A line on the terminal that says how far tuning is, if it takes long enough to wonder."""

    wanted: bool
    start: float = field(default_factory=time.monotonic)
    shown: bool = False

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show progress."""
        if not (self.wanted and sys.stderr.isatty()) or time.monotonic() - self.start < QUIET:
            return
        filled = round(24 * done / max(1, total))
        bar = f"{'=' * filled}{' ' * (24 - filled)}"
        print(f"\r  [{bar}] {done} of {total}, {what}", end="", file=sys.stderr, flush=True)
        self.shown = True

    def end(self) -> None:
        """Clear the line."""
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _shown(plan: Plan) -> list[str]:
    records = plan.decided.records if plan.decided is not None else ()
    where = plan.setup.device.model or plan.setup.device.target.name
    tried = counted(plan.decided.measured if plan.decided is not None else 0, "new measurement")
    lines = [f"{plan.run.graph.name} on {where}: {tried}, {counted(len(records), 'record')}"]
    for region, seconds in plan.measured.items():
        lines.append(f"  {region}: {duration(seconds)}")
    for name, fmt in plan.formats.items():
        if not fmt.dense:
            lines.append(f"  {name}: {fmt}")
    for status in Status:
        mine = [r for r in records if r.status is status]
        if mine and status is not Status.OK:
            reason = next((r.reason for r in mine if r.reason), "")
            lines.append(
                f"  {status.value}: {len(mine)}" + (f", such as: {reason}" if reason else "")
            )
    return lines


def _data(plan: Plan) -> dict[str, object]:
    decided = plan.decided
    records = decided.records if decided is not None else ()
    choice = decided.choice if decided is not None else ()
    return {
        "kernel": plan.run.graph.name,
        "device": plan.setup.device.model or plan.setup.device.name,
        "measured": decided.measured if decided is not None else 0,
        "seconds": plan.measured,
        "choice": {region: str(chosen) for region, chosen in choice},
        "records": [_record(r) for r in records],
    }


def _record(record: Record) -> dict[str, object]:
    return {
        "schedule": record.schedule,
        "status": record.status.value,
        "ms": record.ms,
        "iqr": record.iqr,
        "samples": record.n,
        "reason": record.reason,
    }
