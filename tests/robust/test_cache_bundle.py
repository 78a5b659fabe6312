"""Bundles: what is exported comes back; nothing else gets in."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hastec.cache import Store, key
from hastec.cache.bundle import LARGEST, export_bundle, import_bundle
from hastec.cache.manifest import NAME, Manifest, Member, describe, encode
from hastec.diag import HasteError
from tests.robust.cache_faults import KEY, MADE

SECOND = key({"second": ""})
THIRD = key({"third": ""})


def filled(root: Path) -> Store:
    store = Store(root, versions={"hastec": "1"})
    store.put(KEY, MADE.files, MADE.facts)
    store.put(SECOND, {"x" * 128: b"long name", "empty": b""}, {})
    return store


def test_a_round_trip(tmp_path: Path) -> None:
    store = filled(tmp_path / "a")
    bundle = export_bundle(store, tmp_path / "out.tar")
    assert bundle.keys == tuple(sorted((KEY, SECOND)))
    other = Store(tmp_path / "b")
    assert import_bundle(other, bundle.path, bundle.sha256).keys == bundle.keys
    for which in bundle.keys:
        there, here = store.get(which), other.get(which)
        assert there is not None and here is not None
        assert (dict(there.files), dict(there.facts), dict(there.versions)) == (
            dict(here.files),
            dict(here.facts),
            dict(here.versions),
        )
    assert export_bundle(other, tmp_path / "again.tar").sha256 == bundle.sha256


def test_a_choice_of_entries(tmp_path: Path) -> None:
    store = filled(tmp_path / "a")
    assert export_bundle(store, tmp_path / "one.tar", (KEY,)).keys == (KEY,)
    with pytest.raises(HasteError, match=r"HST6105.*the cache has no entry"):
        export_bundle(store, tmp_path / "none.tar", (THIRD,))
    with pytest.raises(HasteError, match="HST6105"):
        export_bundle(store, tmp_path / "no folder" / "x.tar")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "one.tar"]


def test_only_the_expected_hash_is_taken(tmp_path: Path) -> None:
    bundle = export_bundle(filled(tmp_path / "a"), tmp_path / "out.tar")
    target = Store(tmp_path / "b")
    with pytest.raises(HasteError, match="HST6104"):
        import_bundle(target, bundle.path, "0" * 64)
    assert target.ls() == ()
    with pytest.raises(HasteError, match="HST6104"):
        import_bundle(target, tmp_path / "absent.tar", bundle.sha256)


Add = Callable[[str, bytes, bytes], None]


def archive(path: Path, write: Callable[[Add], None]) -> str:
    """Write a tar through ``add(name, data, type)`` and return its hash."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as out:

        def add(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd"
            out.addfile(info, io.BytesIO(data))

        write(add)
    return hashlib.sha256(path.read_bytes()).hexdigest()


GOOD = encode(describe(KEY, {"a": b"1"}, {}, {}))
REG = tarfile.REGTYPE


def whole(name: str, data: bytes, kind: bytes = REG) -> Callable[[Add], None]:
    def write(add: Add) -> None:
        add(f"{KEY}/{NAME}", GOOD, REG)
        add(name, data, kind)

    return write


def first(name: str, data: bytes, kind: bytes = REG) -> Callable[[Add], None]:
    return lambda add: add(name, data, kind)


def both(one: Callable[[Add], None], two: Callable[[Add], None]) -> Callable[[Add], None]:
    def write(add: Add) -> None:
        one(add)
        two(add)

    return write


HOSTILE: dict[str, Callable[[Add], None]] = {
    "path above": first(f"../{NAME}", GOOD),
    "absolute path": first(f"/tmp/{NAME}", GOOD),
    "deep path": first(f"{KEY}/a/{NAME}", GOOD),
    "folder": first(f"{KEY}/{NAME}", b"", tarfile.DIRTYPE),
    "link": first(f"{KEY}/{NAME}", b"", tarfile.SYMTYPE),
    "hard link": first(f"{KEY}/{NAME}", b"", tarfile.LNKTYPE),
    "device": first(f"{KEY}/{NAME}", b"", tarfile.CHRTYPE),
    "pipe": first(f"{KEY}/{NAME}", b"", tarfile.FIFOTYPE),
    "no manifest": first(f"{KEY}/a", b"1"),
    "manifest of another": first(f"{THIRD}/{NAME}", GOOD),
    "manifest too large": first(f"{KEY}/{NAME}", b" " * (2 << 20)),
    "manifest broken": first(f"{KEY}/{NAME}", GOOD[:-3]),
    "file missing": first(f"{KEY}/{NAME}", GOOD),
    "file altered": whole(f"{KEY}/a", b"2"),
    "file longer": whole(f"{KEY}/a", b"1" * 10_000),
    "file shorter": whole(f"{KEY}/a", b""),
    "file elsewhere": whole(f"{SECOND}/a", b"1"),
    "file a link": whole(f"{KEY}/a", b"", tarfile.SYMTYPE),
    "entry twice": both(whole(f"{KEY}/a", b"1"), whole(f"{KEY}/a", b"1")),
    "one more file": both(whole(f"{KEY}/a", b"1"), first(f"{KEY}/b", b"")),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_no_export_writes_is_refused_whole(tmp_path: Path, kind: str) -> None:
    def write(add: Add) -> None:
        good = describe(SECOND, {"x": b""}, {}, {})
        add(f"{SECOND}/{NAME}", encode(good), REG)
        add(f"{SECOND}/x", b"", REG)
        HOSTILE[kind](add)

    found = archive(tmp_path / "bad.tar", write)
    store = Store(tmp_path / "c")
    with pytest.raises(HasteError) as caught:
        import_bundle(store, tmp_path / "bad.tar", found)
    assert [d.code for d in caught.value.diagnostics] == ["HST6104"]
    assert store.ls() == () and sorted(p.name for p in tmp_path.iterdir()) == ["bad.tar", "c"]


def test_an_entry_larger_than_any_is_refused_before_it_is_read(tmp_path: Path) -> None:
    members = (Member("a", LARGEST, "0" * 64), Member("b", 1, "0" * 64))
    manifest = encode(Manifest(KEY, members, (), ()))
    found = archive(tmp_path / "bad.tar", first(f"{KEY}/{NAME}", manifest))
    with pytest.raises(HasteError, match=r"HST6104.*is larger than"):
        import_bundle(Store(tmp_path / "c"), tmp_path / "bad.tar", found)


def test_noise_is_refused(tmp_path: Path) -> None:
    base = export_bundle(filled(tmp_path / "a"), tmp_path / "out.tar").path.read_bytes()
    rng = random.Random(1)
    store = Store(tmp_path / "c")
    for _ in range(150):
        data = bytearray(base[: rng.choice((len(base), rng.randrange(512, len(base))))])
        for _ in range(rng.randrange(1, 20)):
            data[rng.randrange(min(len(data), 2048))] = rng.randrange(256)
        (tmp_path / "noise.tar").write_bytes(data)
        found = hashlib.sha256(data).hexdigest()
        try:
            import_bundle(store, tmp_path / "noise.tar", found)
        except HasteError as error:
            assert error.diagnostics[0].code == "HST6104"
    assert store.verify() == ()
