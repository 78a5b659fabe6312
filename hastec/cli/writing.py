"""Files that commands leave."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from hastec.diag import Diagnostic, HasteError

PRIVATE = 0o600
"""Mode of files that may hold a user's program."""


def write_over(path: Path, text: str) -> None:
    """Put ``text`` into an existing file in one step, its mode kept. Raises HasteError HST6405."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        mode = path.stat().st_mode & 0o777
        with contextlib.ExitStack() as stack:
            stack.callback(part.unlink, missing_ok=True)
            part.write_text(text, encoding="utf-8", newline="\n")
            part.chmod(mode)
            part.replace(path.resolve())
    except OSError as why:
        raise unwritten(path, why) from None


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, made if need be, for its owner alone; HST6405 if that fails."""
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = folder / name
            path.touch(PRIVATE)
            path.write_bytes(content)
    except OSError as why:
        raise unwritten(path, why) from None


def unwritten(path: Path, why: OSError) -> HasteError:
    """Return the error that a file could not be written."""
    message = f"cannot write {path}: {why.strerror or why}"
    return HasteError(Diagnostic("HST6405", message, help="name another place"))
