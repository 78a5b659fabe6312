"""A defect of the compiler: what the user is told, and what helps to mend it."""

from __future__ import annotations

import platform
import shlex
import traceback
from collections.abc import Sequence

from hastec import __version__
from hastec.options import Options


def report(error: Exception, words: Sequence[str]) -> str:
    """Return what to say about an exception that should not have happened.

    The traceback is shown with HASTE_DEBUG=1; tables are never part of it.
    """
    lines = [f"internal error: {type(error).__name__}: {error}"]
    if _debugging():
        lines += ["", *"".join(traceback.format_exception(error)).rstrip().split("\n"), ""]
    command = shlex.join(["hastec", *words])
    lines.append(f"  this is a defect of hastec {__version__} (Python {platform.python_version()})")
    lines.append(f"  command: {command}")
    lines.append("  help: report it with the program; HASTE_DEBUG=1 shows where it happened")
    return "\n".join(lines)


def _debugging() -> bool:
    try:
        return Options.from_environment().debug
    except Exception:  # settings that cannot be read must not hide the defect
        return False
