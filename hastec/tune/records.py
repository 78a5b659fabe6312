"""Tuning records: what was measured, one JSON object a line, appended and never rewritten.

Files of records merge by putting them one behind the other. Records are data from outside: a line
is decoded strictly or skipped, and the schedule in it is text until its own reader has checked it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from hastec.diag import Diagnostic

LONGEST = 1 << 20
"""Characters of the longest line that is read."""

Pairs: TypeAlias = tuple[tuple[str, str], ...]
Sizes: TypeAlias = tuple[tuple[str, int], ...]


class Status(Enum):
    """How a candidate ended."""

    OK = "ok"
    WRONG = "wrong"
    """Its results were not the reference's; it is never used, however fast."""
    FAILED = "failed"
    """It did not compile or stopped with an error."""
    TIMEOUT = "timeout"
    REFUSED = "refused"
    """The backend vetoed it before it ran."""


@dataclass(frozen=True, slots=True)
class Record:
    """One candidate on one device.

    ``key`` names the exact problem, ``program`` the same without its ``sizes``. ``schedule`` is
    printed text. ``ms`` is the median and ``iqr`` the interquartile range of ``n`` runs in
    milliseconds; both are None unless the status is OK. ``reason`` says why another status.
    """

    key: str
    program: str
    sizes: Sizes
    schedule: str
    backend: str
    device: str
    status: Status
    ms: float | None = None
    n: int = 0
    iqr: float | None = None
    reason: str = ""
    versions: Pairs = ()


@dataclass(frozen=True, slots=True)
class Log:
    """What a file of records held, in its order, and at most one warning about its other lines."""

    records: tuple[Record, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


def encode(record: Record) -> str:
    """Return a record as one line without its end; equal records give equal lines."""
    body: dict[str, object] = {f.name: getattr(record, f.name) for f in fields(record)}
    body["status"] = record.status.value
    body["sizes"] = dict(record.sizes)
    body["versions"] = dict(record.versions)
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)


def decode(line: str) -> Record:
    """Read a record back; raises ValueError with a reason for anything else."""
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    names = {f.name for f in fields(Record)}
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError(f"not an object of {', '.join(sorted(names))}")
    record = Record(
        key=_text(found, "key"),
        program=_text(found, "program"),
        sizes=tuple(sorted((n, _count(v, n)) for n, v in _object(found, "sizes").items())),
        schedule=_text(found, "schedule"),
        backend=_text(found, "backend"),
        device=_text(found, "device"),
        status=Status(_text(found, "status")),
        ms=_time(found, "ms"),
        n=_count(found["n"], "n"),
        iqr=_time(found, "iqr"),
        reason=_text(found, "reason"),
        versions=tuple(sorted((n, _word(v, n)) for n, v in _object(found, "versions").items())),
    )
    times = (record.ms is not None, record.iqr is not None, record.n > 0)
    if times != (record.status is Status.OK,) * 3:
        raise ValueError("a time without success, or success without a time")
    return record


def _object(found: Mapping[str, object], name: str) -> dict[str, object]:
    value = found[name]
    if not isinstance(value, dict):
        raise ValueError(f"'{name}' is no object")
    return value


def _text(found: Mapping[str, object], name: str) -> str:
    return _word(found[name], name)


def _word(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"'{name}' is no text")
    return value


def _count(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"'{name}' is no count")
    return value


def _time(found: Mapping[str, object], name: str) -> float | None:
    value = found[name]
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e18:
        raise ValueError(f"'{name}' is no time")
    return float(value)


def append(path: Path, records: Iterable[Record]) -> Diagnostic | None:
    """Add records to a file, made if need be; return a warning instead if that is impossible.

    Lines of several processes do not mix, and a line that a killed process left unfinished does
    not spoil the next one.
    """
    data = "".join(encode(record) + "\n" for record in records).encode()
    if not data:
        return None
    try:
        _append(path, data)
    except OSError as error:
        message = f"tuning records at {path} could not be kept: {error.strerror or error}"
        advice = "they are measured again next time"
        return Diagnostic("HST6202", message, help=advice, severity="warning")
    return None


def _append(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(fd).st_size
        os.lseek(fd, max(0, size - 1), os.SEEK_SET)
        if size > 0 and os.read(fd, 1) != b"\n":
            data = b"\n" + data
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)


def read(path: Path) -> Log:
    """Return the records in a file, none if there is no file; never raises because of its content.

    Lines that are no records are skipped and counted in one warning (HST6201).
    """
    kept: list[Record] = []
    bad: list[tuple[int, str]] = []
    number = 1
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            while line := file.readline(LONGEST):
                _take(line, number, kept, bad)
                number += line.endswith("\n")
    except FileNotFoundError:
        return Log()
    except OSError as error:
        bad.append((number, error.strerror or str(error)))
    return Log(tuple(kept), (_skipped(path, bad),) if bad else ())


def _take(line: str, number: int, kept: list[Record], bad: list[tuple[int, str]]) -> None:
    if not line.strip():
        return
    try:
        kept.append(decode(line))
    except ValueError as error:
        bad.append((number, str(error)))


def _skipped(path: Path, bad: Sequence[tuple[int, str]]) -> Diagnostic:
    number, reason = bad[0]
    lines = "1 line is" if len(bad) == 1 else f"{len(bad)} lines are"
    message = f"{path}: {lines} no tuning record and skipped; line {number}: {reason}"
    advice = "delete the line, or the file: what it held is measured again"
    return Diagnostic("HST6201", message, help=advice, severity="warning")
