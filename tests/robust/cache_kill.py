"""Kill a process before each of its file operations in turn and check what a next one finds."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from hastec.cache import Store
from hastec.cache.care import sweep
from hastec.cache.files import Files
from hastec.cache.publish import place_of
from tests.robust import test_cache_faults as faults
from tests.robust.cache_faults import killing


def main(folder: Path, before: str) -> None:
    """Kill at operation 1, 2, … until one run gets through; print how many did not."""
    at = 1
    while killed_at(folder / str(at), before, at):
        at += 1
    print(at - 1)


def killed_at(root: Path, before: str, at: int) -> bool:
    """Say whether a run was killed at operation ``at``, after checking what it left."""
    getattr(faults, before)(root)
    child = os.fork()
    if child == 0:
        faults.run(Store(root, files=killing(at), limit=6000))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    faults.check_next(root, before)
    faults.check_afterwards(root)
    sweep(Files(), place_of(root), time.time() + 7200)
    assert list((place_of(root) / "tmp").iterdir()) == []
    return status != 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
