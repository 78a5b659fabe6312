"""Arrays that somebody else made: nothing indexes with them before they are found sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from hastec.arrays import Array, first_true, item, kind_of, marks, range_of
from hastec.levels.faults import TableError, fault
from hastec.levels.trail import Trail

INDEX = ("int32", "int64")


@dataclass(slots=True)
class Checking(Trail):
    """Arrays under suspicion. Positions are counted level by level, and nothing stands anywhere.

    ``labels`` are the names users know arrays by. ``unsure`` is set by levels that leave order and
    range of coordinates to a full reading; ``unsorted`` is the first place where coordinates do
    not ascend (-1: they do).
    """

    given: Mapping[str, Array] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    unsure: bool = False
    unsorted: int = -1

    def fault(self, code: str, name: str, rule: str, advice: str = "") -> TableError:
        """Return the error that an array breaks a rule."""
        label = self.labels.get(name, name)
        return fault(code, self.layout.table, f"{label} {rule}", advice)

    def array(self, name: str, kinds: tuple[str, ...], count: int) -> Array:
        """Return a flat array of ``count`` elements of one of ``kinds``, where the others are."""
        x = self.given[name]
        if kind_of(x) not in kinds:
            wanted = " or ".join(kinds)
            rule = f"must be {wanted}, not {kind_of(x)}"
            raise self.fault("HST4002", name, rule, f"convert it: .to(torch.{kinds[0]})")
        if len(x.shape) != 1:
            rule = f"must have one dimension, not {len(x.shape)}"
            raise self.fault("HST4010", name, rule, "pass it flat: .reshape(-1)")
        if x.device != self.like.device:
            rule = f"is on {x.device}, other components are on {self.like.device}"
            raise self.fault("HST4007", name, rule, "move all components to one device")
        if x.shape[0] != count:
            rule = f"must have {count} elements, not {x.shape[0]}"
            raise self.fault("HST4010", name, rule, "check the shape the table is given with")
        return x

    def within(self, name: str, x: Array, low: int, stop: int, what: str) -> None:
        """Check ``low <= x < stop`` for every element."""
        if not x.shape[0]:
            return
        least, most = range_of(x)
        if low <= least and most < stop:
            return
        at = first_true((x < low) | (x >= stop))
        rule = f"holds {what} {item(x, at)} at position {at}; allowed are {low} .. {stop}"
        raise self.fault("HST4012", name, rule, "remove it, or correct the shape")

    def rising(self, name: str, x: Array) -> None:
        """Check that starts begin with 0 and do not decrease."""
        if item(x, 0) != 0:
            rule = f"must begin with 0, not {item(x, 0)}"
            raise self.fault("HST4011", name, rule, "the first fibre starts at 0")
        at = first_true(x[1:] < x[:-1])
        if at >= 0:
            rule = f"decreases at position {at + 1}: {item(x, at)}, then {item(x, at + 1)}"
            raise self.fault("HST4011", name, rule, "fibres follow one another")

    def runs(self, name: str, coords: Array, starts: Array) -> None:
        """Look for coordinates that do not ascend within runs that begin at ``starts``.

        Equal neighbours are an error (HST4014); others are noted in ``unsorted``.
        """
        if coords.shape[0] < 2:
            return
        inner = ~marks(coords.shape[0], starts)[1:]
        twice = first_true(coords[1:].eq(coords[:-1]) & inner)
        if twice >= 0:
            rule = f"names coordinate {item(coords, twice)} twice in a fibre, at position {twice}"
            raise self.fault("HST4014", name, rule, "sum duplicates first, as coalesce() does")
        at = first_true((coords[1:] < coords[:-1]) & inner)
        if at >= 0 and self.unsorted < 0:
            self.unsorted = at + 1

    def numel(self, name: str) -> int:
        """Return how many elements an array has."""
        return prod(self.given[name].shape)

    def multiples(self, name: str, starts: Array, unit: int) -> None:
        """Check that starts are multiples of ``unit``."""
        at = first_true((starts % unit).ne(0)) if unit > 1 else -1
        if at >= 0:
            rule = f"holds {item(starts, at)} at position {at}, no multiple of {unit}"
            raise self.fault("HST4011", name, rule, f"pad every fibre to a multiple of {unit}")

    def at_most(self, name: str, x: Array, bound: Array) -> None:
        """Check ``0 <= x <= bound`` element by element."""
        at = first_true((x < 0) | (x > bound))
        if at >= 0:
            rule = f"holds {item(x, at)} at position {at}; allowed are 0 .. {item(bound, at)}"
            raise self.fault("HST4012", name, rule, "no fibre is longer than its group")

    def equal(self, name: str, x: Array, expected: Array, what: str) -> None:
        """Check that an array holds what it is meant to count."""
        at = first_true(x.ne(expected))
        if at >= 0:
            rule = (
                f"holds {item(x, at)} at position {at}, but there are {item(expected, at)} {what}"
            )
            raise self.fault("HST4011", name, rule, "count them again")

    def tell(self, name: str, number: int) -> None:
        """Keep a number kernels ask for; sizes may use it from now on."""
        self.numbers[name] = number
        self.sizes[self.layout.array(name)] = number
