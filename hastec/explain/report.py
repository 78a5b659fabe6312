"""What an explanation says, as data: tables, kernels, what was rejected and why."""

from __future__ import annotations

from dataclasses import dataclass

from hastec.diag import Diagnostic
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that was considered, and why it was not taken."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class TableReport:
    """A table: the format it has, how it came to it, and what else was considered.

    ``bytes`` are those it takes in memory (None: known when it is given), ``exact`` says that
    they were counted. ``dense_bytes`` are what it would take with every entry stored.
    """

    name: str
    declaration: str
    format: str
    layout: str
    how: str
    why: str
    bytes: float | None
    exact: bool
    dense_bytes: float
    entries: int | None
    density: float | None
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """Predicted seconds of a launch, the resource that decides them, and each resource alone."""

    seconds: float
    bound: str
    parts: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Dense:
    """What the same kernel would cost with every table dense, under its own best schedule.

    ``wins_at`` is the density of ``table`` from which it would be faster: None if it is not known
    or never, 0 if it already is.
    """

    bytes: float
    seconds: float
    table: str = ""
    wins_at: float | None = None


@dataclass(frozen=True, slots=True)
class Sparse:
    """The best sparse format of a table that was made dense, and its predicted seconds.

    ``wins_below`` is the density below which it would be faster: None if it never is.
    """

    table: str
    format: str
    seconds: float
    wins_below: float | None


@dataclass(frozen=True, slots=True)
class RegionReport:
    """A kernel: what it computes, its schedule in words and as text, and its price.

    ``bytes`` are predicted to move; ``least`` is what must: each input once, outputs once (None:
    not known before tables are given), and ``law`` says how that depends on sizes that no bound
    table tells. ``measured`` is in seconds, where tuning measured it.
    """

    name: str
    lines: tuple[tuple[int, str], ...]
    words: tuple[str, ...]
    schedule: str
    cost: Cost
    bytes: float
    least: float | None
    dense: Dense | None
    sparse: Sparse | None
    measured: float | None
    rejected: tuple[Rejected, ...]
    rounded: tuple[str, ...]
    machine: tuple[tuple[str, str], ...]
    law: Size | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """An explanation of a plan. ``assumed`` are sizes nobody told, as pricing took them.

    A program that is interpreted has ``notes`` that say why, and no kernels.
    """

    kernel: str
    source: str
    target: str
    device: str
    backend: str
    sizes: tuple[tuple[str, int], ...]
    assumed: tuple[tuple[str, int], ...]
    tables: tuple[TableReport, ...]
    regions: tuple[RegionReport, ...]
    notes: tuple[Diagnostic, ...] = ()

    def data(self) -> dict[str, object]:
        """Return an explanation as mappings, lists, strings and numbers. Times are in seconds."""
        from hastec.explain.data import report_data  # written beside, to keep values apart

        return report_data(self)
