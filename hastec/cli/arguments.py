"""Arguments of commands: argparse, whose complaints are diagnostics with a suggestion."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from hastec.diag import Diagnostic, HasteError
from hastec.text import listed, nearest

UNKNOWN_OPTION, BAD_ARGUMENT = "HST6402", "HST6403"


class UsageError(HasteError):
    """A command line that means nothing."""


def wrong(code: str, message: str, help: str) -> UsageError:
    """Return the error that a command line is wrong."""
    return UsageError(Diagnostic(code, message, help=help))


class Parser(argparse.ArgumentParser):
    """The arguments of one command; what it cannot read is a :class:`UsageError`."""

    def __init__(self, verb: str, about: str) -> None:
        super().__init__(prog=f"hastec {verb}", description=about, allow_abbrev=False)
        self.add_argument("--json", action="store_true", help="print the answer as JSON")

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Return the arguments, or raise UsageError for the first that means nothing."""
        found, extra = self.parse_known_args(list(argv))
        if extra:
            raise self._extra(extra[0])
        return found

    def error(self, message: str) -> NoReturn:
        """Raise what argparse complains about."""
        raise wrong(BAD_ARGUMENT, message, f"see `{self.prog} --help`")

    def _extra(self, word: str) -> UsageError:
        name = word.partition("=")[0]
        if not name.startswith("-") or name == "-":
            message = f"`{self.prog}` takes no further argument, and `{word}` is one"
            return wrong(BAD_ARGUMENT, message, f"see `{self.prog} --help`")
        near = nearest(name, self._option_string_actions)
        advice = f"did you mean `{near}`?" if near else f"see `{self.prog} --help`"
        return wrong(UNKNOWN_OPTION, f"`{self.prog}` has no option `{name}`", advice)


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Return a reader of arguments that takes one of ``names``."""

    def read(text: str) -> str:
        if text in names:
            return text
        near = nearest(text, names)
        hint = f"did you mean `{near}`?" if near else f"it is one of {listed(names, 'or')}"
        raise argparse.ArgumentTypeError(f"`{text}` is none of them: {hint}")

    return read


def size(text: str) -> tuple[str, int]:
    """Read ``N=16``."""
    name, sign, number = text.partition("=")
    if not (sign and name.isidentifier() and number.isdecimal() and len(number) < 19):
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=NUMBER, such as N=16")
    return name, int(number)


def add_program(parser: Parser) -> None:
    """Add the program, and which of its kernels is meant."""
    parser.add_argument("file", metavar="FILE", help="a .haste program; - reads standard input")
    parser.add_argument("--kernel", default="", metavar="NAME", help="one of several kernels")


def add_sizes(parser: Parser) -> None:
    """Add sizes by name."""
    parser.add_argument(
        "--size", action="append", default=[], type=size, metavar="N=16", help="a size by name"
    )


def add_bindings(parser: Parser) -> None:
    """Add tables by name, and the seed of those that are invented."""
    parser.add_argument(
        "--bind",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a table or size: a file (.mtx, .smtx, .npz, .npy, .safetensors), random:4096x16, "
        "random:64x64@0.1, zeros:8, range:17@64, or a number",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of random tables (0)")


def add_target(parser: Parser) -> None:
    """Add the processor that is meant."""
    parser.add_argument("--target", default="", metavar="NAME", help="sm_80, sm_90, cpu … (here)")


def folder(text: str) -> Path:
    """Read a path."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError("a path is not empty")
    return Path(text)
