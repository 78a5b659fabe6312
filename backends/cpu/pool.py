"""Threads that share the programs of a launch.

Generated code hands out ranges of programs from a counter in memory, and threads that wait for
work see a launch by themselves (:mod:`hastec.backends.cpu.team`): Python takes part only in waking
threads that sleep. For a while after a launch they stay awake, since one rarely comes alone.
Nothing about a result depends on who computed it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from time import perf_counter
from typing import Protocol, TypeAlias
from weakref import finalize

from hastec.backends.cpu.entry import CHUNK, COUNTER, TOTAL
from hastec.backends.cpu.team import AWAKE, DONE, OPEN, Board, Team, new_board, team

Queue: TypeAlias = "SimpleQueue[int | None]"

WAKE_SECONDS = 30e-6
"""About what it costs to wake a thread: less work than this is not worth it."""
AWAKE_TRIES = 4_000
"""How often a thread looks for a launch before it sleeps: some tenths of a millisecond."""
TRIES = 20_000
"""How often a launch looks whether all threads have left it before it lets others run."""
EVERYTHING = 2**62


class Words(Protocol):
    """Words in memory."""

    def __getitem__(self, at: int) -> int:
        """Return a word."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A launch: the exported function, and its words in memory."""

    run: Callable[..., None]
    words: Words

    @property
    def left(self) -> float:
        """How often as many programs as were taken at once are left."""
        words = self.words
        return max(0, words[TOTAL] - words[COUNTER]) / words[CHUNK]


@dataclass(slots=True, eq=False)
class _Crew:
    """What threads need to know: a board, and a queue that wakes them."""

    board: Board = field(default_factory=new_board)
    queue: Queue = field(default_factory=SimpleQueue)
    process: int = field(default_factory=os.getpid)
    started: int = 0


class Pool:
    """Threads started on first need, again after a fork, that end with the pool."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.crew = _Crew()

    def run(self, job: Job, helpers: int) -> bool:
        """Run a job with up to ``helpers`` other threads; False if they have another one."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            if self.crew.process != os.getpid():
                # Threads do not survive a fork: the child starts its own.
                self.crew = _Crew()
            self._run(team(), job, helpers)
        finally:
            self.lock.release()
        return True

    def _run(self, native: Team, job: Job, helpers: int) -> None:
        """Run a range here to see what is left, unless enough threads are awake anyway."""
        board = self.crew.board
        most = EVERYTHING if board[AWAKE] >= helpers else 1
        start, found = perf_counter(), OPEN
        try:
            found = native.launch(board, job.run, job.words, helpers, most, TRIES)
            if found == OPEN:
                seconds = (perf_counter() - start) * job.left
                self._wake(min(helpers, int(seconds / WAKE_SECONDS)))
                job.run(job.words, EVERYTHING)
        finally:
            while found != DONE and native.close(board, TRIES) != DONE:
                os.sched_yield()  # sleep(0) would last as long as the system's timers are coarse

    def _wake(self, helpers: int) -> None:
        """See to it that so many threads are awake."""
        crew = self.crew
        while crew.started < helpers:
            Thread(target=_serve, args=(crew, team()), daemon=True, name="haste").start()
            finalize(self, crew.queue.put, None)
            crew.started += 1
        missing = helpers - crew.board[AWAKE]
        if missing > 0:
            crew.queue.put(missing)


def _serve(crew: _Crew, native: Team) -> None:
    last = 0
    while (helpers := crew.queue.get()) is not None:
        # Whoever wakes wakes two more: the launch does not wake everybody by itself.
        for more in ((helpers - 1) // 2, helpers // 2):
            if more:
                crew.queue.put(more)
        last = native.serve(crew.board, AWAKE_TRIES, last)
