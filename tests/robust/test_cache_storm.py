"""Many processes and threads at one cache: each entry is made once, whoever dies on the way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from hastec.cache import Entry, Made, Store, key
from tests.robust.cache_storm import PROGRAMS

REPOSITORY = Path(__file__).parents[2]
STORM = str(Path(__file__).with_name("cache_storm.py"))


def storm(root: Path, mode: str, processes: int) -> dict[str, object]:
    command = [sys.executable, STORM, str(root), mode, str(processes)]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_of_64_processes_one_makes_each_entry(tmp_path: Path) -> None:
    assert storm(tmp_path, "plain", 64) == {
        "codes": {"0": 64},
        "started": [1] * len(PROGRAMS),
        "ended": [1] * len(PROGRAMS),
        "right": [True] * len(PROGRAMS),
        "wrong": [],
    }


def test_those_killed_at_work_are_replaced(tmp_path: Path) -> None:
    found = storm(tmp_path, "killed", 32)
    codes = found["codes"]
    assert isinstance(codes, dict) and set(codes) == {"0", str(-signal.SIGKILL)}
    assert codes["0"] >= 24
    assert found["ended"] == [1] * len(PROGRAMS) and found["right"] == [True] * len(PROGRAMS)


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    found = storm(tmp_path, "stopped", 4)
    assert found["codes"] == {"0": 3, str(-signal.SIGKILL): 1}
    assert found["right"] == [True] * len(PROGRAMS) and found["wrong"] == []


def test_collecting_meanwhile_harms_nobody(tmp_path: Path) -> None:
    found = storm(tmp_path, "collecting", 16)
    assert found["codes"] == {"0": 16} and found["wrong"] == []


def test_killed_at_random_times(tmp_path: Path) -> None:
    """Start a small storm again and again and kill all of it after a random while."""
    rng = random.Random(7)
    for _ in range(15):
        command = [sys.executable, STORM, str(tmp_path), "collecting", "3"]
        running = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(rng.uniform(0.05, 0.3))
        # Not by the command `kill`: some versions read "-12345" as -1, which is everybody.
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert Store(tmp_path / "cache").verify() == ()
    found = storm(tmp_path, "plain", 4)
    assert found["codes"] == {"0": 4} and found["right"] == [True] * len(PROGRAMS)


def test_threads_share_a_store_and_each_entry_is_made_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    made: list[str] = []
    got: list[Entry] = []

    def ask(number: int) -> None:
        for n in random.Random(number).sample(range(6), 6):

            def make(n: int = n) -> Made:
                made.append(str(n))
                time.sleep(0.005)
                return Made({"a": str(n).encode()})

            got.append(store.get_or_make(key({"n": str(n)}), make))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list("012345") and len(got) == 192
    assert store.warnings == [] and len({entry.key for entry in got}) == 6
