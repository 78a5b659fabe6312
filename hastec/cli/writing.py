"""Files that commands leave."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from hastec.explain.writing import unwritten


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
