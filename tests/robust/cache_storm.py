"""Many processes at one cache at once; prints what happened as JSON.

Usage: ``python cache_storm.py ROOT MODE``. Every process asks for the same few entries in an order
of its own. Each making notes its start and its end in ROOT/log.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from hastec.cache import Made, Store, key

PROGRAMS = tuple(f"program {n}" for n in range(4))


def data(program: str) -> dict[str, bytes]:
    """Return what the entry of a program holds."""
    return {"kernel.py": program.encode() * 500, "kernel.cubin": bytes(3000)}


def note(root: Path, line: str) -> None:
    """Add a line to the log, whole even if many write at once."""
    fd = os.open(root / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)


def work(root: Path, number: int, mode: str) -> None:
    """Ask for every entry once and check it."""
    rng = random.Random(number)
    while mode in ("killed", "stopped") and number % 4 and not (root / "log").exists():
        time.sleep(0.005)  # one that dies shall be the first to begin
    # A process that waited in vain would make the entry too, so the wait is longer than any test.
    store = Store(root / "cache", wait=0.3 if mode == "stopped" else 60.0)
    for program in rng.sample(PROGRAMS, len(PROGRAMS)):

        def make(program: str = program) -> Made:
            note(root, f"start {program}")
            time.sleep(0.02)
            if mode == "killed" and number % 4 == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if mode == "stopped" and number == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
            note(root, f"end {program}")
            return Made(data(program))

        entry = store.get_or_make(key({"program": program}), make)
        assert dict(entry.files) == data(program)
        if mode == "collecting":
            store.gc(limit=rng.choice((0, 5000, 10**9)))
    assert store.warnings == [], store.warnings


def start(root: Path, number: int, mode: str) -> int:
    """Fork one process of the storm."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(root, number, mode)
            code = 0
        finally:
            os._exit(code)
    return child


def main(root: Path, mode: str, processes: int) -> None:
    """Run the storm and print how processes ended and how often each entry was made."""
    children = [start(root, number, mode) for number in range(processes)]
    first, *rest = children
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in rest]
    if mode == "stopped":
        os.kill(first, signal.SIGKILL)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]))
    lines = Counter((root / "log").read_text(encoding="utf-8").splitlines())
    store = Store(root / "cache")
    kept = [store.get(key({"program": program})) for program in PROGRAMS]
    print(
        json.dumps(
            {
                "codes": dict(Counter(map(str, codes))),
                "started": [lines[f"start {p}"] for p in PROGRAMS],
                "ended": [lines[f"end {p}"] for p in PROGRAMS],
                "right": [
                    e is not None and dict(e.files) == data(p)
                    for e, p in zip(kept, PROGRAMS, strict=True)
                ],
                "wrong": store.verify(),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
