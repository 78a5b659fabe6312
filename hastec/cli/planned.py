"""The explanation of a plan for what a command line binds."""

from __future__ import annotations

import argparse

from hastec.cli.answer import Answer
from hastec.cli.bindings import read_bindings
from hastec.cli.plans import bound, told
from hastec.cli.sources import program
from hastec.driver import compile
from hastec.explain.text import show


def explained(args: argparse.Namespace) -> Answer:
    """Bind what is given, for a target that need not be here, and explain the plan."""
    made = compile(program(args.file), kernel=args.kernel)
    # Nothing is run: kernels for a processor that is not here can be explained as well.
    made = made.aimed(args.target).simulated() if args.target else made
    given = read_bindings(args, made.graph, made.setup.source, made.setup.device.name)
    plan = bound(made, given)
    report = plan.report()
    # Why a program is interpreted is part of the explanation itself.
    others = tuple(p for p in told(plan) if p.diagnostic not in plan.notes)
    return Answer(show(report), report.data(), others)
