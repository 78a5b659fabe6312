"""``hastec explain``: say what was chosen, why and at what price; or what a code means."""

from __future__ import annotations

import argparse
import re
import textwrap

from hastec.cli.answer import Answer
from hastec.cli.arguments import Parser, add_bindings, add_program, add_sizes, add_target, wrong
from hastec.diag.codes import CODES, Code
from hastec.text import nearest


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.epilog = "hastec explain HST1001 tells what a diagnostic means."
    add_program(parser)
    add_bindings(parser)
    add_sizes(parser)
    add_target(parser)


def run(args: argparse.Namespace) -> Answer:
    """Bind what is given and explain the plan, or explain a diagnostic's code."""
    if re.fullmatch(r"HST[0-9]*", args.file, re.IGNORECASE):
        return _code(args.file.upper())
    from hastec.cli import planned  # a code is explained without the compiler

    return planned.explained(args)


def _code(name: str) -> Answer:
    if name not in CODES:
        near = nearest(name, CODES)
        advice = f"did you mean `{near}`?" if near else "codes look like HST1001"
        raise wrong("HST6403", f"no diagnostic has the code `{name}`", advice)
    found: Code = CODES[name]
    text = f"{found.code}: {found.title}\n\n{textwrap.fill(found.text, 90)}"
    return Answer(text, {"code": found.code, "title": found.title, "text": found.text})
