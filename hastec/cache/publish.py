"""Writing an entry: aside first, then into place by one rename, so that none is seen half done."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from hastec.cache.entry import Damage
from hastec.cache.files import Files, ensure_folder, sync_folder, write_new
from hastec.cache.manifest import FORMAT, NAME, Manifest, encode

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def place_of(root: Path) -> Path:
    """Return the folder of the current format below a cache's root."""
    return root / f"v{FORMAT}"


def folder_of(place: Path, key: str) -> Path:
    """Return the folder of an entry."""
    return place / "objects" / key[:2] / key


def lay_out(files: Files, place: Path) -> None:
    """Make the folders that a cache consists of."""
    ensure_folder(files, place)
    for name in ("objects", "tmp", "bad", "locks"):
        ensure_folder(files, place / name)


def publish(files: Files, place: Path, manifest: Manifest, data: Mapping[str, bytes]) -> bool:
    """Put an entry into place; False if one stands there. Raises OSError and leaves nothing."""
    target = folder_of(place, manifest.key)
    work = aside(place)
    files.mkdir(work)
    try:
        for member in manifest.members:
            write_new(files, work / member.name, data[member.name])
        write_new(files, work / NAME, encode(manifest))
        sync_folder(files, work)
        ensure_folder(files, target.parent)
        moved = _move(files, work, target)
    except BaseException:
        _discard(files, work)
        raise
    if moved:
        sync_folder(files, target.parent)
    else:
        _discard(files, work)
    return moved


def aside(place: Path) -> Path:
    """Return a fresh path for unfinished work; the name says which process is at it."""
    return place / "tmp" / f"{os.getpid()}-{secrets.token_hex(8)}"


def _move(files: Files, work: Path, target: Path) -> bool:
    try:
        files.rename(work, target)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _discard(files: Files, work: Path) -> None:
    with contextlib.suppress(OSError):
        files.drop(work)


def quarantine(files: Files, place: Path, damage: Damage) -> bool:
    """Move a damaged entry out of the way; False if somebody else did, or it was replaced."""
    try:
        if files.look(damage.path).st_ino != damage.inode:
            return False
        files.rename(damage.path, place / "bad" / f"{damage.path.name}-{secrets.token_hex(4)}")
    except FileNotFoundError:
        return False
    return True
