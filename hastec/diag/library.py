"""Libraries that a user has to install: what is said where one is not there."""

from __future__ import annotations

from hastec.diag.diagnostic import Diagnostic, HasteError


def not_installed(library: str, use: str) -> HasteError:
    """Return error HST6007: ``library`` is missing, ``use`` says what it is needed for."""
    advice = f"pip install {library}; `hastec doctor` says what else is missing"
    return HasteError(Diagnostic("HST6007", f"{library} is not installed: {use}", help=advice))
