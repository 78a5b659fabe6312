"""The manifest of an entry: what it holds, in one canonical text that checks itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hastec.cache.keys import is_key

FORMAT = 1
"""Raised whenever the meaning of an entry changes; each format has a folder of its own."""
NAME = "manifest.json"
LIMIT = 1 << 20
"""Bytes of the largest manifest that is read."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an entry: its name, its size in bytes, its sha256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an entry holds; names of members, facts and versions are in order."""

    key: str
    members: tuple[Member, ...]
    facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]


def describe(
    key: str, files: Mapping[str, bytes], facts: Mapping[str, str], versions: Mapping[str, str]
) -> Manifest:
    """Return the manifest of ``files``."""
    members = tuple(Member(name, len(files[name]), sha256(files[name])) for name in sorted(files))
    return Manifest(key, members, tuple(sorted(facts.items())), tuple(sorted(versions.items())))


def sha256(data: bytes) -> str:
    """Return the sha256 of ``data`` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def is_name(text: str) -> bool:
    """Say whether ``text`` may name a file of an entry: no folders, no hidden files."""
    return text != NAME and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", text) is not None


def encode(manifest: Manifest) -> bytes:
    """Return the canonical text of a manifest."""
    body: dict[str, object] = {
        "facts": dict(manifest.facts),
        "files": [{"name": m.name, "sha256": m.sha256, "size": m.size} for m in manifest.members],
        "format": FORMAT,
        "key": manifest.key,
        "versions": dict(manifest.versions),
    }
    return _text({"digest": sha256(_text(body)), **body})


def _text(body: Mapping[str, object]) -> bytes:
    return (json.dumps(body, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def decode(data: bytes) -> Manifest:
    """Read a manifest back; raises ValueError with a reason unless it is canonical to the byte."""
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("the manifest is no JSON") from None
    body = _object(found)
    if body.get("format") != FORMAT:
        raise ValueError("the manifest has another format")
    files = body.get("files")
    if not isinstance(files, list):
        raise ValueError("the manifest lists no files")
    manifest = Manifest(
        _string(body.get("key")),
        tuple(_member(item) for item in files),
        _pairs(body.get("facts")),
        _pairs(body.get("versions")),
    )
    names = [member.name for member in manifest.members]
    if not is_key(manifest.key) or names != sorted(set(names)) or not all(map(is_name, names)):
        raise ValueError("the manifest names what no entry has")
    if encode(manifest) != data:
        raise ValueError("the manifest does not match its own digest")
    return manifest


def _member(item: object) -> Member:
    body = _object(item)
    size = body.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError("the manifest has a size that is no size")
    return Member(_string(body.get("name")), size, _string(body.get("sha256")))


def _pairs(item: object) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, _string(value)) for name, value in _object(item).items()))


def _object(item: object) -> dict[str, object]:
    if not isinstance(item, dict):
        raise ValueError("the manifest has something else where an object belongs")
    return item


def _string(item: object) -> str:
    if not isinstance(item, str):
        raise ValueError("the manifest has something else where text belongs")
    return item
