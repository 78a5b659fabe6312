"""The cache in good weather: keys, entries, bounds, trust."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hastec.cache import Made, Store, default_root, key
from hastec.cache.identity import source_hash, versions
from hastec.cache.lock import acquire
from hastec.cache.publish import folder_of, place_of
from hastec.diag import InternalError
from tests.robust.cache_faults import KEY, MADE


def never() -> Made:
    raise AssertionError("made although it is kept")


def test_a_key_depends_on_every_field_and_on_nothing_else() -> None:
    fields: dict[str, str | bytes] = {"text": "a", "target": "sm_90", "blob": b"\0"}
    base = key(fields)
    assert base == key(dict(reversed(list(fields.items()))))
    others: list[dict[str, str | bytes]] = [
        {**fields, "text": "b"},
        {**fields, "target": "sm_90a"},
        {**fields, "blob": b"\0\0"},
        {**fields, "text": b"a"},
        {**fields, "more": ""},
        {name: fields[name] for name in ("text", "target")},
        {"tex": "ta", "target": "sm_90", "blob": b"\0"},
        {"target": "a", "text": "sm_90", "blob": b"\0"},
    ]
    assert len({base, *(key(other) for other in others)}) == len(others) + 1


def test_a_key_stays_the_same_between_releases() -> None:
    assert key({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert key({"a": "b", "c": b"d"}) == (
        "348daf4682176c902b2353134882ba1bc97f6be2c9c1498823112f6a290c3234"
    )


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "cache", versions={"hastec": "1"})
    assert store.get(KEY) is None
    put = store.put(KEY, MADE.files, MADE.facts)
    got = Store(tmp_path / "deep" / "cache").get(KEY)
    assert got == put
    assert dict(got.files) == dict(MADE.files) and dict(got.facts) == {"m": "64"}
    assert dict(got.versions) == {"hastec": "1"}
    assert got.path is not None and (got.path / "kernel.py").read_bytes() == b"def kernel(): ...\n"
    assert store.warnings == []


def test_it_is_made_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def make() -> Made:
        calls.append(1)
        return MADE

    first = Store(tmp_path / "c").get_or_make(KEY, make)
    assert Store(tmp_path / "c").get_or_make(KEY, never) == first and calls == [1]


def test_what_the_maker_raises_passes_through_and_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    with pytest.raises(AssertionError):
        store.get_or_make(KEY, never)
    assert store.get(KEY) is None and store.get_or_make(KEY, lambda: MADE).files == MADE.files


def test_the_first_entry_wins(tmp_path: Path) -> None:
    Store(tmp_path / "c").put(KEY, {"a": b"1"}, {})
    late = Store(tmp_path / "c").put(KEY, {"a": b"2"}, {})
    assert late.files["a"] == b"1"
    assert list((place_of(tmp_path / "c") / "tmp").iterdir()) == []


def test_a_second_load_from_disk_takes_a_few_milliseconds(tmp_path: Path) -> None:
    Store(tmp_path / "c").put(KEY, {"k.cubin": bytes(20_000), "k.py": bytes(20_000)}, {})
    store = Store(tmp_path / "c")
    store.place()
    times: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        store.get_or_make(KEY, never)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.005


def test_the_same_entry_is_the_same_bytes(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        path = Store(tmp_path / name).put(KEY, dict(reversed(list(MADE.files.items()))), {}).path
        assert path is not None
        texts.append((path / "manifest.json").read_bytes())
    assert texts[0] == texts[1]


def test_without_a_root_it_keeps_to_memory() -> None:
    store = Store(None)
    entry = store.get_or_make(KEY, lambda: MADE)
    assert entry.path is None and store.get_or_make(KEY, never) is entry
    assert store.ls() == () and store.gc().entries == 0 and store.verify() == ()
    assert store.rm() == () and store.get(KEY) is None and store.warnings == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "manifest.json", "a\0", "a" * 129])
def test_names_that_could_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InternalError):
        Store(tmp_path / "c").put(KEY, {name: b""}, {})


@pytest.mark.parametrize("bad", ["", "../../x", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_keys_that_are_none_are_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InternalError):
        Store(tmp_path / "c").get(bad)


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        Store(tmp_path / "c").put(KEY, MADE.files, {})
    finally:
        os.umask(old)
    for path in (tmp_path / "c").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_collecting_removes_what_the_dead_left_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    place = store.place()
    assert place is not None
    hours = {
        f"{os.getpid()}-ours": 2,
        f"{os.getpid()}-ours-for-days": 48,
        "4000000000-dead": 2,
        "4000000000-dead-but-new": 0,
        "99999999999999-nobody": 2,
        "1-somebody": 2,
        "stray": 2,
    }
    for name, age in hours.items():
        (place / "tmp" / name).mkdir()
        os.utime(place / "tmp" / name, (time.time() - age * 3600,) * 2)
    for name, age in (("old.lock", 48), ("new.lock", 2)):
        (place / "locks" / name).touch()
        os.utime(place / "locks" / name, (time.time() - age * 3600,) * 2)
    assert store.gc().leftovers == 5
    left = sorted(p.name for p in (*(place / "tmp").iterdir(), *(place / "locks").iterdir()))
    assert left == sorted(
        (f"{os.getpid()}-ours", "4000000000-dead-but-new", "1-somebody", "new.lock")
    )


def test_a_lock_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    release = acquire(tmp_path / "x.lock", 1.0)
    assert release is not None
    start = time.perf_counter()
    assert acquire(tmp_path / "x.lock", 0.1) is None
    assert 0.1 <= time.perf_counter() - start < 5
    release()
    again = acquire(tmp_path / "x.lock", 0.1)
    assert again is not None
    again()


def test_where_nothing_can_be_locked_entries_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, **options: object) -> None:
        raise RuntimeError("no flock here")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    store = Store(tmp_path / "c")
    assert store.get_or_make(KEY, lambda: MADE).path is not None
    assert [w.message for w in store.warnings] == ["the cache could not lock: no flock here"]


def test_where_modes_mean_nothing_it_keeps_to_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hastec.cache.store.os", SimpleNamespace(name="nt"))
    store = Store(tmp_path / "c")
    assert store.get_or_make(KEY, lambda: MADE).path is None
    assert [w.code for w in store.warnings] == ["HST6101"] and not (tmp_path / "c").exists()


def test_strays_in_the_folders_do_no_harm(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    store.put(KEY, MADE.files, {})
    objects = place_of(tmp_path / "c") / "objects"
    (objects / "stray").touch()
    (objects / "ab").mkdir()
    (objects / "ab" / "stray").touch()
    (objects / "ab" / ("a" * 64)).touch()
    assert [row.key for row in store.ls()] == [KEY] and store.gc().entries == 1


def test_the_default_place_is_the_users_own() -> None:
    assert default_root().name == "haste" and default_root().is_absolute()


def test_versions_name_what_decides_generated_code() -> None:
    assert {"hastec", "triton", "torch", "python", "machine", "source"} <= set(versions())
    assert len(source_hash()) == 64


def aged(store: Store, letters: str) -> dict[str, str]:
    """Put an entry of about 1000 bytes a letter, the first letter the longest unused."""
    keys: dict[str, str] = {}
    for age, letter in enumerate(reversed(letters)):
        entry = store.put(key({"k": letter}), {"data": bytes(1000)}, {})
        assert entry.path is not None
        os.utime(entry.path, (time.time() - 1000 * (age + 1),) * 2)
        keys[letter] = entry.key
    return keys


def test_collecting_drops_what_was_not_used_for_longest(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    keys = aged(store, "abcd")
    assert store.get(keys["a"]) is not None  # a use, noted
    size = store.ls()[0].size
    swept = store.gc(limit=2 * size)
    assert swept.dropped == (keys["b"], keys["c"])
    assert (swept.entries, swept.size, swept.freed) == (2, 2 * size, 2 * size)
    assert [row.key for row in store.ls()] == sorted((keys["a"], keys["d"]))


def test_a_put_collects_when_the_limit_is_passed(tmp_path: Path) -> None:
    store = Store(tmp_path / "c", limit=3000)
    keys = aged(store, "abcdef")
    (place_of(tmp_path / "c") / "collected").unlink()
    store.put(KEY, {"data": b"x"}, {})
    assert keys["a"] not in {row.key for row in store.ls()}
    assert sum(row.size for row in store.ls()) <= 3000


def test_removing_and_checking(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    keys = aged(store, "abc")
    assert store.rm(keys["b"]) == (keys["b"],) and store.get(keys["b"]) is None
    path = folder_of(place_of(tmp_path / "c"), keys["c"]) / "data"
    path.write_bytes(b"0" * 1000)
    assert store.verify() == ((keys["c"], "data was altered"),)
    assert store.verify() == () and store.rm() == (keys["a"],)


def untrusted(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, mode in (("group", 0o770), ("world", 0o707)):
        found[name] = tmp_path / name
        found[name].mkdir()
        found[name].chmod(mode)
    (tmp_path / "real").mkdir(mode=0o700)
    found["link"] = tmp_path / "link"
    found["link"].symlink_to(tmp_path / "real")
    if os.geteuid() == 0:
        found["owner"] = tmp_path / "owner"
        found["owner"].mkdir(mode=0o700)
        os.chown(found["owner"], 12345, -1)
    return found


def test_a_place_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    for name, root in untrusted(tmp_path).items():
        store = Store(root)
        entry = store.get_or_make(KEY, lambda: MADE)
        assert [w.code for w in store.warnings] == ["HST6103"], name
        assert list(root.iterdir()) == [] and store.get_or_make(KEY, never) == entry
        assert entry.path is not None and not entry.path.is_relative_to(tmp_path)


def test_a_place_that_the_user_trusts_is_used(tmp_path: Path) -> None:
    for name, root in untrusted(tmp_path).items():
        store = Store(root, trusted=True)
        store.get_or_make(KEY, lambda: MADE)
        assert store.warnings == [] and place_of(root).is_dir(), name
        assert Store(root, trusted=True).get_or_make(KEY, never).files == MADE.files


def test_a_fallback_place_goes_with_its_store(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir(mode=0o700)
    (tmp_path / "w").chmod(0o777)
    store = Store(tmp_path / "w")
    place = store.place()
    assert place is not None and place.is_dir()
    del store
    assert not place.exists()


def test_warnings_are_also_told(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "c", warn=lambda d: told.append(d.message))
    assert store.get_or_make(KEY, lambda: MADE).files == MADE.files
    assert told == ["the cache could not open: Not a directory"]
    assert [(w.code, w.severity) for w in store.warnings] == [("HST6101", "warning")]
