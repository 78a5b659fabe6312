"""Takes coordinates that lie in registers one after the other, in a loop.

Fibres that are walked together all take as long as the longest of them. In turn each takes its own
time, and yet what is computed of their results afterwards is computed for all at once::

    for turn in 0 .. 16 { total = …; totals = where(u == turn, total, totals) }
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hastec.ir.graph import NodeId
from hastec.ir.index import Form
from hastec.ir.kernel import Apply, Value
from hastec.ir.types import BOOL
from hastec.lower.context import Context
from hastec.lower.work import Refused


def turned(c: Context, nodes: Iterable[NodeId]) -> tuple[str, str] | None:
    """Return a rank that some of ``nodes`` vary over, and its digit that takes turns, if there is
    one that is placed in registers now.
    """
    ranks = {r for n in nodes for r in c.work.nodes[n].ranks}
    for digit in c.schedule.turns:
        for axis in c.schedule.axes:
            here = axis.name in ranks and axis.name in c.coords
            if here and any(d == digit for d, _ in axis.digits):
                varies = c.k.digits_of(*(c.k.values[v] for v, _ in c.coords[axis.name].terms))
                if digit in varies:
                    return axis.name, digit
    return None


def in_turns(
    c: Context, rank: str, digit: str, run: Callable[[], Mapping[NodeId, Value]]
) -> dict[NodeId, Value]:
    """Return what ``run`` computes for every coordinate of a digit, each in its turn."""
    k, found = c.k, dict[NodeId, Value]()
    form, masks = c.coords[rank], c.inside.get(rank, ())
    end = k.const(c.schedule.digit(digit).extent or 1, k.index_type)
    with c.nested((rank,)), k.loop(k.turn_of(digit), k.const(0, end.dtype), end) as loop:
        turn = k.coord(loop.digit)
        _place(c, rank, _moved(c, form, digit, turn), masks)
        mine = k.apply("eq", k.coord(digit), turn)
        for node, value in run().items():
            none = k.const(False) if value.dtype == BOOL else k.const(0, value.dtype)
            before = k.carry(loop, none, (*value.digits, digit), hint=value.hint)
            chosen = k.apply("where", mine, value, before)
            found[node] = k.update(loop, before, chosen)
    return found


def _moved(c: Context, form: Form, digit: str, turn: Value) -> Form:
    """Return a coordinate with the turn in place of a digit."""
    own = c.k.coord(digit).id
    stride = dict(form.terms).get(own)
    if stride is None:
        raise Refused(f"digit {digit} is no part of a coordinate by itself")
    return form + (Form.value(turn.id) - Form.value(own)) * stride


def _place(c: Context, rank: str, form: Form, masks: tuple[Value, ...]) -> None:
    """Place a rank at a coordinate, under masks like those it had."""
    found = []
    for mask in masks:
        match mask.op:
            case Apply("lt", (_, count)) if not c.k.values[count].digits:
                found.append(c.k.apply("lt", c.k.value(form), c.k.values[count]))
            case _:
                raise Refused(f"rank {rank} ends where it cannot take turns")
    c.coords[rank], c.inside[rank] = form, tuple(found)
