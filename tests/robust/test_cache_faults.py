"""Any file operation fails, with any error: the program is compiled all the same."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hastec.cache import Made, Store
from hastec.cache.publish import folder_of, place_of
from tests.robust.cache_faults import KEY, MADE, Stepping, counting, failing

ERRORS = (
    errno.ENOSPC,
    errno.EIO,
    errno.EACCES,
    errno.EROFS,
    errno.EMFILE,
    errno.ENAMETOOLONG,
    errno.ENOLCK,
    errno.EDQUOT,
)


def nothing(root: Path) -> None:
    """Leave a machine that has no cache yet."""


def entry(root: Path) -> None:
    """Leave a cache with the entry in it."""
    Store(root).put(KEY, MADE.files, MADE.facts)


def damaged(root: Path) -> None:
    """Leave a cache with a damaged entry in it."""
    entry(root)
    (folder_of(place_of(root), KEY) / "kernel.py").write_bytes(b"")


def collecting(root: Path) -> None:
    """Leave a cache that the next entry makes collect, with an old entry and leftovers in it."""
    entry(root)
    Store(root).put("0" * 64, {"big": bytes(5000)}, {})
    place = place_of(root)
    (place / "tmp" / "4000000000-ab").mkdir()
    for path in (place / "collected", place / "tmp" / "4000000000-ab", place / "objects/00"):
        os.utime(path, (0, 0))
    os.utime(folder_of(place, "0" * 64), (0, 0))
    shutil.rmtree(folder_of(place, KEY))


BEFORE: dict[str, Callable[[Path], None]] = {
    "no cache": nothing,
    "entry there": entry,
    "entry damaged": damaged,
    "collecting": collecting,
}


def run(store: Store) -> None:
    """Ask for the entry and check that it is right and that what is visible on disk is whole."""
    made = store.get_or_make(KEY, lambda: MADE)
    assert dict(made.files) == dict(MADE.files) and dict(made.facts) == dict(MADE.facts)


def check_next(root: Path, before: str) -> None:
    """Check that the next run finds nothing half done: at most the damage of before is left."""
    store = Store(root)
    run(store)
    allowed = ["HST6102"] if "damaged" in before else []
    assert [w.code for w in store.warnings] in ([], allowed), store.warnings


def check_left_behind(root: Path, before: str, number: int, step: str) -> None:
    """Check that no unfinished work and no good entry was thrown aside."""
    place = place_of(root)
    if step != "drop" and before != "collecting" and (place / "tmp").is_dir():
        assert list((place / "tmp").iterdir()) == []
    fault_of_the_machine = number not in (errno.EIO, errno.EACCES)
    if before == "entry there" and fault_of_the_machine and (place / "bad").is_dir():
        assert list((place / "bad").iterdir()) == []


def check_afterwards(root: Path) -> None:
    """Check that a later run on a healthy machine meets no damage and has its entry."""
    later = Store(root)
    run(later)
    assert later.warnings == [] and later.verify() == ()
    assert Store(root).get(KEY) is not None


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("number", ERRORS, ids=lambda n: errno.errorcode[n])
def test_any_one_operation_fails(tmp_path: Path, before: str, number: int) -> None:
    BEFORE[before](tmp_path / "c")
    steps = counting()
    shutil.copytree(tmp_path / "c", tmp_path / "n") if before != "no cache" else None
    run(Store(tmp_path / "n", files=steps, limit=6000))
    assert len(steps.steps) > 10
    for at in range(1, len(steps.steps) + 1):
        root = tmp_path / f"c{at}"
        BEFORE[before](root)
        store = Store(root, files=failing(at, number), limit=6000)
        run(store)
        extra = [w for w in store.warnings if w.code == "HST6101"]
        assert len(extra) <= 1 and len(store.warnings) <= 2
        check_left_behind(root, before, number, steps.steps[at - 1])
        check_next(root, before)
        check_afterwards(root)
        shutil.rmtree(root)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("number", ERRORS, ids=lambda n: errno.errorcode[n])
def test_everything_fails_from_some_point_on(tmp_path: Path, before: str, number: int) -> None:
    for at in range(1, 40):
        root = tmp_path / f"c{at}"
        BEFORE[before](root)
        store = Store(root, files=failing(at, number, once=False), limit=6000)
        run(store)
        run(store)
        assert len([w for w in store.warnings if w.code == "HST6101"]) <= 1
        check_next(root, before)
        check_afterwards(root)
        shutil.rmtree(root)


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("step", ["open", "stat", "names", "read"])
def test_an_entry_taken_away_while_it_is_read_is_a_miss(
    tmp_path: Path, step: str, replaced: bool
) -> None:
    entry(tmp_path / "c")
    done: list[str] = []

    def act(number: int, name: str) -> None:
        if name == step and not done:
            done.append(name)
            Store(tmp_path / "c").rm(KEY)
            if replaced:
                entry(tmp_path / "c")

    store = Store(tmp_path / "c", files=Stepping(act))
    run(store)
    assert done and store.warnings == []
    assert list((place_of(tmp_path / "c") / "bad").iterdir()) == []
    check_afterwards(tmp_path / "c")


def test_a_maker_that_fails_is_heard_even_then(tmp_path: Path) -> None:
    def make() -> Made:
        raise LookupError("no such kernel")

    with pytest.raises(LookupError):
        Store(tmp_path / "c", files=failing(1, errno.EIO, once=False)).get_or_make(KEY, make)


@pytest.mark.parametrize("before", ["nothing", "damaged", "collecting"])
def test_a_process_is_killed_before_any_operation(tmp_path: Path, before: str) -> None:
    """All runs fork from one small process: this one may have threads, which do not survive it."""
    child = Path(__file__).with_name("cache_kill.py")
    done = subprocess.run(
        [sys.executable, str(child), str(tmp_path), before],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
