"""Sums that several programs share: each stores its part, and the last to finish merges them all.

The parts lie in scratch memory in the order of the programs and are merged in that order, whoever
comes last: the result does not depend on who does. Programs count their arrivals with an integer
atomic; none waits for another.
"""

from __future__ import annotations

from collections.abc import Mapping

from hastec.ir.graph import Access, NodeId, Present
from hastec.ir.index import Form
from hastec.ir.kernel import Digit, Table, Value
from hastec.ir.types import I32
from hastec.lower.context import Context
from hastec.lower.leads import axes_of
from hastec.lower.work import Refused
from hastec.sym.size import Size


def share(c: Context, ranks: tuple[str, ...]) -> Digit | None:
    """Return the digit that counts the programs a reduction over ``ranks`` is shared by, if any.

    Raises Refused for what cannot be shared: all of an axis among as many programs as it has
    values, what stands in another nest or loop, a second reduction after a first, and a table in
    several parts, of which each has axes of its own.
    """
    found: list[Digit] = []
    names = [axis for rank in ranks for axis in axes_of(c.work, c.schedule.leads, rank)]
    for name in names:
        axis = c.schedule.axis(name)
        digits = [] if axis is None else [c.schedule.digit(d) for d, _ in axis.digits]
        mine = [d for d in digits if d.role == "grid"]
        if any(d.extent is None for d in mine):
            raise Refused(f"a reduction needs all of {name}, and programs share it")
        found += mine
    if not found:
        return None
    if len(found) > 1 or c.inner or c.k.block is not c.k.root or _in_parts(c, ranks):
        raise Refused("programs share the outermost reduction of a kernel, along one axis")
    return found[0]


def _in_parts(c: Context, ranks: tuple[str, ...]) -> bool:
    """Whether a table that leads here is stored in several parts."""
    for lead in c.schedule.leads:
        op = c.work.nodes[lead.access].op
        assert isinstance(op, Access | Present)
        if set(lead.ranks) & set(ranks) and len(c.work.layouts[op.table]) > 1:
            return True
    return False


def parts(
    c: Context, digit: Digit, found: Mapping[NodeId, Value]
) -> tuple[dict[NodeId, Value], ...]:
    """Store this program's part of reductions, and return those of all programs, in order.

    The statements that follow are run by the last program only.
    """
    k, count = c.k, digit.extent or 1
    tile, tiles = _tile(c, digit)
    stored: dict[NodeId, tuple[str, Form, int]] = {}
    for n, (node, value) in enumerate(found.items()):
        inside, numel = _inside(c, value)
        name = f"{k.name}.part{n}"
        k.table(Table(name, value.dtype, "scratch", tiles * (count * numel)))
        mine = (tile * count + k.form(k.coord(digit.name))) * numel
        k.store(name, mine + inside, value)
        stored[node] = name, inside, numel
    counter = k.table(Table(f"{k.name}.arrived", I32, "count", tiles))
    c.rest.enter_context(k.when(k.arrive(counter, tile, count)))
    return tuple(
        {
            node: k.fetch(name, (tile * count + n) * numel + inside, f"part{n}")
            for node, (name, inside, numel) in stored.items()
        }
        for n in range(count)
    )


def _tile(c: Context, digit: Digit) -> tuple[Form, Size]:
    """Return which tile of the result this program works on, and how many there are."""
    number, total = Form.of(0), Size.of(1)
    for name, size in c.grid:
        if name != digit.name:
            number = number * size + c.k.form(c.k.coord(name))
            total = total * size
    return number, total


def _inside(c: Context, value: Value) -> tuple[Form, int]:
    """Return where an element of a value lies among those of its program, and how many they are:
    what a thread holds side by side, then neighbouring threads.
    """
    digits = [c.k.digits[d] for d in value.digits]
    digits.sort(key=lambda d: (d.role == "reg", -d.stride if d.role == "thread" else 0))
    place, total = Form.of(0), 1
    for digit in reversed(digits):
        place = place + c.k.form(c.k.coord(digit.name)) * total
        total *= digit.extent or 1
    return place, total
