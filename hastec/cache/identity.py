"""What made an entry: the versions and the source of everything that decides generated code."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import platform
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

PACKAGES = ("hastec", "hastec.passes", "hastec.backends", "hastec.grammar")
LIBRARIES = ("torch", "triton", "llvmlite", "numpy")


@functools.cache
def versions() -> Mapping[str, str]:
    """Return names and versions of what decides generated code, for keys and manifests.

    No library is imported; one that is not installed has the version ``none``. ``source`` is a
    hash of the compiler's own files, so that an edited checkout never meets its older entries.
    """
    found = {name: _version(name) for name in ("hastec", *LIBRARIES)}
    found["python"] = ".".join(platform.python_version_tuple()[:2])
    found["machine"] = f"{platform.system()}-{platform.machine()}"
    found["source"] = source_hash()
    return MappingProxyType(found)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


@functools.cache
def source_hash() -> str:
    """Return the sha256 of the compiler's source files and their names."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for folder in _folders(package):
            for path in sorted(folder.rglob("*")):
                if path.suffix in (".py", ".lark"):
                    name = f"{package}/{path.relative_to(folder).as_posix()}".encode()
                    for part in (name, path.read_bytes()):
                        digest.update(len(part).to_bytes(8, "big"))
                        digest.update(part)
    return digest.hexdigest()


def _folders(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    return [Path(place) for place in places or ()]
