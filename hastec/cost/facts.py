"""What pricing knows of a call: sizes, how long fibres are, how large arrays are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

ASSUMED_SIZE = 4096
ASSUMED_HALVINGS = 12
ASSUMED_LENGTH = 0.3 * ASSUMED_SIZE


@dataclass(frozen=True, slots=True)
class Fibres:
    """Fibres of one level: mean entries, mean distance of neighbours' coordinates, and whether
    those beside each other are walked ``abreast``, position by position.
    """

    length: float
    gap: float
    abreast: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Numbers under which a kernel is priced.

    ``sizes`` by name; ``lengths`` the mean length of the fibres an array of starts delimits, by
    the array's name (``W.1.pos``); ``numels`` the number of elements of arrays; ``fibres`` more of
    the fibres of a level, by its name (``W.1``). ``trips`` tells,
    by the name of such an array, the mean iterations of a loop over ``height`` neighbouring fibres
    together that takes ``width`` positions of each at a time. What is missing is assumed, so that
    a program can be priced before any data is seen.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    lengths: Mapping[str, float] = field(default_factory=dict)
    numels: Mapping[str, int] = field(default_factory=dict)
    fibres: Mapping[str, Fibres] = field(default_factory=dict)
    trips: Mapping[str, Callable[[int, int], float]] = field(default_factory=dict, compare=False)

    def size(self, name: str) -> int:
        """Return a size, or what is assumed for one."""
        if name in self.sizes:
            return self.sizes[name]
        return ASSUMED_HALVINGS if name.endswith(".halvings") else ASSUMED_SIZE

    def length(self, array: str) -> float:
        """Return the mean length of fibres, or what is assumed."""
        return self.lengths.get(array, ASSUMED_LENGTH)
