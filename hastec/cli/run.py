"""``hastec run``: run a program on tables from files, or on invented ones."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from hastec.cli.answer import Answer, Problem
from hastec.cli.arguments import Parser, add_bindings, add_program, add_sizes, one_of, wrong
from hastec.cli.bindings import read_bindings, require
from hastec.cli.plans import bound, rest, told
from hastec.cli.results import agreement, write_results
from hastec.cli.sources import program
from hastec.driver import compile
from hastec.ir.graph import Graph
from hastec.plan import Plan
from hastec.run.results import named, summary


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_program(parser)
    add_bindings(parser)
    add_sizes(parser)
    parser.add_argument(
        "--backend", type=one_of(("cpu", "triton")), help="cpu or triton (the GPU's)"
    )
    parser.add_argument(
        "--check", action="store_true", help="compare with the interpreter: what the program means"
    )
    parser.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="NAME=FILE.npy",
        help="write an output to a file",
    )


def run(args: argparse.Namespace) -> Answer:
    """Bind, run once, and describe what came out."""
    made = compile(program(args.file), kernel=args.kernel, backend_name=args.backend or "")
    graph, source = made.graph, made.setup.source
    outs = _outs(graph, args.out)
    given = read_bindings(args, graph, source, made.setup.device.name)
    require(graph, given, source)
    plan = bound(made, given)
    found = named(graph, plan(**rest(graph, given)))
    numbers = [summary(graph, name, value) for name, value in found.items()]
    lines = [_where(plan), *(f"  {n}" for n in numbers), *write_results(found, outs)]
    problems = list(told(plan))
    data: dict[str, object] = {"kernel": graph.name, "device": plan.setup.device.name}
    data["outputs"] = [n.data() for n in numbers]
    if args.check:
        checked = agreement(made, given.all(), found)
        lines += [f"  agrees: {d}" for d in checked.differences if not d.wrong]
        problems += [Problem(d, source) for d in checked.problems]
        data["agrees"] = not checked.problems
    return Answer("\n".join(lines), data, tuple(problems))


def _where(plan: Plan) -> str:
    target, model = plan.setup.device.target, plan.setup.device.model
    how = "interpreted" if plan.artefact is None else f"compiled for {target.name}"
    return f"{how}{f' ({model})' if model else ''}, run on {plan.setup.device.name}"


def _outs(graph: Graph, texts: list[str]) -> Mapping[str, Path]:
    names = [name for name, _ in graph.outputs]
    found: dict[str, Path] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not sign or name not in names or not path.endswith(".npy"):
            advice = f"write --out {names[0]}={names[0]}.npy"
            raise wrong("HST6403", f"`--out {text}` names no output and .npy file", advice)
        found[name] = Path(path)
    return found
