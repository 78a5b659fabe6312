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
from hastec.explain.data import report_data
from hastec.explain.dump import dump_files
from hastec.explain.subject import Subject
from hastec.explain.text import show
from hastec.explain.writing import write_all
from hastec.ir.format import Format
from hastec.passes.bound import table_name
from hastec.run.interpreted import Interpreted
from hastec.run.runner import Runner


@dataclass(slots=True, eq=False)
class Plan:
    """A bound program: call it with the remaining tables by name.

    ``artefact`` holds every stage and the generated code; None if the program is interpreted, and
    then ``notes`` say why.
    """

    run: Runner | Interpreted
    artefact: Artefact | None
    setup: Setup
    known: Known
    notes: tuple[Diagnostic, ...] = ()

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
        report = explain(self._subject())
        return report_data(report) if json else show(report)

    def dump(self, folder: str | Path) -> Path:
        """Write every stage, kernel, source and the explanation into a folder; return it.

        Names are those of :func:`hastec.explain.dump.dump_files`. Raises HasteError HST6405.
        """
        target, report = self.setup.device.target, explain(self._subject())
        return write_all(Path(folder), dump_files(self.run.graph, self.artefact, target, report))

    def _subject(self) -> Subject:
        held = {}
        if isinstance(self.run, Runner):
            held = {name: nbytes(x) for name, x in self.run.arrays.items()}
        found = self.run.graph, self.artefact, self.setup, self.known, held
        return Subject(*found, notes=self.notes)

    def __call__(self, **given: object) -> Any:
        """Run; see :class:`hastec.run.runner.Runner`."""
        try:
            return self.run(**given)
        except HasteError as error:
            raise error.at(self.setup.source) from None
