"""Programs named on a command line."""

from __future__ import annotations

import sys
from pathlib import Path

from hastec.diag import Diagnostic, HasteError, Source
from hastec.front.source import read_file

STDIN = "-"


def program(name: str) -> Source:
    """Return the program in a file, or on standard input for ``-``.

    Raises HasteError HST6003 if it cannot be read.
    """
    if name != STDIN:
        return read_file(Path(name))
    try:
        return Source("<stdin>", sys.stdin.buffer.read().decode("utf-8"))
    except UnicodeDecodeError as why:
        message = f"cannot read standard input: it is not UTF-8 text ({why})"
        raise HasteError(Diagnostic("HST6003", message, help="save it as UTF-8")) from None
