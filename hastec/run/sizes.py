"""The sizes of a call: found from the shapes of its tables, and the same wherever they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hastec.diag import Note
from hastec.ir.graph import Param
from hastec.levels.faults import TableError, fault, shown_bytes
from hastec.run.validate import declared, meant, refuse, shown
from hastec.sym.size import LIMIT, Divided, Size


@dataclass(frozen=True, slots=True)
class _Seen:
    """A dimension of a table that was given."""

    param: Param
    axis: int
    size: Size
    value: int

    def __str__(self) -> str:
        return f"dimension {self.axis} of {declared(self.param)}"


NONE: Mapping[str, int] = {}


def solve_sizes(
    params: Sequence[Param],
    shapes: Mapping[str, tuple[int, ...]],
    named: Mapping[str, int],
    bound: Mapping[str, int] = NONE,
) -> dict[str, int]:
    """Return every size the declarations name.

    As :func:`known_sizes`, and HST4005 for a size that nothing tells.
    """
    sizes = known_sizes(params, shapes, named, bound)
    _check_all_known(params, sizes)
    return sizes


def known_sizes(
    params: Sequence[Param],
    shapes: Mapping[str, tuple[int, ...]],
    named: Mapping[str, int],
    bound: Mapping[str, int] = NONE,
) -> dict[str, int]:
    """Return the sizes that the tables given and the names passed tell.

    ``shapes`` are those of the tables given, of the declared number of dimensions; ``named`` are
    sizes passed by name, ``bound`` those that tables bound earlier told. Raises TableError HST4004
    where two places disagree, with both declarations.
    """
    sizes = {**bound, **_named(params, named, bound)}
    seen = [
        _Seen(param, axis, size, value)
        for param in params
        if param.name in shapes
        for axis, (size, value) in enumerate(zip(param.shape, shapes[param.name], strict=True))
    ]
    told: dict[str, _Seen] = {}
    waiting = sorted(seen, key=lambda s: len(s.size.names()) > 1 or len(s.size.terms) > 1)
    while waiting:
        left = [s for s in waiting if not _settle(s, sizes, told, bound)]
        if len(left) == len(waiting):
            break
        waiting = left
    return sizes


def _named(
    params: Sequence[Param], named: Mapping[str, int], bound: Mapping[str, int]
) -> dict[str, int]:
    known = {name: None for p in params for size in p.shape for name in size.names()}
    for name, value in named.items():
        if name not in known:
            near = meant(name, known)
            advice = f"did you mean '{near}'?" if near else f"its sizes are {', '.join(known)}"
            raise fault("HST4024", name, "is neither a table nor a size of this kernel", advice)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LIMIT:
            rule = f"is a size and cannot be {shown(value)}"
            raise fault("HST4004", name, rule, "pass a whole number from 0 to 2^63 - 1")
        if bound.get(name, value) != value:
            rule = f"is {bound[name]} by the tables that are bound, and was passed as {value}"
            raise fault("HST4004", name, rule, "leave it out, or bind other tables")
    return dict(named)


def _settle(
    seen: _Seen, sizes: dict[str, int], told: dict[str, _Seen], bound: Mapping[str, int]
) -> bool:
    """Learn from a dimension, or check it; False if it must wait for other sizes."""
    missing = [n for n in seen.size.names() if n not in sizes]
    if not missing:
        _check(seen, sizes, told, bound)
        return True
    if len(missing) > 1:
        return False
    if not _linear(seen.size, missing[0]):
        return False
    solved = seen.size.solve(seen.value, sizes)
    if solved is None:
        rule = f"{_is(seen)}, which fits no {missing[0]}"
        raise refuse(seen.param, "HST4004", rule, f"pass a table whose size is {seen.size}")
    sizes[solved[0]] = solved[1]
    told[solved[0]] = seen
    return True


def _linear(size: Size, name: str) -> bool:
    """Whether a size name stands in no quotient or remainder, so that it can be found."""
    atoms = [atom for monomial, _ in size.terms for atom in monomial]
    return not any(
        isinstance(atom, Divided) and (name in atom.left.names() or name in atom.right.names())
        for atom in atoms
    )


def _is(seen: _Seen) -> str:
    return f"dimension {seen.axis} ({seen.size}) is {seen.value}"


def _check(
    seen: _Seen, sizes: Mapping[str, int], told: Mapping[str, _Seen], bound: Mapping[str, int]
) -> None:
    expected = seen.size.evaluate(sizes)
    if expected == seen.value:
        return
    notes = [
        Note(f"{name} = {sizes[name]} is {told[name]}", told[name].param.span)
        if name in told
        else Note(f"{name} = {sizes[name]} {_source(name, bound)}")
        for name in seen.size.names()
    ]
    rule = f"{_is(seen)} in {declared(seen.param)}, but must be {expected}"
    raise refuse(seen.param, "HST4004", rule, "pass tables whose sizes agree", notes)


def _source(name: str, bound: Mapping[str, int]) -> str:
    return "is told by a table that is bound" if name in bound else "was passed by name"


def _check_all_known(params: Sequence[Param], sizes: Mapping[str, int]) -> None:
    for param in params:
        for size in param.shape:
            for name in size.names():
                if name not in sizes:
                    rule = f"size {name} of {declared(param)} is not told by any table given"
                    raise refuse(param, "HST4005", rule, f"pass it by name: {name} = …")


def too_big(param: Param, need: int, budget: int) -> TableError:
    """Return the error that a table does not fit into memory."""
    rule = f"takes {shown_bytes(need)} as {declared(param)}, and {shown_bytes(budget)} are free"
    return refuse(param, "HST4017", rule, "use smaller sizes, or declare it sparse")
