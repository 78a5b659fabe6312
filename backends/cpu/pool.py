"""Threads that share the programs of a launch.

Generated code hands out ranges of programs from a counter in memory, and threads that wait for
work see a launch by themselves (:mod:`hastec.backends.cpu.team`), so that none of them needs the
interpreter. For a while after a launch they stay awake, since one rarely comes alone; then they
sleep until a byte for them is written into a pipe. Nothing about a result depends on who computed
it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import perf_counter
from weakref import finalize

from hastec.backends.cpu.call import Call
from hastec.backends.cpu.team import AWAKE, FAILED, HEARD, Board, Team, cleared, new_board, team

WAKE_SECONDS = 10e-6
"""About what it costs to wake a thread: less work than this is not worth it."""
AWAKE_TRIES = 4_000
"""How often a thread looks for a launch before it sleeps: some tenths of a millisecond."""


@dataclass(frozen=True, slots=True)
class Job:
    """Launches at the same sizes: the function that launches, and the addresses of orders.

    ``alone`` runs all programs on this thread and ``shared`` with others; ``first`` runs the first
    of so many ``ranges`` of programs alone, and ``rest`` the others with others. ``kept`` is where
    the orders lie.
    """

    call: Call
    alone: int
    shared: int
    first: int
    rest: int
    ranges: int
    kept: object

    def begin(self, addresses: Sequence[int]) -> float:
        """Run a range and return the seconds that the others will take."""
        start = perf_counter()
        self.call(self.first, *addresses)
        return (perf_counter() - start) * max(0, self.ranges - 1)


@dataclass(slots=True, eq=False)
class _Crew:
    """What threads need to know: a board, and a pipe that wakes them.

    ``posted`` is how many bytes were written: as many threads were woken or are about to be.
    """

    board: Board = field(default_factory=new_board)
    pipe: tuple[int, int] = (-1, -1)
    process: int = field(default_factory=os.getpid)
    started: int = 0
    posted: int = 0


class Pool:
    """Threads started on first need, again after a fork, that end with the pool."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.crew = _Crew()

    def run(
        self, job: Job, addresses: Sequence[int], helpers: int, seconds: float | None = None
    ) -> bool:
        """Run a job with up to ``helpers`` other threads; False if they have another one.

        ``seconds`` is how long one took last time (None: there was none); enough of them wake
        threads that sleep.
        """
        if not self.lock.acquire(blocking=False):
            return False
        try:
            if self.crew.process != os.getpid():
                # Threads do not survive a fork: the child starts its own, around the same board.
                self.crew = _Crew(cleared(self.crew.board))
            order = job.shared
            if seconds is None:
                seconds, order = job.begin(addresses), job.rest
            # Those who are awake help; others do if it lasts long enough.
            wanted = min(helpers, int(seconds / WAKE_SECONDS))
            if wanted:
                self._wake(wanted)
            job.call(order, *addresses)
        finally:
            self.lock.release()
        return True

    def _wake(self, helpers: int) -> None:
        """See to it that so many threads are awake soon."""
        crew = self.crew
        if crew.started < helpers:
            self._start(helpers)
        missing = helpers - crew.board[AWAKE] - (crew.posted - crew.board[HEARD])
        if missing > 0:
            crew.posted += missing
            os.write(crew.pipe[1], bytes(missing))

    def _start(self, helpers: int) -> None:
        """Start threads: each is awake at once and has a reading end of its own to close."""
        crew = self.crew
        if not crew.started:
            crew.pipe = os.pipe()
            for end in crew.pipe:
                finalize(self, os.close, end)
        while crew.started < helpers:
            given = crew.board, team(), os.dup(crew.pipe[0])
            Thread(target=_serve, args=given, daemon=True, name="haste").start()
            crew.started += 1


def _serve(board: Board, native: Team, pipe: int) -> None:
    """Serve until the pipe is closed."""
    try:
        while native.serve(board, native.read, pipe, AWAKE_TRIES) == FAILED:
            pass  # a signal came: the interpreter has had its turn now
    finally:
        os.close(pipe)
