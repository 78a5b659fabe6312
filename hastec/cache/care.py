"""Keeping a cache in bounds: listing it, dropping what was not used for longest, and leftovers."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from hastec.cache.files import Files
from hastec.cache.keys import is_key
from hastec.cache.publish import aside

LEFTOVER_AFTER = 3600.0
"""Seconds after which unfinished work of a process that is gone is removed."""
ANYONES_AFTER = 86400.0
"""Seconds after which unfinished work is removed whoever runs: process numbers come again."""
DAMAGED_AFTER = 86400.0
"""Seconds for which damaged entries are kept, to be looked at."""
LOCKS_AFTER = 86400.0
"""Seconds after which an unused lock file is removed; nobody makes one entry for a day."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry in a listing: its key, bytes, time of last use (seconds since 1970), folder."""

    key: str
    size: int
    used: float
    path: Path


@dataclass(frozen=True, slots=True)
class Swept:
    """What a collection did: keys dropped, bytes they had, entries and bytes that stay."""

    dropped: tuple[str, ...]
    freed: int
    entries: int
    size: int
    leftovers: int


def rows(files: Files, place: Path) -> tuple[Row, ...]:
    """Return the entries below ``place``, by key; those that vanish meanwhile are left out."""
    found: list[Row] = []
    for shard in _names(files, place / "objects"):
        for name in _names(files, place / "objects" / shard):
            if is_key(name):
                found += _row(files, place / "objects" / shard / name)
    return tuple(found)


def _names(files: Files, folder: Path) -> list[str]:
    try:
        return files.names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _row(files: Files, path: Path) -> list[Row]:
    try:
        used = files.look(path).st_mtime
        size = sum(files.look(path / name).st_size for name in files.names(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [Row(path.name, size, used, path)]


def collect(files: Files, place: Path, limit: int, now: float) -> Swept:
    """Remove leftovers, then the least recently used entries until ``limit`` bytes are kept."""
    leftovers = sweep(files, place, now)
    kept = sorted(rows(files, place), key=lambda row: (row.used, row.key))
    size = sum(row.size for row in kept)
    dropped: list[str] = []
    freed = 0
    for row in kept:
        if size - freed <= limit:
            break
        if remove(files, place, row.path):
            dropped.append(row.key)
        freed += row.size
    return Swept(tuple(dropped), freed, len(kept) - len(dropped), size - freed, leftovers)


def remove(files: Files, place: Path, path: Path) -> bool:
    """Remove an entry at once for all who look; False if it was gone already."""
    work = aside(place)
    try:
        files.rename(path, work)
    except FileNotFoundError:
        return False
    with contextlib.suppress(FileNotFoundError):
        files.drop(work)
    return True


def sweep(files: Files, place: Path, now: float) -> int:
    """Remove what killed processes left, old damaged entries and unused locks; say how many."""
    work = _old(files, place / "tmp", now - LEFTOVER_AFTER)
    stale = {path for path in work if not _at_work(path.name)}
    stale.update(_old(files, place / "tmp", now - ANYONES_AFTER))
    stale.update(_old(files, place / "bad", now - DAMAGED_AFTER))
    stale.update(_old(files, place / "locks", now - LOCKS_AFTER))
    for path in sorted(stale):
        with contextlib.suppress(FileNotFoundError):
            files.drop(path)
    return len(stale)


def _old(files: Files, folder: Path, before: float) -> list[Path]:
    found: list[Path] = []
    for name in _names(files, folder):
        with contextlib.suppress(FileNotFoundError):
            if files.look(folder / name).st_mtime < before:
                found.append(folder / name)
    return found


def _at_work(name: str) -> bool:
    """Say whether the process that a folder of unfinished work is named after still runs."""
    found = re.match(r"([0-9]{1,10})-", name)
    if found is None:
        return False
    try:
        os.kill(int(found[1]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
