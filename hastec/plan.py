"""A bound program: called with the remaining tables, and asked what was decided for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

from hastec.arrays import nbytes
from hastec.artefact import Artefact
from hastec.binding import Known, Setup
from hastec.diag import Diagnostic, HasteError
from hastec.explain.build import explain
from hastec.explain.dump import dump_files
from hastec.explain.report import Report
from hastec.explain.subject import Subject
from hastec.explain.text import show
from hastec.explain.writing import write_all
from hastec.ir.format import Format
from hastec.passes.bound import table_name
from hastec.run.interpreted import Interpreted
from hastec.run.runner import Runner
from hastec.tuning import Decided, pin


@dataclass(slots=True, eq=False)
class Plan:
    """A bound program: call it with the remaining tables by name.

    ``artefact`` holds every stage and the generated code; None if the program is interpreted, and
    then ``notes`` say why. ``decided`` is what tuning, records or a lock file chose.
    """

    run: Runner | Interpreted
    artefact: Artefact | None
    setup: Setup
    known: Known
    notes: tuple[Diagnostic, ...] = ()
    decided: Decided | None = None

    @property
    def source(self) -> dict[str, str]:
        """The generated source of every kernel, by name."""
        return {c.region: c.source for c in self.artefact.codes} if self.artefact else {}

    @property
    def formats(self) -> dict[str, Format]:
        """The format of every table in memory, by name."""
        graph = self.run.graph
        return {table_name(graph.node(n)): fmt for n, fmt in graph.formats}

    @overload
    def explain(self) -> str: ...

    @overload
    def explain(self, json: Literal[False]) -> str: ...

    @overload
    def explain(self, json: Literal[True]) -> dict[str, object]: ...

    def explain(self, json: bool = False) -> str | dict[str, object]:
        """Return what was chosen, why and at what price: text of a screen, or all of it as data."""
        report = self.report()
        return report.data() if json else show(report)

    def report(self) -> Report:
        """Return what was chosen, why and at what price, as values."""
        return explain(self._subject())

    def dump(self, folder: str | Path) -> Path:
        """Write every stage, kernel, source and the explanation into a folder; return it.

        Names are those of :func:`hastec.explain.dump.dump_files`. Raises HasteError HST6405.
        """
        target, report = self.setup.device.target, self.report()
        return write_all(Path(folder), dump_files(self.run.graph, self.artefact, target, report))

    def pin(self, path: str | Path | None = None) -> Path:
        """Write what this plan uses into a lock file (by default the one of the options), so that
        with ``locked`` it is used again; return its path. Raises HasteError HST6301, HST6304.
        """
        where = self.setup.options.lock_file if path is None else Path(path)
        if self.decided is not None and self.artefact is not None:
            pin(self.decided, self.artefact.graph, where)
        return where

    @property
    def measured(self) -> dict[str, float]:
        """The seconds that tuning measured, by kernel."""
        decided = self.decided
        found: dict[str, float] = {}
        for region, chosen in decided.choice if decided is not None else ():
            text = str(chosen)
            records = decided.records if decided is not None else ()
            times = [r.ms for r in records if r.schedule == text and r.ms is not None]
            if times:
                found[region] = min(times) * 1e-3
        return found

    def _subject(self) -> Subject:
        held: dict[str, int] = {}
        if isinstance(self.run, Runner):
            # What a call was given tells as well, as long as it is kept.
            for arrays in (*(t.arrays for t in self.run.known.values()), self.run.arrays):
                held.update((name, nbytes(x)) for name, x in arrays.items())
        found = self.run.graph, self.artefact, self.setup, self.known, held
        return Subject(*found, measured=self.measured, notes=self.notes)

    def __call__(self, **given: object) -> Any:
        """Run; see :class:`hastec.run.runner.Runner`."""
        try:
            return self.run.call(given)
        except HasteError as error:
            raise error.at(self.setup.source) from None
