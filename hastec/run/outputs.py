"""Outputs and intermediates of a call: allocated, and handed back as users know tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hastec.arrays import Array, torch_module
from hastec.ir.types import DType
from hastec.levels.protocol import Layout
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True)
class Output:
    """A table a plan stores: an output, or an intermediate between two kernels.

    ``like`` names the table whose positions it has; its values then lie as that one's do.
    ``zeroed``: some places are never written and must read as 0.
    """

    name: str
    dtype: DType
    shape: tuple[Size, ...]
    public: bool
    like: str = ""
    layout: Layout | None = None
    zeroed: bool = False

    @property
    def array(self) -> str:
        """The name kernels know its values by."""
        return f"{self.name}.val"


@dataclass(frozen=True, slots=True, eq=False)
class SparseOutput:
    """A sparse output: its values, in the order of the table it is like, and that table's arrays.

    ``values`` is a tensor; ``arrays`` are the index arrays by name (``"1.pos"``, ``"1.crd"`` …),
    shared with the input, ``numbers`` what kernels take beside them.
    """

    layout: Layout
    values: Any
    arrays: Mapping[str, Array]
    numbers: Mapping[str, int]
    shape: tuple[int, ...] = field(default=())

    def to_dense(self) -> Any:
        """Return the table spelled out as a dense tensor, 0 where nothing is stored."""
        from hastec.levels.assemble import to_dense, unpack
        from hastec.levels.packed import Packed, PackedPart

        arrays = {**self.arrays, "val": self.values}
        part = PackedPart(self.layout, arrays, self.numbers, 0, self.values.shape[0])
        dense, _ = to_dense(unpack(Packed((part,)), {}), 0.0)
        return dense


def allocate(
    outputs: tuple[Output, ...], sizes: Mapping[str, int], arrays: Mapping[str, Array], device: str
) -> dict[str, Array]:
    """Return new arrays for what a call stores, by the names kernels know them by."""
    torch = torch_module()
    made: dict[str, Array] = {}
    for output in outputs:
        kind = getattr(torch, output.dtype.numpy)
        make = torch.zeros if output.zeroed else torch.empty
        if output.like:
            shape: tuple[int, ...] = tuple(arrays[f"{output.like}.val"].shape)
        else:
            shape = tuple(s.evaluate(sizes) for s in output.shape)
        made[output.array] = make(shape, dtype=kind, device=device)
    return made


def returned(
    outputs: tuple[Output, ...], arrays: Mapping[str, Array], sizes: Mapping[str, int]
) -> Any:
    """Return the public outputs: one alone, several as a tuple, in the order declared."""
    found = [_returned(o, arrays, sizes) for o in outputs if o.public]
    return found[0] if len(found) == 1 else tuple(found)


def _returned(output: Output, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> Any:
    values = arrays[output.array]
    if output.layout is None:
        return values
    prefix = f"{output.like}."
    mine = {
        n.removeprefix(prefix): x
        for n, x in arrays.items()
        if n.startswith(prefix) and n != f"{output.like}.val"
    }
    numbers = {n.removeprefix(prefix): v for n, v in sizes.items() if n.startswith(prefix)}
    shape = tuple(s.evaluate(sizes) for s in output.shape)
    return SparseOutput(output.layout, values, mine, numbers, shape)
