"""``hastec inspect``: print a program as the graph behind a pass, as kernels or as source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hastec.artefact import Artefact, stage_text
from hastec.cli.answer import Answer
from hastec.cli.arguments import (
    Parser,
    add_bindings,
    add_program,
    add_sizes,
    add_target,
    folder,
    one_of,
)
from hastec.cli.bindings import read_bindings
from hastec.cli.plans import bound, told
from hastec.cli.sources import program
from hastec.diag import Diagnostic, HasteError
from hastec.driver import compile
from hastec.ir.kernel_show import show_kernel
from hastec.plan import Plan
from hastec.text import listed, nearest

IRS = ("graph", "kernel", "source")


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_program(parser)
    add_bindings(parser)
    add_sizes(parser)
    add_target(parser)
    parser.add_argument(
        "--stage", default="", metavar="NN-pass", help="the graph behind one pass (the last)"
    )
    parser.add_argument("--ir", type=one_of(IRS), help="graph, kernel or source (graph)")
    parser.add_argument("--list", action="store_true", help="list the stages")
    parser.add_argument("--dump", type=folder, metavar="DIR", help="write all of it to a folder")


def run(args: argparse.Namespace) -> Answer:
    """Bind what is given, and print a form of the program."""
    made = compile(program(args.file), kernel=args.kernel)
    given = read_bindings(args, made.graph, made.setup.source)
    plan = bound(made.aimed(args.target).simulated(), given)
    stages = _stages(plan)
    problems = told(plan)
    data: dict[str, object] = {"kernel": made.graph.name, "stages": [name for name, _ in stages]}
    if args.dump is not None:
        where = plan.dump(args.dump)
        return Answer(f"all stages in {where}", {**data, "folder": str(where)}, problems)
    if args.list:
        return Answer("\n".join(name for name, _ in stages), data, problems)
    texts = _texts(plan, stages, args.ir or "graph", args.stage)
    shown = "\n".join(text for _, text in texts)
    found = [{"name": name, "text": text} for name, text in texts]
    return Answer(shown, {**data, "ir": args.ir or "graph", "texts": found}, problems)


def _stages(plan: Plan) -> tuple[tuple[str, str], ...]:
    if plan.artefact is None:
        return (("00-build", stage_text(plan.run.graph)),)
    return plan.artefact.stages


def _texts(
    plan: Plan, stages: Sequence[tuple[str, str]], ir: str, stage: str
) -> list[tuple[str, str]]:
    if ir == "graph":
        return [_picked(stages, stage) if stage else stages[-1]]
    found: Artefact | None = plan.artefact
    if found is None:
        raise HasteError(*plan.notes, source=plan.setup.source)
    if ir == "kernel":
        return [(c.region, show_kernel(c.kernel)) for c in found.codes]
    return [(c.region, c.source) for c in found.codes]


def _picked(stages: Sequence[tuple[str, str]], wanted: str) -> tuple[str, str]:
    """Return a stage by its name, its number or its pass."""
    for name, text in stages:
        number, _, step = name.partition("-")
        if wanted in (name, step, number, number.lstrip("0") or "0"):
            return name, text
    names = [name for name, _ in stages]
    steps = [name.partition("-")[2] for name in names]
    near = nearest(wanted, (*names, *steps))
    advice = f"did you mean `{near}`?" if near else f"the stages are {listed(names)}"
    raise HasteError(Diagnostic("HST6406", f"no stage is called `{wanted}`", help=advice))
