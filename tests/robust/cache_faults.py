"""File operations that fail, or end the process, at a chosen step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from hastec.cache.files import Files
from hastec.cache.keys import key
from hastec.cache.store import Made

KEY = key({"program": "text", "target": b"\x90"})
MADE = Made({"kernel.py": b"def kernel(): ...\n", "kernel.cubin": bytes(range(256))}, {"m": "64"})


class Stepping(Files):
    """Counts the operations and calls ``act`` with the number and name of each, from 1."""

    def __init__(self, act: Callable[[int, str], None]) -> None:
        self.act = act
        self.steps: list[str] = []

    def _step(self, name: str) -> None:
        self.steps.append(name)
        self.act(len(self.steps), name)

    def open(self, path: Path | str, flags: int, within: int | None = None) -> int:
        self._step("open")
        return super().open(path, flags, within)

    def close(self, fd: int) -> None:
        super().close(fd)  # the system closes it even where it reports an error
        self._step("close")

    def read(self, fd: int, size: int) -> bytes:
        self._step("read")
        return super().read(fd, size)

    def write(self, fd: int, data: bytes) -> int:
        half = super().write(fd, data[: max(1, len(data) // 2)])
        self._step("write")
        return half + super().write(fd, data[half:])

    def sync(self, fd: int) -> None:
        self._step("sync")

    def stat(self, fd: int) -> os.stat_result:
        self._step("stat")
        return super().stat(fd)

    def look(self, path: Path) -> os.stat_result:
        self._step("look")
        return super().look(path)

    def names(self, folder: int | Path) -> list[str]:
        self._step("names")
        return super().names(folder)

    def mkdir(self, path: Path) -> None:
        self._step("mkdir")
        super().mkdir(path)

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename")
        super().rename(old, new)

    def touch(self, fd: int) -> None:
        self._step("touch")
        super().touch(fd)

    def drop(self, path: Path) -> None:
        self._step("drop")
        super().drop(path)

    def lock(self, path: Path, wait: float) -> Callable[[], None] | None:
        self._step("lock")
        return super().lock(path, wait)


def failing(at: int, number: int, once: bool = True) -> Stepping:
    """Return operations of which number ``at`` (and all later ones, unless ``once``) fails."""

    def act(step: int, name: str) -> None:
        if step == at or (step > at and not once):
            raise OSError(number, os.strerror(number), name)

    return Stepping(act)


def killing(at: int) -> Stepping:
    """Return operations that end the process, with no chance to clean up, before number ``at``."""

    def act(step: int, name: str) -> None:
        if step == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return Stepping(act)


def counting() -> Stepping:
    """Return operations that are only counted."""
    return Stepping(lambda step, name: None)
