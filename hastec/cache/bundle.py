"""Bundles: entries in one file, to carry a cache to machines that shall not compile.

A bundle is a tar archive of regular files ``<key>/<name>``, each entry's manifest first. It holds
code, so reading one takes the hash that its maker told.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hastec.cache.entry import Entry
from hastec.cache.keys import is_key
from hastec.cache.manifest import LIMIT, NAME, Manifest, Member, decode, describe, encode, sha256
from hastec.cache.store import Store
from hastec.diag import Diagnostic, HasteError

LARGEST = 1 << 30
"""Bytes of the largest entry that is read from a bundle."""
MOST = 100_000
"""Entries in the largest bundle."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written or read: its path, its sha256 and the keys in it."""

    path: Path
    sha256: str
    keys: tuple[str, ...]


def export_bundle(store: Store, path: Path, keys: tuple[str, ...] = ()) -> Bundle:
    """Write entries (all, if no key is given) to ``path``; same entries, same bytes.

    Raises HasteError HST6105 if a key is not in the cache or the file cannot be written.
    """
    wanted = tuple(sorted(set(keys))) or tuple(row.key for row in store.ls())
    part = path.with_name(path.name + ".part")
    try:
        with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as archive:
            for key in wanted:
                entry = store.get(key)
                if entry is None:
                    raise _unwritable(path, f"the cache has no entry {key}")
                _add(archive, entry)
        part.replace(path)
        return Bundle(path, _hash(path), wanted)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from None
    finally:
        part.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    manifest = describe(entry.key, entry.files, entry.facts, entry.versions)
    _add_file(archive, f"{entry.key}/{NAME}", encode(manifest))
    for name in sorted(entry.files):
        _add_file(archive, f"{entry.key}/{name}", entry.files[name])


def _add_file(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # no time, owner or group: they would differ between makers
    info.size = len(data)
    info.mode = 0o600
    archive.addfile(info, io.BytesIO(data))


def import_bundle(store: Store, path: Path, expected: str) -> Bundle:
    """Take the entries of the bundle at ``path`` into ``store`` once all of it is verified.

    ``expected`` is the sha256 of the file as its maker told it: who can choose the content of a
    bundle can run code here. Raises HasteError HST6104 if anything is not as it must be.
    """
    try:
        found = _hash(path)
        if found != expected.lower():
            raise _refused(path, f"its sha256 is {found}, not {expected}")
        keys = tuple(manifest.key for manifest, _ in _entries(path))
        for manifest, files in _entries(path):
            store.adopt(manifest, files)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    except (tarfile.TarError, ValueError) as error:
        raise _refused(path, str(error)) from None
    return Bundle(path, found, keys)


def _entries(path: Path) -> Iterator[tuple[Manifest, dict[str, bytes]]]:
    """Read entry by entry; raises ValueError at the first thing that no export writes."""
    seen: set[str] = set()
    with tarfile.open(path, "r:") as archive:
        while (head := archive.next()) is not None:
            key, name = _split(head)
            if name != NAME or key in seen or len(seen) == MOST:
                raise ValueError(f"'{head.name}' is not where an entry begins")
            seen.add(key)
            manifest = decode(_content(archive, head, LIMIT))
            if manifest.key != key:
                raise ValueError(f"'{head.name}' is of another entry")
            if sum(member.size for member in manifest.members) > LARGEST:
                raise ValueError(f"entry {key} is larger than {LARGEST} bytes")
            yield manifest, {m.name: _file(archive, key, m) for m in manifest.members}


def _file(archive: tarfile.TarFile, key: str, member: Member) -> bytes:
    info = archive.next()
    if info is None or _split(info) != (key, member.name):
        raise ValueError(f"'{key}/{member.name}' is missing")
    data = _content(archive, info, member.size)
    if len(data) != member.size or sha256(data) != member.sha256:
        raise ValueError(f"'{info.name}' was altered")
    return data


def _split(info: tarfile.TarInfo) -> tuple[str, str]:
    # Names never become paths unless they have exactly this form, so none can lead elsewhere.
    found = re.fullmatch(r"([^/]+)/([^/]+)", info.name)
    if found is None or not is_key(found[1]):
        raise ValueError(f"'{info.name}' is no file of an entry")
    if info.type != tarfile.REGTYPE or info.pax_headers:
        raise ValueError(f"'{info.name}' is no plain regular file")
    return found[1], found[2]


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo, limit: int) -> bytes:
    if info.size > limit:
        raise ValueError(f"'{info.name}' has {info.size} bytes, expected {limit}")
    file = archive.extractfile(info)
    return file.read() if file is not None else b""


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refused(path: Path, reason: str) -> HasteError:
    advice = "fetch it again, and its sha256 from whoever made it"
    return HasteError(Diagnostic("HST6104", f"bundle {path} is refused: {reason}", help=advice))


def _unwritable(path: Path, reason: str) -> HasteError:
    advice = "list what there is with `hastec cache list`, or name another path"
    return HasteError(Diagnostic("HST6105", f"bundle {path} not written: {reason}", help=advice))
