"""Files that are left for people: made for their owner alone, for they hold a user's program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hastec.diag import Diagnostic, HasteError

PRIVATE = 0o600


def write_all(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder, made if need be, and return it. Raises HasteError HST6405."""
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = folder / name
            path.touch(PRIVATE)
            path.write_bytes(content)
    except OSError as why:
        raise unwritten(path, why) from None
    return folder


def unwritten(path: Path, why: OSError) -> HasteError:
    """Return the error that a file could not be written."""
    message = f"cannot write {path}: {why.strerror or why}"
    return HasteError(Diagnostic("HST6405", message, help="name another place"))
