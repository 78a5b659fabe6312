"""Runs a program under every schedule of a space and compares with the graph interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from hastec.diag import InternalError
from hastec.ir.graph import Region
from hastec.ir.interp import Table
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.numeric import Array, Doubles, carrier
from hastec.ir.schedule import Schedule
from hastec.ir.schedule_text import show_schedule
from hastec.ir.types import F64
from hastec.levels.assemble import pack
from hastec.levels.protocol import Layout
from hastec.lower import Refused, Work, lower
from hastec.lower.space import schedules
from hastec.passes.ranking import Special
from hastec.target import Target
from tests.agree.executors import Executor, Interpreted
from tests.agree.program import Bound, as_numpy, entries, plain

SPACE = 400
"""Schedules of a space that are looked at."""


@dataclass(frozen=True)
class Check:
    """What to run: schedules of ``target`` (at most ``limit``, spread over its whole space, the
    ``first`` of them that is taken) through the kernel interpreter, and every ``stride``-th of
    them through a backend as well.

    Results must be equal, or within ``tolerance`` where functions round.
    """

    target: Target
    limit: int = 60
    native: Executor | None = None
    stride: int = 1
    tolerance: float = 0.0
    first: int = 0


@dataclass
class Tally:
    """How many kernels ran, by executor, and why others did not."""

    ran: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        """Count one run."""
        self.ran[name] = self.ran.get(name, 0) + 1

    def refuse(self, reason: str) -> None:
        """Count one kernel that could not be made or built."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


class NoSchedule(AssertionError):
    """Why nothing of a space could be lowered."""


class Disagreement(AssertionError):
    """Where a kernel does not give what its program means."""

    def __init__(self, region: str, schedule: Schedule, kernel: Kernel, problem: str) -> None:
        super().__init__(f"{region} under {show_schedule(schedule)}\n{problem}")
        self.schedule = schedule
        self.kernel = kernel


def agree(bound: Bound, check: Check) -> Tally:
    """Check every schedule of every region against the graph interpreter."""
    wanted, tally, oracle = bound.wanted(), Tally(), Interpreted()
    for region in bound.graph.regions:
        outputs: dict[str, Array] = {}
        found = 0
        for number, (schedule, kernel) in enumerate(kernels(bound, region, check, tally)):
            try:
                outputs = run(bound, region, kernel, oracle)
                once(bound, region, oracle)
                compare(bound, region, outputs, wanted, check.tolerance)
                tally.count(oracle.name)
                # The first that a backend can build is run there, whatever its turn.
                due = number % check.stride == 0 or len(tally.ran) < 2
                native = check.native if due else None
                if native is not None and (why := native.refuse(kernel)):
                    tally.refuse(why)
                elif native is not None:
                    made = run(bound, region, kernel, native)
                    compare(bound, region, made, wanted, check.tolerance, native.name)
                    tally.count(native.name)
            except (AssertionError, InternalError) as error:
                raise Disagreement(region.name, schedule, kernel, str(error)) from error
            found += 1
        if not found:
            raise NoSchedule(f"{region.name}: {'; '.join(sorted(tally.refused))}")
        bound.arrays.update(outputs)
    return tally


def kernels(
    bound: Bound, region: Region, check: Check, tally: Tally
) -> Iterator[tuple[Schedule, Kernel]]:
    """Yield the schedules that lower and fit the sizes at hand, each with its verified kernel.

    Every other one counts on the sizes at hand, as kernels of a bound program do.
    """
    work = bound.work(region)
    for schedule in _offered(work, bound.sizes, check):
        try:
            kernel = lower(work, schedule)
        except Refused as why:
            tally.refuse(str(why))
            continue
        verify_kernel(kernel)
        if all(r.holds(bound.sizes) for r in kernel.requires):
            yield schedule, kernel


def _offered(work: Work, sizes: Mapping[str, int], check: Check) -> tuple[Schedule, ...]:
    special = Special.of(work, sizes)
    plain = schedules(work, check.target, sizes, SPACE)
    found = schedules(work.with_ones(special.ones), check.target, sizes, SPACE)
    both = (*plain[::2], *(special.schedule(s) for s in found[1::2]))
    step = max(1, len(both) // check.limit)
    return both[check.first % step :: step][: check.limit]


def run(bound: Bound, region: Region, kernel: Kernel, executor: Executor) -> dict[str, Array]:
    """Return what a kernel stores, by the names of arrays."""
    outputs = output_arrays(bound, region)
    arrays = {**bound.arrays, **outputs, **scratch_arrays(bound, kernel)}
    executor.run(kernel, {t.name: arrays[t.name] for t in kernel.tables}, bound.sizes)
    return outputs


def scratch_arrays(bound: Bound, kernel: Kernel) -> dict[str, Array]:
    """Return the memory a launch brings itself: poisoned parts of sums, counters of 0."""
    made: dict[str, Array] = {}
    for table in kernel.tables:
        if table.numel is not None and table.access in ("scratch", "count"):
            kind, count = carrier(table.dtype), table.numel.evaluate(bound.sizes)
            zero = table.access == "count" or kind == np.bool_
            poison = np.full(count * kind.itemsize, 0xFF, np.uint8).view(kind)
            made[table.name] = np.zeros(count, kind) if zero else poison
    return made


def output_arrays(bound: Bound, region: Region) -> dict[str, Array]:
    """Return arrays for what a region stores, poisoned so that unwritten elements show.

    Those with the pattern of another table are 0 where nothing is stored, as a launch makes them.
    """
    made: dict[str, Array] = {}
    for layout in (bound.layout(s) for s in region.stores):
        kind, model = carrier(layout.dtype), bound.model(layout)
        if model is not None:
            made[layout.array("val")] = np.zeros(bound.arrays[model.array("val")].size, kind)
            continue
        count = 1
        for extent in layout.extents:
            assert extent is not None
            count *= extent.evaluate(bound.sizes)
        poison = np.full(count * kind.itemsize, 0xFF, np.uint8).view(kind)
        made[layout.array("val")] = np.zeros(count, kind) if kind == np.bool_ else poison
    return made


def once(bound: Bound, region: Region, oracle: Interpreted) -> None:
    """Check that the last run wrote every element once; of a pattern, none twice."""
    for layout in (bound.layout(s) for s in region.stores):
        times = oracle.written[layout.array("val")]
        least = 0 if bound.model(layout) is not None else 1
        assert times.size == 0 or (times.min() >= least and times.max() <= 1), (
            f"{layout.table} is written {times.min()} to {times.max()} times"
        )


def compare(
    bound: Bound,
    region: Region,
    outputs: Mapping[str, Array],
    wanted: Mapping[str, Table],
    tolerance: float,
    executor: str = "kernel interpreter",
) -> None:
    """Check what a region stored of the program's outputs."""
    for layout in (bound.layout(s) for s in region.stores):
        if layout.table in wanted:
            found = plain(outputs[layout.array("val")], layout.dtype).astype(np.float64)
            want = stored(bound, layout, wanted[layout.table]).astype(np.float64)
            _same(f"{executor}: {layout.table}", found, want, tolerance)


def _same(name: str, found: Doubles, want: Doubles, tolerance: float) -> None:
    with np.errstate(invalid="ignore"):
        same = np.asarray((found == want) | (np.isnan(found) & np.isnan(want)))
        if tolerance:
            same |= np.abs(found - want) <= tolerance * (1 + np.abs(want))
    if not same.all():
        at, wrong = int(np.argmin(same)), int((~same).sum())
        raise AssertionError(
            f"{name}[{at}]: {found[at]} instead of {want[at]} ({wrong} of {same.size})"
        )


def stored(bound: Bound, layout: Layout, want: Table) -> Array:
    """Return wanted values in the order a table stores them."""
    model = bound.model(layout)
    values = np.asarray(want.values)
    if model is None:
        return values.reshape(-1)
    # Packed over the model's own entries, zeros too.
    given = bound.oracle[model.table]
    table = Table(values, given.present)
    packed = pack((model,), entries(table, False, 0.0, F64), bound.sizes)
    return as_numpy(packed.named()[model.array("val")])
