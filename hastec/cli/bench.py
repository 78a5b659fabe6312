"""``hastec bench``: time a program on given tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial

from hastec.arrays import array, nbytes, torch_module
from hastec.cli.answer import Answer, Problem
from hastec.cli.arguments import Parser, add_bindings, add_program, add_sizes, one_of
from hastec.cli.bindings import read_bindings, require
from hastec.cli.plans import bound, rest, told
from hastec.cli.results import agreement
from hastec.cli.sources import program
from hastec.driver import compile
from hastec.explain.report import Report
from hastec.plan import Plan
from hastec.run.results import named
from hastec.run.timing import Times, copies_for, timer_for
from hastec.text import amount, duration


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_program(parser)
    add_bindings(parser)
    add_sizes(parser)
    parser.add_argument(
        "--backend", type=one_of(("cpu", "triton")), help="cpu or triton (the GPU's)"
    )
    parser.add_argument("--check", action="store_true", help="check the results before timing")


def run(args: argparse.Namespace) -> Answer:
    """Bind, check if asked to, and take times; on a GPU in a replayed graph, inputs in turns."""
    made = compile(program(args.file), kernel=args.kernel, backend_name=args.backend or "")
    source = made.setup.source
    given = read_bindings(args, made.graph, source, made.setup.device.name)
    require(made.graph, given, source)
    plan = bound(made, given)
    inputs = rest(made.graph, given)
    problems = list(told(plan))
    if args.check:
        found = named(made.graph, plan(**inputs))
        problems += [Problem(d, source) for d in agreement(made, given.all(), found).problems]
    times = timer_for(made.setup.device.name)(calls(plan, inputs), None)
    report = plan.report()
    return Answer(_shown(plan, report, times), _data(plan, report, times), tuple(problems))


def calls(plan: Plan, inputs: Mapping[str, object]) -> list[Callable[[], object]]:
    """Return calls of a plan on copies of its inputs that do not fit the cache of a GPU together;
    on a CPU one call.

    Only dense floats are copied: index and sparse tables are checked when they are first seen, and
    nothing may wait for the device while a graph is captured.
    """
    if not _on_gpu(plan):
        return [partial(plan, **inputs)]
    dense = {n: x for n, x in inputs.items() if _is_dense_float(plan, n, x)}
    size = sum(nbytes(array(x)) for x in dense.values())
    copies = [
        {**inputs, **{n: torch_module().Tensor.clone(x) for n, x in dense.items()}}
        for _ in range(copies_for(size))
    ]
    return [partial(plan, **mine) for mine in copies]


def _is_dense_float(plan: Plan, name: str, given: object) -> bool:
    param = next((p for p in plan.run.graph.params if p.name == name), None)
    plain = param is not None and param.dtype.is_float and not param.sparse
    return plain and isinstance(given, torch_module().Tensor)


def _least(report: Report) -> float | None:
    """Return the bytes all kernels of a plan must move, if they are known."""
    found = [region.least for region in report.regions]
    known = [n for n in found if n is not None]
    return sum(known) if known and len(known) == len(found) else None


def _shown(plan: Plan, report: Report, times: Times) -> str:
    where = plan.setup.device.model or plan.setup.device.target.name
    how = "in a replayed graph, inputs taking turns" if _on_gpu(plan) else "calls from Python"
    lines = [f"{report.kernel} on {where}: {duration(times.median)} median of {times.count}, {how}"]
    lines.append(f"  spread    {duration(times.spread)} between quartiles")
    least = _least(report)
    if least is not None:
        rate = least / times.median
        share = rate / plan.setup.device.target.bandwidth
        lines.append(
            f"  bytes     {amount(least)} must move: {rate / 1e9:.4g} GB/s, {share:.0%} of"
        )
        lines[-1] += f" {plan.setup.device.target.bandwidth / 1e9:.4g} GB/s"
    if report.regions:
        predicted = sum(region.cost.seconds for region in report.regions)
        ratio = times.median / predicted
        lines.append(f"  predicted {duration(predicted)}: {ratio:.2f}x of it was measured")
    return "\n".join(lines)


def _data(plan: Plan, report: Report, times: Times) -> dict[str, object]:
    least = _least(report)
    return {
        "kernel": report.kernel,
        "device": plan.setup.device.model or plan.setup.device.name,
        "target": report.target,
        "seconds": times.median,
        "spread": times.spread,
        "samples": times.count,
        "graph_replay": _on_gpu(plan),
        "least_bytes": least,
        "bytes_per_second": None if least is None else least / times.median,
        "predicted_seconds": [r.cost.seconds for r in report.regions],
    }


def _on_gpu(plan: Plan) -> bool:
    return plan.setup.device.name.startswith("cuda")
