"""Entries, and reading one with every check."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hastec.cache.files import FOLDER, Files, read_whole
from hastec.cache.manifest import LIMIT, NAME, Manifest, decode, sha256

TOUCH_AFTER = 60.0
"""Seconds within which a second use is not noted: noting is a write."""
_BROKEN = (errno.EACCES, errno.EPERM, errno.EIO, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)
"""Errors that lie with the entry itself; all others lie with the machine or the process."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was kept under a key: bytes by file name, facts by name.

    ``path`` is the folder that holds the files, for tools that want a path; None where the entry
    is in memory alone. Nothing may be added to that folder.
    """

    key: str
    files: Mapping[str, bytes]
    facts: Mapping[str, str]
    versions: Mapping[str, str]
    path: Path | None


@dataclass(frozen=True, slots=True)
class Damage:
    """An entry that is not what was published: why, and which folder (by inode) was looked at."""

    path: Path
    reason: str
    inode: int


def entry_of(manifest: Manifest, files: Mapping[str, bytes], path: Path | None) -> Entry:
    """Return the entry that ``manifest`` describes."""
    return Entry(
        manifest.key,
        MappingProxyType(dict(files)),
        MappingProxyType(dict(manifest.facts)),
        MappingProxyType(dict(manifest.versions)),
        path,
    )


def load(files: Files, path: Path, key: str, trusted: bool) -> Entry | Damage | None:
    """Read and verify the entry in the folder ``path``; None if there is none.

    Owner and mode are checked unless ``trusted``; names, sizes and hashes always. Raises OSError
    for what is no fault of the entry, such as too many open files.
    """
    try:
        before = files.look(path)
    except FileNotFoundError:
        return None
    try:
        return _verified(files, path, key, trusted)
    except ValueError as error:
        reason = str(error)
    except OSError as error:
        if error.errno != errno.ENOENT and error.errno not in _BROKEN:
            raise
        reason = error.strerror or str(error)
    try:
        after = files.look(path)
    except FileNotFoundError:  # taken away while it was read: a miss, not damage
        return None
    return Damage(path, reason, after.st_ino) if after.st_ino == before.st_ino else None


def _verified(files: Files, path: Path, key: str, trusted: bool) -> Entry:
    folder = files.open(path, FOLDER)
    try:
        state = files.stat(folder)
        _check_owner(path.name, state, trusted)
        data = _member(files, NAME, folder, LIMIT, trusted)
        manifest = decode(data)
        if manifest.key != key:
            raise ValueError("the manifest is of another entry")
        names = [NAME, *(member.name for member in manifest.members)]
        if files.names(folder) != sorted(names):
            raise ValueError("files are missing or were added")
        found = _members(files, manifest, folder, trusted)
        _note_use(files, folder, state)
    finally:
        files.close(folder)
    return entry_of(manifest, found, path)


def _members(files: Files, manifest: Manifest, folder: int, trusted: bool) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for member in manifest.members:
        data = _member(files, member.name, folder, member.size, trusted)
        if len(data) != member.size or sha256(data) != member.sha256:
            raise ValueError(f"{member.name} was altered")
        found[member.name] = data
    return found


def _member(files: Files, name: str, folder: int, limit: int, trusted: bool) -> bytes:
    data, state = read_whole(files, name, folder, limit)
    _check_owner(name, state, trusted)
    return data


def _check_owner(name: str, state: os.stat_result, trusted: bool) -> None:
    if trusted:
        return
    if state.st_uid != os.geteuid():
        raise ValueError(f"{name} belongs to another user")
    if state.st_mode & 0o022:
        raise ValueError(f"{name} may be written by others")


def _note_use(files: Files, folder: int, state: os.stat_result) -> None:
    """Set the folder's time, by which the least recently used entries are found."""
    if abs(time.time() - state.st_mtime) < TOUCH_AFTER:
        return
    try:
        files.touch(folder)
    except OSError:  # a cache that cannot be written still serves
        return
