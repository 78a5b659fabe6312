"""Keys: one hash over everything that decides what an entry holds."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from hastec.diag import InternalError


def key(fields: Mapping[str, str | bytes]) -> str:
    """Return the key of ``fields``: 64 hexadecimal digits, whatever their order.

    Every part goes in with its length before it, so that no two sets of fields read the same.
    Text and bytes of one content are different values.
    """
    digest = hashlib.sha256()
    for name in sorted(fields):
        value = fields[name]
        kind, data = (b"t", value.encode()) if isinstance(value, str) else (b"b", value)
        for part in (name.encode(), kind, data):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def is_key(text: str) -> bool:
    """Say whether ``text`` has the form of a key; only such text becomes a path."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def require_key(text: str) -> None:
    """Raise InternalError unless ``text`` has the form of a key."""
    if not is_key(text):
        raise InternalError(f"not a cache key: {text!r}")
