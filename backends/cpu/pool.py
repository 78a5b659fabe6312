"""Threads that share the programs of a launch.

Generated code hands out ranges of programs from a counter in memory, so that Python takes part
only in waking threads. A launch first runs one range itself and wakes others only if what is
left is worth it. Nothing about a result depends on who computed it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeAlias
from weakref import finalize

Queue: TypeAlias = "SimpleQueue[tuple[Job, int] | None]"

WAKE_SECONDS = 30e-6
"""About what it costs to wake a thread: less work than this is not shared."""


class Job:
    """One launch: threads may join until it is closed.

    ``owner`` is what must live as long as a thread may still run the work: the machine code.
    """

    def __init__(self, work: Callable[[], None], owner: object) -> None:
        self.work = work
        self.owner = owner
        self.lock = Lock()
        self.idle = Lock()
        self.open = True
        self.inside = 0

    def join(self) -> None:
        """Take part in the work, if it is still going on."""
        with self.lock:
            if not self.open:
                return
            self.inside += 1
        self.work()
        with self.lock:
            self.inside -= 1
            if self.inside == 0 and not self.open:
                self.idle.release()

    def close(self) -> None:
        """Let nobody join any more and wait for those who did."""
        with self.lock:
            self.open = False
            self.idle.acquire()
            if self.inside == 0:
                return
        with self.idle:
            pass


class Pool:
    """Threads started on first need, again after a fork, that end with the pool."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.process = 0
        self.queue: Queue = SimpleQueue()
        self.started = 0

    def share(self, job: Job, helpers: int) -> None:
        """Ask up to ``helpers`` threads to join a job."""
        self._start(helpers)
        self.queue.put((job, helpers))

    def _start(self, helpers: int) -> None:
        if self.started >= helpers and self.process == os.getpid():
            return
        with self.lock:
            if self.process != os.getpid():
                # Threads do not survive a fork: the child starts its own.
                self.process, self.started, self.queue = os.getpid(), 0, SimpleQueue()
            while self.started < helpers:
                Thread(target=_serve, args=(self.queue,), daemon=True, name="haste").start()
                finalize(self, self.queue.put, None)
                self.started += 1


def _serve(queue: Queue) -> None:
    while (item := queue.get()) is not None:
        job, helpers = item
        # Whoever wakes wakes two more: the launch does not wake everybody by itself.
        for more in ((helpers - 1) // 2, helpers // 2):
            if more:
                queue.put((job, more))
        job.join()
        del job, item
