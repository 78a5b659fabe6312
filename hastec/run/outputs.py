"""Outputs and intermediates of a call: allocated, and handed back as users know tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from math import prod
from typing import Any

from hastec.arrays import Array, torch_module
from hastec.ir.graph import Define, Graph, Node
from hastec.ir.types import DType
from hastec.levels.faults import fault, shown_bytes
from hastec.levels.protocol import Layout
from hastec.levels.room import free_memory
from hastec.sym.size import Size

LARGE = 1 << 26
"""Bytes from which on the system is asked whether a table fits."""


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
    shared with the input, ``numbers`` what kernels take beside them. ``sizes`` are those of the
    call.
    """

    layout: Layout
    values: Any
    arrays: Mapping[str, Array]
    numbers: Mapping[str, int]
    shape: tuple[int, ...] = field(default=())
    sizes: Mapping[str, int] = field(default_factory=dict)

    def to_dense(self) -> Any:
        """Return the table spelled out as a dense tensor, 0 where nothing is stored."""
        from hastec.levels.assemble import to_dense, unpack
        from hastec.levels.packed import Packed, PackedPart

        arrays = {**self.arrays, "val": self.values}
        part = PackedPart(self.layout, arrays, self.numbers, 0, self.values.shape[0])
        dense, _ = to_dense(unpack(Packed((part,)), self.sizes), 0.0)
        return dense


def output_of(graph: Graph, store: Node, layout: Layout) -> Output:
    """Return what a region stores for a definition whose table has ``layout``."""
    assert isinstance(store.op, Define)
    name = store.op.name
    param = next((p for p in graph.params if p.name == name and p.role == "out"), None)
    like = param.like if param is not None else ""
    shape, kept = store.shape or (), layout if like else None
    return Output(name, store.dtype, shape, param is not None, like, kept, bool(like))


def allocate(
    outputs: tuple[Output, ...], sizes: Mapping[str, int], arrays: Mapping[str, Array], device: str
) -> dict[str, Array]:
    """Return new arrays for what a call stores, by the names kernels know them by.

    Raises TableError HST4017 for a table that memory cannot hold.
    """
    made: dict[str, Array] = {}
    for output in outputs:
        if output.like:
            shape: tuple[int, ...] = tuple(arrays[f"{output.like}.val"].shape)
        else:
            shape = tuple(s.evaluate(sizes) for s in output.shape)
        made[output.array] = _made(output, shape, device)
    return made


def _made(output: Output, shape: tuple[int, ...], device: str) -> Array:
    """Return a new array; TableError HST4017 if there is no memory for it."""
    torch = torch_module()
    need = prod(shape) * output.dtype.bytes
    left = free_memory(device) if need >= LARGE else need
    make = torch.zeros if output.zeroed else torch.empty
    try:
        if need <= left:
            new: Array = make(shape, dtype=getattr(torch, output.dtype.numpy), device=device)
            return new
    except RuntimeError as error:  # what torch raises when there is no memory, on any device
        if "memory" not in str(error):
            raise
    rule = f"would take {shown_bytes(need)} in the shape {list(shape)}, more than is free"
    raise fault("HST4017", output.name, rule, "use smaller sizes")


def makers(
    outputs: tuple[Output, ...], sizes: Mapping[str, int], device: str
) -> tuple[tuple[str, Callable[[], Array]], ...]:
    """Return, by name, what makes the arrays of :func:`allocate` at these sizes."""
    torch, found = torch_module(), []
    where = torch.device(device)
    for output in outputs:
        shape = tuple(s.evaluate(sizes) for s in output.shape)
        kind = getattr(torch, output.dtype.numpy)
        if output.zeroed:
            make = partial(torch.zeros, shape, dtype=kind, device=where)
        elif where.type == "cpu" and _lean() is not None:
            make = partial(_lean(), shape, _strides(shape), kind)
        else:  # with strides it takes half the time
            make = partial(torch.empty_strided, shape, _strides(shape), dtype=kind, device=where)
        found.append((output.array, make))
    return tuple(found)


@cache
def _lean() -> Any:
    """Return what torch's own compiler makes tensors with, in half the time again; None where this
    torch has no such function, or another one.
    """
    torch = torch_module()
    try:
        make = torch._C._dynamo.guards._empty_strided_cpu
        x = make((2, 3), (3, 1), torch.float32)
    except (AttributeError, TypeError, RuntimeError):
        return None
    right = type(x) is torch.Tensor and x.is_cpu and x.dtype is torch.float32
    return make if right and x.shape == (2, 3) and x.stride() == (3, 1) else None


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a contiguous array."""
    return tuple(prod(max(1, n) for n in shape[at + 1 :]) for at in range(len(shape)))


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
    return SparseOutput(output.layout, values, mine, numbers, shape, dict(sizes))
