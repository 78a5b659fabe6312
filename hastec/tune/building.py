"""Builds candidates: in child processes that work side by side, or one by one in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol, TypeAlias

from hastec.backends import BACKENDS
from hastec.contracts import Backend, Built, Emitted
from hastec.ir.kernel import Kernel
from hastec.target import Target
from hastec.tune.worker import answered, request

MOST_CHILDREN = 16
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from hastec.tune.worker import main; main()"
)

Child: TypeAlias = "subprocess.Popen[str]"

Outcome: TypeAlias = Built | str
"""A build, or why there is none."""


class Builder(Protocol):
    """Builds kernels, in any order."""

    def __call__(self, kernels: Sequence[Kernel], deadline: float) -> Iterator[tuple[int, Outcome]]:
        """Yield the number of each kernel with its build; none past ``deadline``
        (of ``time.monotonic``).
        """
        ...


def builder_for(backend: Backend, target: Target, lines: Mapping[int, str]) -> Builder:
    """Return children for a backend that is known by its name, else this process."""
    if backend.name in BACKENDS and not getattr(backend, "interpret", False):
        return Children(backend, target, lines, min(MOST_CHILDREN, processors()))
    return Here(backend, target, lines)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Here:
    """Builds in this process, one kernel after the other."""

    backend: Backend
    target: Target
    lines: Mapping[int, str]

    def __call__(self, kernels: Sequence[Kernel], deadline: float) -> Iterator[tuple[int, Outcome]]:
        """Yield builds; see :class:`Builder`."""
        for number, kernel in enumerate(kernels):
            if time.monotonic() >= deadline:
                return
            yield number, self._build(kernel)

    def _build(self, kernel: Kernel) -> Outcome:
        try:
            emitted = self.backend.emit(kernel, self.lines, self.target)
            return self.backend.build(emitted, kernel, self.target)
        except Exception as why:
            return f"{type(why).__name__}: {why}"


@dataclass(frozen=True, slots=True)
class Children:
    """Builds in up to ``count`` child processes, which end with the call."""

    backend: Backend
    target: Target
    lines: Mapping[int, str]
    count: int

    def __call__(self, kernels: Sequence[Kernel], deadline: float) -> Iterator[tuple[int, Outcome]]:
        """Yield builds as they are ready; see :class:`Builder`."""
        emitted = [self.backend.emit(k, self.lines, self.target) for k in kernels]
        pool = _Pool(self._requests(kernels, emitted), min(self.count, len(kernels)))
        try:
            for _ in kernels:
                try:
                    yield pool.done.get(timeout=max(0.0, deadline - time.monotonic()))
                except Empty:
                    return
        finally:
            pool.close()

    def _requests(self, kernels: Sequence[Kernel], emitted: Sequence[Emitted]) -> list[str]:
        pairs = zip(emitted, kernels, strict=True)
        return [request(self.backend.name, e, k, self.target) for e, k in pairs]


class _Pool:
    """Children, each with a thread that hands it requests and takes its answers."""

    def __init__(self, requests: Sequence[str], count: int) -> None:
        self.todo: SimpleQueue[tuple[int, str]] = SimpleQueue()
        self.done: SimpleQueue[tuple[int, Outcome]] = SimpleQueue()
        for item in enumerate(requests):
            self.todo.put(item)
        self.lock = threading.Lock()
        self.closed = False
        self.children = [_child() for _ in range(count)]
        for child in self.children:
            threading.Thread(target=self._serve, args=(child,), daemon=True).start()

    def _serve(self, first: Child) -> None:
        child: Child | None = first
        while child is not None:
            try:
                number, line = self.todo.get_nowait()
            except Empty:
                return
            answer = _ask(child, line)
            if answer:
                self.done.put((number, answered(answer)))
            else:
                self.done.put((number, f"the compiler ended with code {child.wait()}"))
                child = self._again(child)

    def _again(self, dead: Child) -> Child | None:
        """Return a child in place of one that died; None if no more is wanted."""
        with self.lock:
            if self.closed:
                return None
            made = _child()
            self.children[self.children.index(dead)] = made
            return made

    def close(self) -> None:
        """End all children, busy or not."""
        with self.lock:
            self.closed = True
        for child in self.children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _ask(child: Child, line: str) -> str:
    """Return a child's answer, "" if it died."""
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(line)
        child.stdin.flush()
        return child.stdout.readline()
    except (OSError, ValueError):
        return ""


def _child() -> Child:
    """Start a child that finds modules where this process does."""
    command = [sys.executable, "-c", _START, json.dumps(sys.path)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
