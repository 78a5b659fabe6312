"""Where the cache lives and whether that place can be trusted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hastec.cache.files import Files, ensure_folder


def default_root() -> Path:
    """Return the user's cache folder for HASTE, by the custom of the platform."""
    import platformdirs  # only asked where no folder was named

    return platformdirs.user_cache_path("haste", appauthor=False)


def make_root(files: Files, root: Path) -> None:
    """Make ``root`` for the owner alone, and the folders above it, unless they are there."""
    if root.exists():
        return
    missing = [root]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for path in reversed(missing):
        ensure_folder(files, path)


def distrust(files: Files, root: Path, trusted: bool) -> str:
    """Return why ``root`` may hold what others wrote; empty if it may not.

    Whoever can write to a cache can run code as its user. ``trusted`` says that the user knows.
    """
    state = files.look(root)
    if trusted:
        return ""
    if not stat.S_ISDIR(state.st_mode):
        return "it is a link"
    if state.st_uid != os.geteuid():
        return "it belongs to another user"
    if state.st_mode & 0o022:
        return "others may write to it"
    return ""
