"""Cache lines that a warp touches when it reads at coordinates that stored fibres hold.

Coordinates of one fibre ascend, so that what a warp reads at neighbouring positions lies close
together: lanes along a fibre of mean gap ``g`` reach over ``g`` times their number; lanes that
stand at the same position of fibres beside each other are apart by chance, ``g sqrt(t)`` after
``t`` entries, of which several lanes span a few standard deviations.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log2, sqrt

from hastec.cost.facts import Fibres
from hastec.cost.probe import Probe
from hastec.ir.index import ValueId
from hastec.ir.kernel import Digit, Load, Value, arguments

LINE = 128
"""Bytes of a cache line."""
SERVED = 6.0
"""Lanes that one line serves where nothing is known of the coordinates, measured."""


def warp_lines(
    probe: Probe, pointer: ValueId, value: Value, size: int, run: float, lanes: int
) -> float:
    """Return the lines a warp of ``lanes`` touches with one gather of ``run`` neighbours a lane,
    elements being ``size`` bytes.
    """
    kernel = probe.kernel
    digits = [kernel.digit(d) for d in value.digits]
    apart, together, left = 1.0, 1.0, float(lanes)
    for digit in sorted((d for d in digits if d.role == "thread"), key=lambda d: d.stride):
        count = min(left, float(digit.extent or 1))
        left /= count
        if _separate(probe, pointer, digit, size):
            apart *= count
        else:
            together *= count
    fibres = next(_fibres(probe, pointer), None)
    if fibres is None:
        return max(1.0, apart * together * run / SERVED)
    reach = _reach(fibres, together) * probe.scale(pointer) * size
    width = max(1.0, run * size / LINE)
    return apart * min(together * width, 1.0 + reach / LINE + width - 1.0)


def _separate(probe: Probe, pointer: ValueId, digit: Digit, size: int) -> bool:
    """Whether neighbours along a digit start a line apart, or read what is not gathered alike."""
    return abs(probe.stride(pointer, digit.name)) * size >= LINE


def _reach(fibres: Fibres, lanes: float) -> float:
    """Return how many coordinates lie between the first and the last of what lanes read."""
    if not fibres.abreast:
        return fibres.gap * (lanes - 1)
    share = min(1.0, 1 / max(1.0, fibres.gap))
    deviation = fibres.gap * sqrt(fibres.length / 2 * (1 - share))
    return deviation * 0.8 * log2(max(1.0, lanes))


def _fibres(probe: Probe, pointer: ValueId) -> Iterator[Fibres]:
    """Yield what is known of the fibres whose coordinates an address is made of."""
    value = probe.values[pointer]
    if isinstance(value.op, Load):
        name = value.op.table.rpartition(".")[0]
        if name in probe.facts.fibres:
            yield probe.facts.fibres[name]
        return
    for argument in arguments(value.op):
        yield from _fibres(probe, argument)
