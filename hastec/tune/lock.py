"""The lock file: the choices of tuning, pinned in the user's own repository.

With ``--locked`` every choice comes from here: nothing is measured, so a plan is the same on every
start, and so are its bits. The file is TOML, one table a choice, in a fixed order.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from hastec.diag import Diagnostic, HasteError

FORMAT = 1
LARGEST = 16 << 20
"""Bytes of the largest lock file that is read."""
_HEAD = "# The choices of tuning. `hastec tune` writes this file; commit it with the program.\n"


@dataclass(frozen=True, slots=True, order=True)
class Choice:
    """One pinned choice: the printed schedule of a region of a kernel, for exactly one problem.

    ``kernel`` and ``region`` are for people and order; ``key``, ``backend`` and ``device`` decide.
    """

    kernel: str
    region: str
    device: str
    backend: str
    key: str
    schedule: str

    @property
    def problem(self) -> tuple[str, str, str]:
        """What the choice is for: key, backend, device."""
        return self.key, self.backend, self.device

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What a person would call the same thing: kernel, region, device, backend."""
        return self.kernel, self.region, self.device, self.backend


@dataclass(frozen=True, slots=True)
class Lock:
    """All choices of a lock file, in order."""

    choices: tuple[Choice, ...] = ()

    def pin(self, choice: Choice) -> Lock:
        """Return the lock with ``choice`` in place of an older one for the same problem."""
        others = [c for c in self.choices if c.problem != choice.problem]
        return Lock(tuple(sorted((*others, choice))))

    def find(self, key: str, backend: str, device: str) -> Choice | None:
        """Return the choice for a problem, None if there is none."""
        wanted = (key, backend, device)
        return next((c for c in self.choices if c.problem == wanted), None)

    def require(self, wanted: Choice, path: Path) -> Choice:
        """Return the choice for the problem of ``wanted``, whose schedule is not looked at.

        Raises HasteError: HST6303 if the file pins another problem of the same region on the same
        device, HST6302 if it pins none.
        """
        found = self.find(*wanted.problem)
        if found is None:
            raise HasteError(self._missing(wanted, path))
        return found

    def _missing(self, wanted: Choice, path: Path) -> Diagnostic:
        what = f"kernel '{wanted.kernel}', region {wanted.region}, on {wanted.device}"
        advice = f"tune it on that device without --locked and commit {path}"
        if any(choice.place == wanted.place for choice in self.choices):
            message = f"{path} pins {what} for another program text or other sizes"
            return Diagnostic("HST6303", message, help=advice)
        return Diagnostic("HST6302", f"{path} has no choice for {what}", help=advice)


def show_lock(lock: Lock) -> str:
    """Return the text of a lock file; equal locks give equal text."""
    parts = [f"{_HEAD}format = {FORMAT}\n"]
    for choice in sorted(lock.choices):
        lines = [f"{f.name} = {_quote(getattr(choice, f.name))}\n" for f in fields(choice)[:-1]]
        # One line of the schedule a line of the file, so that a review shows what changed.
        body = "".join(f"  {_quote(line)},\n" for line in choice.schedule.split("\n"))
        parts.append(f"\n[[choice]]\n{''.join(lines)}schedule = [\n{body}]\n")
    return "".join(parts)


def _quote(text: str) -> str:
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    return c if " " <= c <= "~" else f"\\U{ord(c):08x}"


def parse_lock(text: str, name: str) -> Lock:
    """Read the text of a lock file called ``name``; raises HasteError HST6301 if it is none."""
    try:
        found: dict[str, object] = tomllib.loads(text)
        if found.pop("format", None) != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        tables = found.pop("choice", [])
        if found or not isinstance(tables, list):
            raise ValueError("it holds something else than choices")
        choices = [_choice(table) for table in tables]
        if len({choice.problem for choice in choices}) != len(choices):
            raise ValueError("it pins one problem twice")
    except (ValueError, RecursionError) as error:
        raise _unreadable(name, str(error)) from None
    return Lock(tuple(sorted(choices)))


def _choice(table: object) -> Choice:
    names = [f.name for f in fields(Choice)]
    if not isinstance(table, dict) or sorted(table) != sorted(names):
        raise ValueError(f"a choice does not have exactly {', '.join(names)}")
    lines = table["schedule"]
    if not isinstance(lines, list):
        raise ValueError("a schedule is no list of lines")
    kernel, region, device, backend, key = (_text(table[name]) for name in names[:-1])
    return Choice(kernel, region, device, backend, key, "\n".join(map(_text, lines)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("something else stands where text belongs")
    return value


def read_lock(path: Path) -> Lock:
    """Return the lock in a file, an empty one if there is no file; HST6301 if it is no lock."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise _unreadable(str(path), error.strerror or str(error)) from None
    if len(data) > LARGEST:
        raise _unreadable(str(path), f"it is larger than {LARGEST} bytes")
    try:
        return parse_lock(data.decode(), str(path))
    except UnicodeDecodeError:
        raise _unreadable(str(path), "it is not UTF-8") from None


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file in one step; raises HasteError HST6304 if that is impossible."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(part.unlink, missing_ok=True)
            with part.open("x", encoding="utf-8", newline="\n") as file:
                file.write(show_lock(lock))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
    except OSError as error:
        message = f"{path} could not be written: {error.strerror or error}"
        advice = "name another file with HASTE_LOCK_FILE"
        raise HasteError(Diagnostic("HST6304", message, help=advice)) from None


def _unreadable(name: str, reason: str) -> HasteError:
    message = f"{name} is no lock file: {reason}"
    advice = "restore it from version control, or delete it and tune again"
    return HasteError(Diagnostic("HST6301", message, help=advice))
