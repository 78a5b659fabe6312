"""A defect of the compiler: what the user is told, and what helps to mend it."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shlex
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from hastec import __version__
from hastec.cache.identity import versions
from hastec.diag import HasteError
from hastec.options import Options


def report(error: Exception, words: Sequence[str]) -> str:
    """Return what to say about an exception that should not have happened.

    The traceback is shown with HASTE_DEBUG=1. A file that helps to mend the defect is left behind;
    it holds the program and never a table.
    """
    trace = "".join(traceback.format_exception(error)).rstrip()
    where = getattr(error, "__notes__", [])
    lines = [f"internal error: {type(error).__name__}: {error}"]
    lines += [f"  {note}" for note in where]
    options = _options()
    if options is not None and options.debug:
        lines += ["", *trace.split("\n"), ""]
    lines.append(f"  this is a defect of hastec {__version__} (Python {platform.python_version()})")
    path = _kept("\n".join(_reproducer(words, options, trace)))
    advice = f"with {path}" if path is not None else "with the program and this command"
    lines.append(f"  help: report it {advice}; HASTE_DEBUG=1 shows where it happened")
    return "\n".join(lines)


def _options() -> Options | None:
    try:
        return Options.from_environment()
    except HasteError:  # settings that cannot be read must not hide the defect
        return None


def _reproducer(words: Sequence[str], options: Options | None, trace: str) -> Iterator[str]:
    """Yield what one needs to see the defect again: command, versions, settings, programs."""
    yield f"command: {shlex.join(['hastec', *words])}"
    yield from (f"{name}: {version}" for name, version in versions().items())
    for origin in options.origins if options is not None else ():
        if origin.source != "default":
            yield f"setting: {origin.setting.name} = {origin.text} ({origin.source})"
    for word in words:
        with contextlib.suppress(OSError, ValueError):
            if word.endswith(".haste"):
                yield f"\n--- {word}\n{Path(word).read_text(encoding='utf-8')}"
    yield f"\n---\n{trace}\n"


def _kept(text: str) -> Path | None:
    """Write a file for the user alone and return its path; None if that is impossible."""
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    try:
        folder = Path(tempfile.mkdtemp(prefix="haste-defect-"))
        path = folder / f"{mark}.txt"
        path.touch(0o600)
        path.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return path
