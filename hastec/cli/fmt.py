"""``hastec fmt``: put programs into the one layout."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path

from hastec.cli.answer import Answer, Problem, problems_of
from hastec.cli.arguments import Parser
from hastec.cli.sources import STDIN, program
from hastec.cli.writing import write_over
from hastec.diag import Diagnostic, HasteError, Source
from hastec.grammar.formatter import fmt


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="programs; - formats standard input"
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail if one differs")
    parser.add_argument("--diff", action="store_true", help="write nothing, show what would change")


def run(args: argparse.Namespace) -> Answer:
    """Format files one by one; one that does not parse is left as it is."""
    names: list[str] = args.files
    found = [_formatted(name, args.check, args.diff) for name in names]
    return Answer(
        "\n".join(a.text for a in found if a.text),
        {"files": [a.data for a in found]},
        tuple(p for a in found for p in a.problems),
    )


def _formatted(name: str, check: bool, diff: bool) -> Answer:
    try:
        source = program(name)
        text = fmt(source)
        changed = text != source.text
        if not (check or diff):
            return _written(name, text, changed)
    except HasteError as error:
        return Answer("", {"file": name, "changed": False}, problems_of(error))
    problems = (_unformatted(source),) if check and changed else ()
    shown = _diff(source, text) if diff else ""
    return Answer(shown, {"file": name, "changed": changed, "text": text}, problems)


def _written(name: str, text: str, changed: bool) -> Answer:
    data = {"file": name, "changed": changed}
    if name == STDIN:
        return Answer(text, {**data, "text": text})
    if changed:
        write_over(Path(name), text)
    return Answer(f"{name}: formatted" if changed else "", data)


def _unformatted(source: Source) -> Problem:
    advice = "run `hastec fmt` on it"
    return Problem(Diagnostic("HST6407", f"{source.name} is not formatted", help=advice))


def _diff(source: Source, text: str) -> str:
    old, new = source.text.splitlines(keepends=True), text.splitlines(keepends=True)
    lines = difflib.unified_diff(old, new, source.name, f"{source.name} (formatted)")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
