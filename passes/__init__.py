"""The pass line: one file a pass, in order.

:func:`pass_line` is the order; every pass says in its docstring what it does, in ``needs`` and
``gives`` what must hold before and what holds after it.
"""

if __name__ != "hastec.passes":
    raise ImportError("import hastec.passes, not passes")

from collections.abc import Callable, Mapping

from hastec.ir.format import Format
from hastec.ir.kernel import Kernel
from hastec.levels.registry import Registry
from hastec.levels.stats import Stats
from hastec.passes.base import Pass
from hastec.passes.check import Check
from hastec.passes.choice import NOTHING, Choice
from hastec.passes.dead import DeadCode
from hastec.passes.formats import ChooseFormats
from hastec.passes.fuse import Fuse
from hastec.passes.layout import LayOut
from hastec.passes.normalise import Normalise
from hastec.passes.patterns import Patterns
from hastec.passes.tile import Against, Tile
from hastec.target import Target

__all__ = ["Pass", "pass_line"]


def pass_line(
    target: Target,
    registry: Registry,
    sizes: Mapping[str, int],
    given: Mapping[str, Format],
    stats: Mapping[str, Stats],
    refuse: Callable[[Kernel, Target], str] | None = None,
    choice: Choice = NOTHING,
    against: Against | None = None,
) -> tuple[Pass, ...]:
    """Return all passes in order, for a target and what is known of a call's tables.

    ``refuse`` says why the backend cannot hold a kernel, ``against`` what speaks against one that
    was built; ``choice`` was decided beforehand.
    """
    return (
        Check(registry),
        Normalise(),
        Patterns(),
        ChooseFormats(target, given, stats, registry=registry),
        Fuse(),
        Tile(target, stats, sizes, registry, refuse=refuse, choice=choice, against=against),
        LayOut(registry),
        DeadCode(),
    )
