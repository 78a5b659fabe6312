"""The file operations of the cache, one method each, so that a test can make any of them fail."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from hastec.cache.lock import acquire


def _flags(names: str) -> int:
    # Some systems lack some of them; the store keeps to memory there (see Store).
    return sum(int(getattr(os, f"O_{name}", 0)) for name in names.split())


# NONBLOCK so that a pipe planted in place of a file is refused and not waited for.
READ = _flags("RDONLY NOFOLLOW NONBLOCK CLOEXEC")
CREATE = _flags("WRONLY CREAT EXCL NOFOLLOW CLOEXEC")
FOLDER = _flags("RDONLY DIRECTORY NOFOLLOW CLOEXEC")


class Files:
    """The operating system's file operations; each may raise OSError."""

    def open(self, path: Path | str, flags: int, within: int | None = None) -> int:
        """Open a file, new ones for the owner alone; ``within`` is an open folder."""
        return os.open(path, flags, 0o600, dir_fd=within)

    def close(self, fd: int) -> None:
        """Close an open file."""
        os.close(fd)

    def read(self, fd: int, size: int) -> bytes:
        """Read up to ``size`` bytes."""
        return os.read(fd, size)

    def write(self, fd: int, data: bytes) -> int:
        """Write some of ``data`` and say how much."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Wait until an open file or folder is on the disk."""
        os.fsync(fd)

    def stat(self, fd: int) -> os.stat_result:
        """Look at an open file."""
        return os.fstat(fd)

    def look(self, path: Path) -> os.stat_result:
        """Look at a path, not at what a link there points to."""
        return path.lstat()

    def names(self, folder: int | Path) -> list[str]:
        """List a folder, sorted."""
        with os.scandir(folder) as found:
            return sorted(item.name for item in found)

    def mkdir(self, path: Path) -> None:
        """Make a folder for the owner alone."""
        path.mkdir(mode=0o700)

    def rename(self, old: Path, new: Path) -> None:
        """Move a file or folder in one step."""
        old.rename(new)

    def touch(self, fd: int) -> None:
        """Set the times of an open file to now."""
        os.utime(fd)

    def drop(self, path: Path) -> None:
        """Remove a file, a link, or a folder with all that is in it."""
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()

    def lock(self, path: Path, wait: float) -> Callable[[], None] | None:
        """Lock ``path`` and return what unlocks it; None after ``wait`` seconds in vain."""
        return acquire(path, wait)


def write_new(files: Files, path: Path, data: bytes) -> None:
    """Write a new file and wait until it is on the disk."""
    fd = files.open(path, CREATE)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[files.write(fd, bytes(rest)) :]
        files.sync(fd)
    finally:
        files.close(fd)


def read_whole(files: Files, name: str, within: int, limit: int) -> tuple[bytes, os.stat_result]:
    """Read a regular file of at most ``limit`` bytes in an open folder.

    Raises ValueError with a reason if it is something else or larger.
    """
    fd = files.open(name, READ, within)
    try:
        facts = files.stat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"{name} is no regular file")
        if facts.st_size > limit:
            raise ValueError(f"{name} has {facts.st_size} bytes, expected {limit}")
        parts: list[bytes] = []
        while part := files.read(fd, facts.st_size + 1):
            parts.append(part)
            if sum(map(len, parts)) > limit:
                raise ValueError(f"{name} grew while it was read")
        return b"".join(parts), facts
    finally:
        files.close(fd)


def sync_folder(files: Files, path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    fd = files.open(path, FOLDER)
    try:
        files.sync(fd)
    finally:
        files.close(fd)


def ensure_folder(files: Files, path: Path) -> None:
    """Make a folder unless it is there."""
    try:
        files.mkdir(path)
    except FileExistsError:
        if not stat.S_ISDIR(files.look(path).st_mode):
            raise OSError(errno.ENOTDIR, "not a folder", str(path)) from None
