"""Every kind of damage to every file of an entry: found, told once, set aside, made again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hastec.cache import Entry, Made, Store, key
from hastec.cache.entry import Damage, load
from hastec.cache.files import Files
from hastec.cache.manifest import NAME, sha256
from hastec.cache.publish import folder_of, place_of, quarantine
from tests.robust.cache_faults import KEY, MADE

OTHER = key({"another": "program"})


def folder(root: Path, which: str = KEY) -> Path:
    return folder_of(place_of(root), which)


def make_counted() -> tuple[Callable[[], Made], list[int]]:
    calls: list[int] = []

    def make() -> Made:
        calls.append(1)
        return MADE

    return make, calls


def heals(root: Path) -> str:
    """Check that the damage is found, told once and mended; return what was told."""
    make, calls = make_counted()
    store = Store(root)
    entry: Entry = store.get_or_make(KEY, make)
    assert dict(entry.files) == dict(MADE.files) and dict(entry.facts) == {"m": "64"}
    assert calls == [1] and entry.path == folder(root)
    assert [w.code for w in store.warnings] == ["HST6102"]
    assert len(list((place_of(root) / "bad").iterdir())) == 1
    again = Store(root)
    assert again.get_or_make(KEY, make) == entry
    assert calls == [1] and again.warnings == []
    return store.warnings[0].message


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_link(path: Path) -> None:
    shutil.copy(path, path.parent.parent / "copy")
    path.unlink()
    path.symlink_to(path.parent.parent / "copy")


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_other_owner(path: Path) -> None:
    os.chown(path, 12345, -1)


FILE_DAMAGE: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "halved": lambda path: os.truncate(path, path.stat().st_size // 2),
    "bit flipped": flip,
    "appended": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "grown past memory": lambda path: os.truncate(path, 1 << 40),
    "folder": replace_by_folder,
    "link": replace_by_link,
    "pipe": replace_by_pipe,
    "renamed": lambda path: path.rename(path.with_name("other")),
    "writable by all": lambda path: path.chmod(0o666),
}
if os.geteuid() == 0:
    FILE_DAMAGE["owner"] = to_other_owner
else:
    FILE_DAMAGE["unreadable"] = lambda path: path.chmod(0)


@pytest.mark.parametrize("name", [*MADE.files, NAME])
@pytest.mark.parametrize("kind", FILE_DAMAGE)
def test_damage_to_a_file(tmp_path: Path, kind: str, name: str) -> None:
    Store(tmp_path / "c").put(KEY, MADE.files, MADE.facts)
    FILE_DAMAGE[kind](folder(tmp_path / "c") / name)
    heals(tmp_path / "c")


def plant(root: Path) -> None:
    cache = folder(root) / "__pycache__"
    cache.mkdir()
    (cache / "kernel.cpython-311.pyc").write_bytes(b"code")


def swap_entries(root: Path) -> None:
    Store(root).put(OTHER, {"kernel.py": b"other"}, {})
    shutil.rmtree(folder(root))
    shutil.copytree(folder(root, OTHER), folder(root))


def link_away(root: Path) -> None:
    folder(root).rename(root / "elsewhere")
    folder(root).symlink_to(root / "elsewhere")


def empty(root: Path) -> None:
    shutil.rmtree(folder(root))
    folder(root).mkdir(mode=0o700)


def become_a_file(root: Path) -> None:
    shutil.rmtree(folder(root))
    folder(root).write_bytes(b"")


ENTRY_DAMAGE: dict[str, Callable[[Path], object]] = {
    "file planted": plant,
    "another entry": swap_entries,
    "link": link_away,
    "emptied": empty,
    "file": become_a_file,
    "writable by all": lambda root: folder(root).chmod(0o777),
}
if os.geteuid() == 0:
    ENTRY_DAMAGE["owner"] = lambda root: os.chown(folder(root), 12345, -1)


@pytest.mark.parametrize("kind", ENTRY_DAMAGE)
def test_damage_to_an_entry(tmp_path: Path, kind: str) -> None:
    Store(tmp_path / "c").put(KEY, MADE.files, MADE.facts)
    ENTRY_DAMAGE[kind](tmp_path / "c")
    heals(tmp_path / "c")


def change(**fields: object) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        return (
            json.dumps({**json.loads(data), **fields}, indent=1, sort_keys=True) + "\n"
        ).encode()

    return edit


def resign(data: bytes) -> bytes:
    """Return a manifest whose digest holds but whose facts are numbers."""
    body = {**json.loads(data), "facts": {"m": 64}}
    del body["digest"]
    text = (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()
    return change(digest=sha256(text))(text)


MANIFESTS: dict[str, Callable[[bytes], bytes]] = {
    "no text": lambda data: b"\xff\xfe" + data,
    "deep": lambda data: b"[" * 200_000,
    "a number too long to read": lambda data: b"9" * 10_000,
    "a list": lambda data: b"[]\n",
    "null": lambda data: b"null\n",
    "not a number": lambda data: data.replace(b'"format": 1', b'"format": NaN'),
    "newer format": change(format=2),
    "altered fact": change(facts={"m": "65"}),
    "facts missing": change(facts=None),
    "digest of something else": resign,
    "key of a path": change(key="../../x"),
    "files of a path": change(files=[{"name": "../x", "size": 1, "sha256": ""}]),
    "files negative": change(files=[{"name": "x", "size": -1, "sha256": ""}]),
    "files of flags": change(files=[{"name": "x", "size": True, "sha256": ""}]),
    "files of text": change(files=["x"]),
    "files none": change(files="x"),
    "one key twice": lambda data: data.replace(b'"format": 1', b'"format": 1,\n "format": 1'),
    "other spacing": lambda data: data + b"\n",
    "a field more": change(more="x"),
    "huge": lambda data: b" " * (2 << 20) + data,
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_damage_to_the_meaning_of_a_manifest(tmp_path: Path, kind: str) -> None:
    Store(tmp_path / "c").put(KEY, MADE.files, MADE.facts)
    path = folder(tmp_path / "c") / NAME
    damaged = MANIFESTS[kind](path.read_bytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    heals(tmp_path / "c")


def test_what_is_told(tmp_path: Path) -> None:
    Store(tmp_path / "c").put(KEY, MADE.files, MADE.facts)
    flip(folder(tmp_path / "c") / "kernel.cubin")
    assert heals(tmp_path / "c") == (
        f"cache entry {KEY[:12]} was damaged and is made again: kernel.cubin was altered"
    )


def test_who_comes_late_leaves_the_mended_entry_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    store.put(KEY, MADE.files, MADE.facts)
    flip(folder(tmp_path / "c") / "kernel.py")
    seen = load(Files(), folder(tmp_path / "c"), KEY, trusted=False)
    assert isinstance(seen, Damage)
    mended = store.get_or_make(KEY, lambda: MADE)
    assert not quarantine(Files(), place_of(tmp_path / "c"), seen)
    assert Store(tmp_path / "c").get(KEY) == mended
    shutil.rmtree(folder(tmp_path / "c"))
    assert not quarantine(Files(), place_of(tmp_path / "c"), seen)


def test_a_cache_that_was_moved_still_serves(tmp_path: Path) -> None:
    Store(tmp_path / "a").put(KEY, MADE.files, MADE.facts)
    (tmp_path / "a").rename(tmp_path / "b")
    found = Store(tmp_path / "b").get(KEY)
    assert found is not None and found.path == folder(tmp_path / "b")


def test_damaged_entries_are_dropped_after_a_day(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    store.put(KEY, MADE.files, MADE.facts)
    flip(folder(tmp_path / "c") / "kernel.py")
    assert store.get(KEY) is None
    (bad,) = (place_of(tmp_path / "c") / "bad").iterdir()
    store.gc()
    assert bad.exists()
    os.utime(bad, (0, 0))
    assert store.gc().leftovers == 1 and not bad.exists()
