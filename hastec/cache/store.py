"""The store: entries on disk, verified on every load, made once, healed when damaged."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hastec.cache import care
from hastec.cache.entry import Damage, Entry, entry_of, load
from hastec.cache.files import CREATE, Files
from hastec.cache.keys import require_key
from hastec.cache.manifest import Manifest, describe, is_name
from hastec.cache.place import distrust, make_root
from hastec.cache.publish import folder_of, lay_out, place_of, publish, quarantine
from hastec.diag import Diagnostic, InternalError

COLLECT_EVERY = 3600.0
"""Seconds between two looks at the size of the whole cache."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a maker gives: bytes by file name and facts by name."""

    files: Mapping[str, bytes]
    facts: Mapping[str, str] = field(default_factory=dict)


class Store:
    """A cache below ``root``; with no root, or one that fails, it keeps to this process's memory.

    Nothing here raises because of the cache: trouble is a warning in ``warnings`` (each also goes
    to ``warn``), and the entry is made and served from memory. ``limit`` is in bytes, ``wait`` the
    seconds after which an entry is made although another process seems to be at it. ``versions``
    is noted in every entry. ``trusted`` skips the checks of owner and mode, never those of content.
    """

    def __init__(
        self,
        root: Path | None,
        *,
        trusted: bool = False,
        limit: int = 4 << 30,
        wait: float = 120.0,
        versions: Mapping[str, str] | None = None,
        warn: Callable[[Diagnostic], None] | None = None,
        files: Files | None = None,
    ) -> None:
        self.root = root
        self.trusted = trusted
        self.limit = limit
        self.wait = wait
        self.versions = dict(versions or {})
        self.warnings: list[Diagnostic] = []
        self.files = files or Files()
        self._warn = warn
        self._told: set[tuple[str, str]] = set()
        self._memory: dict[str, Entry] = {}
        self._place: Path | None = None
        self._opened = False
        self._opening = threading.Lock()

    def get(self, key: str) -> Entry | None:
        """Return the entry of ``key``, None if there is none; a damaged one is set aside."""
        found = self._find(key)
        if not isinstance(found, Damage):
            return found
        self._set_aside(found)
        return None

    def put(self, key: str, files: Mapping[str, bytes], facts: Mapping[str, str]) -> Entry:
        """Keep ``files`` and ``facts`` under ``key``; an entry that stands there wins."""
        require_key(key)
        if not all(map(is_name, files)):
            raise InternalError(f"not names of files in a cache: {sorted(files)}")
        return self.adopt(describe(key, files, facts, self.versions), files)

    def adopt(self, manifest: Manifest, files: Mapping[str, bytes]) -> Entry:
        """Keep ``files`` under the manifest that describes them, such as one from a bundle."""
        place = self.place()
        kept = self._keep(place, manifest, files) if place is not None else None
        return kept or self._memory.setdefault(manifest.key, entry_of(manifest, files, None))

    def get_or_make(self, key: str, make: Callable[[], Made]) -> Entry:
        """Return the entry of ``key``; where there is none, one process makes it, all others wait.

        What ``make`` raises is passed on.
        """
        found = self._find(key)
        if isinstance(found, Entry):
            return found
        with self._locked(key):
            found = self.get(key)
            if found is not None:
                return found
            made = make()
            return self.put(key, made.files, made.facts)

    def ls(self) -> tuple[care.Row, ...]:
        """Return a row for each entry on disk, by key."""
        place = self.place()
        with self._forgiving("list"):
            return care.rows(self.files, place) if place is not None else ()
        return ()

    def rm(self, *keys: str) -> tuple[str, ...]:
        """Remove entries, all if no key is given, and return the keys of those removed."""
        self._memory.clear()
        gone: list[str] = []
        place = self.place()
        if place is None:
            return ()
        with self._forgiving("clean"):
            for row in care.rows(self.files, place):
                wanted = not keys or row.key in keys
                if wanted and care.remove(self.files, place, row.path):
                    gone.append(row.key)
        return tuple(gone)

    def gc(self, limit: int | None = None) -> care.Swept:
        """Remove leftovers, and the least recently used entries above ``limit`` bytes."""
        place = self.place()
        bound = self.limit if limit is None else limit
        with self._forgiving("clean"):
            if place is not None:
                return care.collect(self.files, place, bound, time.time())
        return care.Swept((), 0, 0, 0, 0)

    def verify(self) -> tuple[tuple[str, str], ...]:
        """Check every entry, set the damaged ones aside, return their keys and what was wrong."""
        wrong: list[tuple[str, str]] = []
        for row in self.ls():
            found = self._find(row.key)
            if isinstance(found, Damage):
                self._set_aside(found)
                wrong.append((row.key, found.reason))
        return tuple(wrong)

    def place(self) -> Path | None:
        """Return the folder that is in use, made and checked on the first call; None: memory."""
        with self._opening:
            if not self._opened:
                self._opened = True
                self._place = self._open(self.root) if self.root is not None else None
            return self._place

    def _open(self, root: Path) -> Path | None:
        if os.name != "posix":
            self._tell("HST6101", "no cache on this system: its owners and modes are not known")
            return None
        with self._forgiving("open"):
            make_root(self.files, root)
            reason = distrust(self.files, root, self.trusted)
            if reason:
                self._tell("HST6103", f"the cache at {root} is not used: {reason}", _TRUST_HELP)
                root = self._own_root()
            place = place_of(root)
            lay_out(self.files, place)
            return place
        return None

    def _own_root(self) -> Path:
        """Make a folder that lasts as long as this store."""
        root = Path(tempfile.mkdtemp(prefix="haste-"))
        weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
        return root

    def _find(self, key: str) -> Entry | Damage | None:
        require_key(key)
        place = self.place()
        if key in self._memory or place is None:
            return self._memory.get(key)
        with self._forgiving("read"):
            return load(self.files, folder_of(place, key), key, self.trusted)
        return None

    def _keep(self, place: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Entry | None:
        path = folder_of(place, manifest.key)
        with self._forgiving("write"):
            for _ in range(2):
                if publish(self.files, place, manifest, files):
                    self._collect_sometimes(place)
                    return entry_of(manifest, files, path)
                found = self._find(manifest.key)
                if isinstance(found, Entry):
                    return found
                if found is not None:
                    self._set_aside(found)
        return None

    def _set_aside(self, damage: Damage) -> None:
        place = self.place()
        with self._forgiving("mend"):
            if place is not None and quarantine(self.files, place, damage):
                key = damage.path.name
                self._tell(
                    "HST6102",
                    f"cache entry {key[:12]} was damaged and is made again: {damage.reason}",
                    f"nothing needs to be done; the damaged one is kept a day in {place / 'bad'}",
                )

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        release: Callable[[], None] | None = None
        place = self.place()
        if place is not None:
            with self._forgiving("lock"):
                release = self.files.lock(place / "locks" / f"{key}.lock", self.wait)
        try:
            yield
        finally:
            if release is not None:
                with self._forgiving("unlock"):
                    release()

    def _collect_sometimes(self, place: Path) -> None:
        stamp = place / "collected"
        with self._forgiving("clean"):
            now = time.time()
            try:
                if now - self.files.look(stamp).st_mtime < COLLECT_EVERY:
                    return
                self.files.drop(stamp)
            except FileNotFoundError:
                pass
            with contextlib.suppress(FileExistsError):
                self.files.close(self.files.open(stamp, CREATE))
                care.collect(self.files, place, self.limit, now)

    @contextlib.contextmanager
    def _forgiving(self, what: str) -> Iterator[None]:
        """Turn trouble with files into one warning; what follows the block then runs."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"the cache could not {what}: {reason}"
            # A full disk is one piece of news, however many operations meet it.
            self._tell("HST6101", message, _DEGRADED_HELP, about=reason)

    def _tell(self, code: str, message: str, help: str = "", about: str = "") -> None:
        if (code, about or message) in self._told:
            return
        self._told.add((code, about or message))
        warning = Diagnostic(code, message, help=help, severity="warning")
        self.warnings.append(warning)
        if self._warn is not None:
            self._warn(warning)


_TRUST_HELP = "chmod it to 700, name another with HASTE_CACHE_DIR, or set HASTE_CACHE_TRUST=1"
_DEGRADED_HELP = "results are right but not kept; see `hastec doctor` for where the cache is"
