"""The tables that regions read: inputs, and what the regions before them stored."""

from __future__ import annotations

import time
from collections.abc import Mapping

from hastec.arrays import tensor
from hastec.contracts import Built
from hastec.diag import InternalError
from hastec.ir.format import Format
from hastec.ir.graph import NodeId, Region
from hastec.options import Effort
from hastec.passes.bound import table_name
from hastec.passes.choice import RegionChoice
from hastec.run.runner import Ready
from hastec.run.tables import TableValue
from hastec.tune.building import Here
from hastec.tune.candidates import LIMITS, Candidate, candidate_for, candidates
from hastec.tune.inputs import Data, data_for
from hastec.tune.part import part_of
from hastec.tune.problem import Problem
from hastec.tune.trial import Bench, as_table


class Tables:
    """Makes tables when a region is first measured; ``pending`` are regions whose results are
    not there yet, with the formats settled before them and what was chosen for them.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem = problem
        self.seed = seed
        self.pending: list[tuple[Region, Mapping[NodeId, Format], RegionChoice | None]] = []
        self.data: Data | None = None

    def before(self) -> Data:
        """Return all inputs and what all pending regions store."""
        if self.data is None:
            p = self.problem
            self.data = data_for(p.graph, p.given, p.sizes, p.device.name, self.seed)
        while self.pending:
            region, settled, choice = self.pending.pop(0)
            self.data = self._after(self.data, region, settled, choice)
        return self.data

    def _after(
        self,
        data: Data,
        region: Region,
        settled: Mapping[NodeId, Format],
        choice: RegionChoice | None,
    ) -> Data:
        part = part_of(self.problem.graph, region)
        bench = Bench(self.problem, part, data)
        candidate = self._candidate(region, settled, choice, bench.wide())
        ready = self._ready(candidate)
        real, trial = dict(data.real), dict(data.trial)
        stores = {table_name(s): s for s in part.stores}
        for name, values in bench.results(ready, candidate, "real").items():
            real[name] = as_table(stores[name], values)
        for name, values in bench.results(ready, candidate, "trial").items():
            trial[name] = as_table(stores[name], values)
        return Data(real, trial)

    def _candidate(
        self,
        region: Region,
        settled: Mapping[NodeId, Format],
        choice: RegionChoice | None,
        wide: bool,
    ) -> Candidate:
        given = (self.problem.graph, region, settled, self.problem.tile)
        found = candidate_for(*given, choice, wide) if choice is not None else None
        if found is None:
            (found, *_) = candidates(*given, LIMITS[Effort.QUICK], wide)
        return found

    def _ready(self, candidate: Candidate) -> Ready:
        p, kernel = self.problem, candidate.ranked.kernel
        for _, built in Here(p.backend, p.device.target, p.lines)([kernel], time.monotonic() + 600):
            if isinstance(built, Built):
                return Ready(kernel, p.backend.load(built.files, kernel, p.device.target))
        raise InternalError(f"{candidate.text} does not compile any more")


def magnitudes(tables: Mapping[str, TableValue]) -> dict[str, float]:
    """Return the greatest magnitude in each table that holds whole numbers alone."""
    found = {}
    for name, value in tables.items():
        most = _magnitude(value)
        if most is not None:
            found[name] = most
    return found


def _magnitude(value: TableValue) -> float | None:
    dtype = value.param.dtype
    if not dtype.is_float:
        return 1.0 if dtype.name == "bool" else float(2**dtype.bits)
    if dtype.stores_only:
        return None
    dense = value.dense is not None and not value.param.sparse
    values = value.dense if dense else value.entries().values
    assert values is not None
    numbers = tensor(values)
    if not numbers.numel():
        return abs(value.param.fill)
    whole = bool((numbers == numbers.round()).all())
    return max(abs(value.param.fill), float(numbers.abs().max())) if whole else None
