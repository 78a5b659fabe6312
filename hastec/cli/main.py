"""The command ``hastec``: picks a verb, and turns whatever happens into an answer and a status.

Nothing but the verb that is asked for is imported, so that ``--help`` costs what Python does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hastec.cli.answer import Answer, problems_of
from hastec.cli.arguments import Parser, UsageError, wrong
from hastec.cli.terminal import Terminal, terminal
from hastec.diag import HasteError
from hastec.text import nearest

OK, FAILED, USAGE, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 130

VERBS: tuple[tuple[str, str], ...] = (
    ("check", "report what is wrong with programs"),
    ("fmt", "put programs into the one layout"),
    ("compile", "write every stage and the generated source"),
    ("run", "run a program on tables from files, or invented ones"),
    ("explain", "say what was chosen, why, and at what price"),
    ("inspect", "print a program as the graph or kernel of a stage"),
    ("tune", "measure candidates and keep the fastest"),
    ("bench", "time a program on given tables"),
    ("verify", "check every stage and kernel against what the program means"),
    ("cache", "list, check, clear, carry compiled programs"),
    ("doctor", "say what is installed, what is missing and what to do"),
)


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: adds its arguments to a parser, and runs."""

    configure: Callable[[Parser], None]
    run: Callable[..., Answer]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (the process's own by default); return its exit status.

    0: done; 1: diagnostics; 2: the command line means nothing; 3: a defect of the compiler.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    shown, as_json = terminal(), "--json" in words
    try:
        return dispatch(words, shown)
    except UsageError as error:
        shown.show(Answer(problems=problems_of(error)), as_json)
        return USAGE
    except HasteError as error:
        shown.show(Answer(problems=problems_of(error)), as_json)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; what Python still holds back goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), shown.out.fileno())
        return FAILED
    except SystemExit as stop:  # argparse, behind --help
        return stop.code if isinstance(stop.code, int) else OK
    except Exception as error:
        from hastec.cli.defect import report  # only needed when something is broken

        shown.say(report(error, words))
        return INTERNAL


def dispatch(words: list[str], shown: Terminal) -> int:
    """Run a command line and print its answer; whatever goes wrong is raised."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview(), file=shown.out)
        return OK if words else USAGE
    if words[0] in ("-V", "--version"):
        from hastec import __version__

        print(f"hastec {__version__}", file=shown.out)
        return OK
    about = dict(VERBS).get(words[0])
    if about is None:
        raise _unknown(words[0])
    verb = load(words[0])
    parser = Parser(words[0], about)
    verb.configure(parser)
    args = parser.read(words[1:])
    answer = verb.run(args)
    shown.show(answer, args.json)
    return FAILED if answer.failed else OK


def overview() -> str:
    """Return the list of commands."""
    width = max(len(name) for name, _ in VERBS)
    lines = ["usage: hastec COMMAND …", "", "Small programs over sparse tables become kernels.", ""]
    lines += [f"  {name:<{width}}  {about}" for name, about in VERBS]
    lines += ["", "hastec COMMAND --help tells more; every command takes --json."]
    return "\n".join(lines)


def _unknown(word: str) -> UsageError:
    near = nearest(word, [name for name, _ in VERBS])
    advice = f"did you mean `{near}`?" if near else "`hastec --help` lists the commands"
    return wrong("HST6401", f"`hastec` has no command `{word}`", advice)


def load(name: str) -> Verb:
    """Import a command (KeyError if there is none)."""
    return _reading(name) or _running(name)


def _reading(name: str) -> Verb | None:
    """Import a command that looks at programs, or at what was made of them."""
    match name:
        case "check":
            from hastec.cli import check

            return Verb(check.configure, check.run)
        case "fmt":
            from hastec.cli import fmt

            return Verb(fmt.configure, fmt.run)
        case "explain":
            from hastec.cli import explain

            return Verb(explain.configure, explain.run)
        case "inspect":
            from hastec.cli import inspect

            return Verb(inspect.configure, inspect.run)
        case "compile":
            from hastec.cli import compile

            return Verb(compile.configure, compile.run)
        case "cache":
            from hastec.cli import cache

            return Verb(cache.configure, cache.run)
        case _:
            return None


def _running(name: str) -> Verb:
    """Import a command that runs kernels, or looks at the machine."""
    match name:
        case "run":
            from hastec.cli import run

            return Verb(run.configure, run.run)
        case "bench":
            from hastec.cli import bench

            return Verb(bench.configure, bench.run)
        case "tune":
            from hastec.cli import tune

            return Verb(tune.configure, tune.run)
        case "verify":
            from hastec.cli import verify

            return Verb(verify.configure, verify.run)
        case "doctor":
            from hastec.cli import doctor

            return Verb(doctor.configure, doctor.run)
        case _:
            raise KeyError(name)
