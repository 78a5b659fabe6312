"""The door to filelock: locks between processes, taken to save work and for nothing else.

What the store publishes is right without them: on a file system whose locks do nothing, two
processes make the same entry and one of the two results is kept.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path


def acquire(path: Path, wait: float) -> Callable[[], None] | None:
    """Lock the file ``path`` and return what unlocks it; None after ``wait`` seconds in vain.

    Raises OSError where the file system cannot lock. A lock goes with the process that holds it,
    however that ends.
    """
    import filelock  # takes longer to load than most compilations take to be looked up

    lock = filelock.FileLock(path, timeout=wait, mode=0o600, thread_local=False)
    try:
        lock.acquire(poll_interval=0.02)
    except filelock.Timeout:
        return None
    except RuntimeError as error:  # what filelock raises where the system has no such lock
        raise OSError(errno.ENOLCK, str(error), str(path)) from error
    return lock.release
