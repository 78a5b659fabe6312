"""The levels and codes a compilation knows: open sets, told apart by name here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hastec.arrays import Array
from hastec.ir.format import CodeSpec, LevelSpec
from hastec.ir.types import DType
from hastec.levels.assembled import AssembledIndex, AssembledValue
from hastec.levels.bitmap import make_bitmap
from hastec.levels.choose import make_choose
from hastec.levels.codes import PLAIN, make_delta, make_plain
from hastec.levels.compressed import make_compressed, make_ragged
from hastec.levels.dense import make_dense
from hastec.levels.fixed import make_fixed
from hastec.levels.integers import make_integers
from hastec.levels.planes import make_palette, make_planes
from hastec.levels.protocol import Level
from hastec.levels.singleton import make_singleton
from hastec.levels.small_floats import make_fp8, make_mx
from hastec.levels.structure import known
from hastec.levels.values import make_raw

LevelMaker: TypeAlias = Callable[[LevelSpec, int, AssembledIndex], Level]
"""Makes a level from what was asked for, its number and the index code; HST4503 if it cannot."""

IndexMaker: TypeAlias = Callable[[CodeSpec], AssembledIndex]
"""Makes an index code; HST4503 if an option is wrong."""

ValueMaker: TypeAlias = Callable[[CodeSpec, DType], AssembledValue]
"""Makes the value code of a table of some type; HST4506 if it cannot hold the type."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The levels and codes a compilation knows, by name.

    ``options`` names what may be said of those that do not come with the compiler.
    """

    levels: Mapping[str, LevelMaker]
    index: Mapping[str, IndexMaker]
    values: Mapping[str, ValueMaker]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether all of them come with the compiler, whose version tells what they do."""
        makers = (*self.levels.values(), *self.index.values(), *self.values.values())
        return all(maker.__module__.startswith("hastec.") for maker in makers)


def default_registry() -> Registry:
    """Return the levels and codes that come with the compiler."""
    levels: dict[str, LevelMaker] = {
        "dense": make_dense,
        "compressed": make_compressed,
        "ragged": make_ragged,
        "fixed": make_fixed,
        "singleton": make_singleton,
        "bitmap": make_bitmap,
        "choose": make_choose,
    }
    index: dict[str, IndexMaker] = {"delta": make_delta}
    for name, word in PLAIN.items():
        index[name] = make_plain(word)
    codes: dict[str, ValueMaker] = {
        "raw": make_raw,
        **{f"int{bits}": make_integers for bits in range(1, 9)},
        "fp8": make_fp8,
        "mx": make_mx,
        "planes": make_planes,
        "palette": make_palette,
    }
    return Registry(levels, index, codes)


def rounded(values: Array, spec: CodeSpec, dtype: DType, registry: Registry | None = None) -> Array:
    """Return a dense table of ``dtype`` as a value code holds it: the rounded table is meant.

    Groups run along the last dimension. HST4501 if there is no such code, HST4506 if it cannot
    hold the type, TableError HST4018 if it cannot hold a value.
    """
    known_values = (registry or default_registry()).values
    return known(known_values, spec.name, "value code")(spec, dtype).rounded(values)
