"""``hastec verify``: check every stage and kernel against what the program means."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from hastec.audit.cases import Case, cases
from hastec.audit.check import Fault, Finding, check_case
from hastec.cli.answer import Answer, Problem
from hastec.cli.arguments import Parser, add_program, add_sizes, add_target
from hastec.cli.sources import program
from hastec.diag import Diagnostic
from hastec.driver import Program, compile
from hastec.levels.missing import missing
from hastec.text import counted, listed


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_program(parser)
    add_target(parser)
    add_sizes(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of the tables (0)")


def run(args: argparse.Namespace) -> Answer:
    """Run hard cases through every stage and kernel of a program, or of all its kernels."""
    source = program(args.file)
    first = compile(source, kernel=args.kernel)
    made = first.aimed(args.target)
    notes = tuple(
        replace(note, severity="warning") for note in missing(made.graph, made.setup.registry)
    )
    if notes:
        text = f"{made.graph.name} is interpreted: there is no stage and no kernel to verify"
        found = tuple(Problem(note, source) for note in notes)
        return Answer(text, {"kernel": made.graph.name, "interpreted": True}, found)
    tried = list(_tried(made, dict(args.size), args.seed, _runs_here(made)))
    return _answer(made, tried, args.seed)


def _tried(
    made: Program, sizes: dict[str, int], seed: int, native: bool
) -> Iterator[tuple[Case, tuple[Finding, ...]]]:
    """Yield cases with how they fared; with ``native`` machine code is run as well."""
    for case in cases(made.graph, sizes, seed):
        yield case, tuple(check_case(made.graph, made.setup, case, native))


def _runs_here(made: Program) -> bool:
    """Whether kernels for the target run on this machine."""
    device = made.setup.device
    return device.name.startswith("cuda") or device.target.backend == "cpu"


def _answer(made: Program, tried: list[tuple[Case, tuple[Finding, ...]]], seed: int) -> Answer:
    target = made.setup.device.target.name
    stages = list(dict.fromkeys(f.stage for _, found in tried for f in found))
    faults = [f for _, found in tried for f in found if isinstance(f, Fault)]
    lines = [f"{made.graph.name} for {target}: {counted(len(tried), 'case')}"]
    for stage in stages:
        mine = [f for _, found in tried for f in found if f.stage == stage]
        wrong = sum(isinstance(f, Fault) for f in mine)
        lines.append(f"  {stage:14} {_verdict(len(mine), wrong)}")
    skipped = [case for case, found in tried if not found]
    if skipped:
        names = listed(dict.fromkeys(case.name for case in skipped))
        lines.append(f"  {counted(len(skipped), 'case')} did not fit the declared format: {names}")
    data = {
        "kernel": made.graph.name,
        "target": target,
        "seed": seed,
        "cases": [_case(case, found) for case, found in tried],
        "stages": stages,
    }
    return Answer("\n".join(lines), data, tuple(_problem(made, f) for f in faults[:1]))


def _verdict(count: int, wrong: int) -> str:
    if wrong:
        return f"WRONG in {wrong} of {counted(count, 'case')}"
    return f"means the same in {counted(count, 'case')}"


def _problem(made: Program, fault: Fault) -> Problem:
    what = f"kernel {made.graph.name} goes wrong at {fault}"
    advice = "report this with the program and the case; the stages before it are right"
    return Problem(Diagnostic("HST6501", what, help=advice), made.setup.source)


def _case(case: Case, found: tuple[Finding, ...]) -> dict[str, object]:
    fault = next((f for f in found if isinstance(f, Fault)), None)
    return {
        "name": case.name,
        "sizes": dict(case.sizes),
        "stages": len(found),
        "fault": None if fault is None else {"stage": fault.stage, "what": fault.what},
    }
