"""``hastec compile``: write every stage and the generated source for a target."""

from __future__ import annotations

import argparse
from pathlib import Path

from hastec.artefact import Artefact
from hastec.cli.answer import Answer, Problem
from hastec.cli.arguments import Parser, add_program, add_sizes, add_target, folder
from hastec.cli.sources import program
from hastec.driver import Program, compile
from hastec.explain.build import explain
from hastec.explain.dump import dump_files
from hastec.explain.subject import Subject
from hastec.explain.writing import write_all
from hastec.text import counted


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_program(parser)
    add_target(parser)
    add_sizes(parser)
    parser.add_argument(
        "-o", "--out", type=folder, metavar="DIR", help="where to write (./KERNEL.TARGET)"
    )
    parser.add_argument(
        "--build", action="store_true", help="also compile to machine code and write it"
    )


def run(args: argparse.Namespace) -> Answer:
    """Compile without data or device, and write what came out."""
    made = compile(program(args.file), kernel=args.kernel).aimed(args.target)
    sizes = dict(args.size)
    artefact = made.artefact_for(sizes, build=args.build)
    target = made.setup.device.target.name
    where: Path = args.out or Path(f"{made.graph.name}.{target}")
    files = files_of(made, sizes, artefact)
    write_all(where, files)
    codes = artefact.codes
    lines = [f"{made.graph.name} for {target}: {counted(len(codes), 'kernel')}"]
    lines += [f"  {where / (code.region + code.suffix)}" for code in codes]
    lines.append(f"  {counted(len(files), 'file')} in {where}; explain.txt says what was chosen")
    data = {
        "kernel": made.graph.name,
        "target": target,
        "folder": str(where),
        "files": sorted(files),
        "kernels": [{"name": c.region, "source": c.region + c.suffix} for c in codes],
    }
    warnings = tuple(Problem(warning) for warning in made.setup.store.warnings)
    return Answer("\n".join(lines), data, warnings)


def files_of(made: Program, sizes: dict[str, int], artefact: Artefact) -> dict[str, bytes]:
    """Return the files that describe a compilation."""
    known = made.known_for(sizes)
    report = explain(Subject(artefact.graph, artefact, made.setup, known))
    # Source comes quickly: no library is loaded to write formulas well.
    return dump_files(artefact.graph, artefact, made.setup.device.target, report, str)
