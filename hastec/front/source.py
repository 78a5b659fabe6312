"""A program's text: handed over as it is, or read from a file."""

from __future__ import annotations

from pathlib import Path

from hastec.diag import Diagnostic, HasteError, Source
from hastec.text import nearest

SUFFIX = ".haste"


def read_source(program: str | Path | Source) -> Source:
    """Return a program's text as it is, or of the file, if ``program`` is the path of one.

    Raises HasteError HST6003 for a file that cannot be read.
    """
    if isinstance(program, Source):
        return program
    if isinstance(program, Path) or (program.endswith(SUFFIX) and "\n" not in program):
        return read_file(Path(program))
    return Source("<text>", program)


def read_file(path: Path) -> Source:
    """Return the text of a file. Raises HasteError HST6003 if it cannot be read."""
    try:
        return Source(str(path), path.read_text(encoding="utf-8"))
    except OSError as why:
        raise _unread(path, why.strerror or str(why)) from None
    except ValueError as why:  # a byte that is no UTF-8, a zero byte in a path
        raise _unread(path, f"it is not UTF-8 text ({why})") from None


def _unread(path: Path, why: str) -> HasteError:
    near = _near(path)
    advice = f"did you mean {near}?" if near else "check the path"
    return HasteError(Diagnostic("HST6003", f"cannot read {path}: {why}", help=advice))


def _near(path: Path) -> str:
    """Return the program beside a missing one whose name is most like its."""
    try:
        beside = sorted(p.name for p in path.parent.iterdir() if p.suffix == SUFFIX)
    except (OSError, ValueError):
        return ""
    found = "" if path.name in beside else nearest(path.name, beside)
    return str(path.parent / found) if found else ""
