"""Everything that is set from outside, read once into one frozen value.

This file alone reads environment variables. An argument beats a variable, a variable beats the
default; where each value came from is kept for ``hastec doctor``.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from hastec.diag import Diagnostic, HasteError

Override: TypeAlias = str | int | float | Path | Enum | None
"""A value given as an argument: text as a variable would have it, or the value; None: not given."""

_E = TypeVar("_E", bound=Enum)

PREFIX: Final = "HASTE_"
UNITS: Final[Mapping[str, int]] = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Effort(Enum):
    """How much time tuning may take: nothing is measured, a shortlist, the whole space."""

    NONE = "none"
    QUICK = "quick"
    FULL = "full"


class Check(Enum):
    """When tables are validated: once a plan, on every call, never."""

    PLAN = "plan"
    ALWAYS = "always"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be set: its field, its variable, its default as text, what it means."""

    name: str
    variable: str
    default: str
    meaning: str


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("cache_dir", "HASTE_CACHE_DIR", "", "folder of the cache; empty: the user's own"),
    Setting("cache_limit", "HASTE_CACHE_LIMIT", "4GiB", "size above which old entries go"),
    Setting("cache_trust", "HASTE_CACHE_TRUST", "0", "use a cache that others own or may write"),
    Setting("skip_cache", "HASTE_SKIP_CACHE", "0", "neither read nor write the cache"),
    Setting("tune", "HASTE_TUNE", "0", "measure candidates when tables are bound"),
    Setting("tune_effort", "HASTE_TUNE_EFFORT", "quick", "none, quick or full"),
    Setting("tune_budget", "HASTE_TUNE_BUDGET_SECONDS", "10", "seconds for tuning one program"),
    Setting("tune_seed", "HASTE_TUNE_SEED", "0", "seed of the inputs that tuning invents"),
    Setting("force_tune", "HASTE_FORCE_TUNE", "0", "measure again what is already recorded"),
    Setting("locked", "HASTE_LOCKED", "0", "take every choice from the lock file, never measure"),
    Setting("lock_file", "HASTE_LOCK_FILE", "haste.lock", "the file that pins choices"),
    Setting("dump_dir", "HASTE_DUMP_DIR", "", "folder for the text of every stage; empty: none"),
    Setting("progress", "HASTE_PROGRESS", "1", "show progress on a terminal"),
    Setting("color", "HASTE_COLOR", "1", "colour on a terminal; NO_COLOR turns it off"),
    Setting("interpret", "HASTE_INTERPRET", "0", "run generated kernels in their interpreter"),
    Setting("target", "HASTE_TARGET", "", "processor to compile for; empty: this machine's"),
    Setting("check", "HASTE_CHECK", "plan", "when tables are validated: plan, always or off"),
    Setting("debug", "HASTE_DEBUG", "0", "verify after every pass, show internal tracebacks"),
)
"""In the order of the fields of :class:`Options`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting's value as text and where it came from: a variable, ``argument``, ``default``."""

    setting: Setting
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that is set from outside; :data:`SETTINGS` says what each field means.

    ``cache_limit`` is in bytes, ``tune_budget`` in seconds. ``cache_dir`` and ``dump_dir`` are
    None where nothing was said. ``unknown`` are variables that look like ours and are not.
    """

    cache_dir: Path | None
    cache_limit: int
    cache_trust: bool
    skip_cache: bool
    tune: bool
    tune_effort: Effort
    tune_budget: float
    tune_seed: int
    force_tune: bool
    locked: bool
    lock_file: Path
    dump_dir: Path | None
    progress: bool
    color: bool
    interpret: bool
    target: str
    check: Check
    debug: bool
    origins: tuple[Origin, ...] = ()
    unknown: tuple[str, ...] = ()

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, **overrides: Override
    ) -> Options:
        """Return the options that arguments, ``environ`` (the process's own) and defaults give.

        Raises HasteError: HST6001 for a value that cannot be read, HST6002 for an argument that
        names no setting.
        """
        given = dict(os.environ if environ is None else environ)
        _refuse_unknown(overrides)
        origins = tuple(_origin(setting, given, overrides) for setting in SETTINGS)
        ours = {setting.variable for setting in SETTINGS}
        unknown = sorted(name for name in given if name.startswith(PREFIX) and name not in ours)
        return _read({origin.setting.name: origin for origin in origins}, tuple(unknown))


def _origin(
    setting: Setting, environ: Mapping[str, str], overrides: Mapping[str, Override]
) -> Origin:
    argument = overrides.get(setting.name)
    if argument is not None:
        return Origin(setting, _as_text(argument), "argument")
    # Set to nothing means not set, as for NO_COLOR: shells have no easy way to unset for one call.
    if environ.get(setting.variable):
        return Origin(setting, environ[setting.variable], setting.variable)
    for variable in _SILENCED_BY.get(setting.name, ()):
        if environ.get(variable):
            return Origin(setting, "0", variable)
    return Origin(setting, setting.default, "default")


_SILENCED_BY: Final[Mapping[str, tuple[str, ...]]] = {"progress": ("CI",), "color": ("NO_COLOR",)}


def _as_text(value: str | int | float | Path | Enum) -> str:
    match value:
        case Enum():
            return str(value.value)
        case bool():
            return str(int(value))
        case _:
            return str(value)


def _refuse_unknown(overrides: Mapping[str, Override]) -> None:
    names = [setting.name for setting in SETTINGS]
    for name in overrides:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            advice = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
            raise HasteError(Diagnostic("HST6002", f"no option is called '{name}'", help=advice))


def _read(origins: Mapping[str, Origin], unknown: tuple[str, ...]) -> Options:
    return Options(
        cache_dir=_folder(origins["cache_dir"]),
        cache_limit=_bytes(origins["cache_limit"]),
        cache_trust=_flag(origins["cache_trust"]),
        skip_cache=_flag(origins["skip_cache"]),
        tune=_flag(origins["tune"]),
        tune_effort=_choice(origins["tune_effort"], Effort),
        tune_budget=_seconds(origins["tune_budget"]),
        tune_seed=_number(origins["tune_seed"]),
        force_tune=_flag(origins["force_tune"]),
        locked=_flag(origins["locked"]),
        lock_file=_folder(origins["lock_file"]) or Path("haste.lock"),
        dump_dir=_folder(origins["dump_dir"]),
        progress=_flag(origins["progress"]),
        color=_flag(origins["color"]),
        interpret=_flag(origins["interpret"]),
        target=_word(origins["target"]),
        check=_choice(origins["check"], Check),
        debug=_flag(origins["debug"]),
        origins=tuple(origins.values()),
        unknown=unknown,
    )


def _flag(origin: Origin) -> bool:
    match origin.text.lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
        case _:
            raise _refused(origin, "1 or 0")


def _choice(origin: Origin, kind: type[_E]) -> _E:
    for member in kind:
        if member.value == origin.text.lower():
            return member
    raise _refused(origin, ", ".join(str(member.value) for member in kind))


def _folder(origin: Origin) -> Path | None:
    if not origin.text:
        return None
    try:
        path = Path(origin.text).expanduser()
    except RuntimeError:  # "~name" of a user that this machine does not know
        raise _refused(origin, "a path") from None
    if "\0" in origin.text:
        raise _refused(origin, "a path")
    return path


def _bytes(origin: Origin) -> int:
    found = re.fullmatch(r"([0-9]{1,15})\s*(|[KMGT]iB)", origin.text)
    if found is None:
        raise _refused(origin, "a size such as 512MiB or 4GiB")
    return int(found[1]) * UNITS[found[2]]


def _seconds(origin: Origin) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", origin.text):
        raise _refused(origin, "a number of seconds")
    return float(origin.text)


def _number(origin: Origin) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", origin.text):
        raise _refused(origin, "a whole number")
    return int(origin.text)


def _word(origin: Origin) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{0,64}", origin.text):
        raise _refused(origin, "a name such as sm_90 or cpu")
    return origin.text


def _refused(origin: Origin, wanted: str) -> HasteError:
    where = origin.setting.name if origin.source == "argument" else origin.source
    shown = origin.text if len(origin.text) <= 60 else origin.text[:57] + "..."
    message = f"{where} is {shown!a}, which is not {wanted}"
    return HasteError(Diagnostic("HST6001", message, help=f"set {where} to {wanted}"))
