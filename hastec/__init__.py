"""HASTE: small programs over sparse tables become readable, tuned kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hastec.diag import HasteError
    from hastec.driver import Program, compile
    from hastec.plan import Plan

__version__ = "0.1.0"

__all__ = ["HasteError", "Plan", "Program", "__version__", "compile"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: naming the package must not cost what compiling does."""
    if name == "HasteError":
        from hastec.diag import HasteError

        return HasteError
    if name == "Plan":
        from hastec.plan import Plan

        return Plan
    if name in ("Program", "compile"):
        from hastec import driver

        return getattr(driver, name)
    raise AttributeError(f"module 'hastec' has no attribute {name!r}")
