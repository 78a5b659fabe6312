"""Array work on torch tensors, on whatever device they are: the one door to torch for tables.

torch is imported when the first array is made, never when a module is imported: checking a
program must not pay for it. Element types are named as in NumPy (``int32``, ``bfloat16``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from hastec.diag.library import not_installed

Number: TypeAlias = int | float | bool


class Array(Protocol):
    """What is used of a tensor. Comparison by ``==`` is left out on purpose: see ``eq``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents."""
        ...

    @property
    def device(self) -> object:
        """Where the elements lie."""
        ...

    def eq(self, other: Array | Number) -> Array:
        """Return where elements are equal."""
        ...

    def ne(self, other: Array | Number) -> Array:
        """Return where elements differ."""
        ...

    def reshape(self, *shape: int) -> Array:
        """Return the elements under another shape."""
        ...

    def tolist(self) -> Any:
        """Return the elements as Python numbers."""
        ...

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        ...

    def __getitem__(self, at: object) -> Array: ...
    def __add__(self, other: Array | Number) -> Array: ...
    def __sub__(self, other: Array | Number) -> Array: ...
    def __mul__(self, other: Array | Number) -> Array: ...
    def __floordiv__(self, other: Array | Number) -> Array: ...
    def __mod__(self, other: Array | Number) -> Array: ...
    def __truediv__(self, other: Array | Number) -> Array: ...
    def __lshift__(self, other: Array | int) -> Array: ...
    def __rshift__(self, other: Array | int) -> Array: ...
    def __and__(self, other: Array | int) -> Array: ...
    def __or__(self, other: Array | int) -> Array: ...
    def __xor__(self, other: Array | int) -> Array: ...
    def __invert__(self) -> Array: ...
    def __neg__(self) -> Array: ...
    def __lt__(self, other: Array | Number) -> Array: ...
    def __le__(self, other: Array | Number) -> Array: ...
    def __gt__(self, other: Array | Number) -> Array: ...
    def __ge__(self, other: Array | Number) -> Array: ...


def torch_module() -> Any:
    """Return torch, imported on first use; HasteError HST6007 if it is not there."""
    try:
        import torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise not_installed("torch", "tables are its tensors") from None
    return torch


def array(value: Any) -> Array:
    """Return what torch gave, typed."""
    found: Array = value
    return found


def tensor(x: Array) -> Any:
    """Return an array as torch takes it."""
    return x


def kind_of(x: Array) -> str:
    """Return the element type by name: ``float16``, ``int32`` …"""
    return str(getattr(x, "dtype", "")).removeprefix("torch.")


def dtype_of(kind: str) -> Any:
    """Return torch's name of an element type."""
    return getattr(torch_module(), kind)


# ------------------------------------------------------------------------------------- making
def zeros(count: int, kind: str, like: Array) -> Array:
    """Return ``count`` zeros on the device of ``like``."""
    return array(torch_module().zeros(count, dtype=dtype_of(kind), device=like.device))


def full(count: int, value: Number, kind: str, like: Array) -> Array:
    """Return ``count`` copies of ``value``.

    Unsigned types wider than a byte are filled through the signed type of their width.
    """
    torch = torch_module()
    made = torch.full((count,), value, dtype=dtype_of(_workable(kind)), device=like.device)
    return array(made.view(dtype_of(kind)))


def full_like(count: int, value: Number, like: Array) -> Array:
    """Return ``count`` copies of ``value`` in the type and on the device of ``like``."""
    return full(count, value, kind_of(like), like)


def arange(count: int, like: Array) -> Array:
    """Return 0, 1 … ``count`` - 1 as int64 on the device of ``like``."""
    torch = torch_module()
    return array(torch.arange(count, dtype=torch.int64, device=like.device))


def numbers(values: Sequence[int], like: Array | None = None) -> Array:
    """Return integers as an int64 array on the device of ``like`` (the CPU if none)."""
    torch = torch_module()
    device = "cpu" if like is None else like.device
    return array(torch.tensor(list(values), dtype=torch.int64, device=device))


def cast(x: Array, kind: str) -> Array:
    """Return ``x`` with another element type (itself if it has it); integers wrap."""
    return array(tensor(x).to(dtype_of(kind)))


def long(x: Array) -> Array:
    """Return ``x`` as int64."""
    return cast(x, "int64")


def solid(x: Array, align: int = 16) -> Array:
    """Return ``x`` with its elements side by side from a multiple of ``align`` bytes: itself, if
    they are, else a copy.
    """
    packed = tensor(x).contiguous()
    return array(packed if packed.data_ptr() % align == 0 else packed.clone())


def duplicate(x: Array) -> Array:
    """Return a copy in memory of its own."""
    return array(tensor(x).clone())


# ------------------------------------------------------------------------------------ shaping
def shaped(x: Array, shape: tuple[int, ...]) -> Array:
    """Return the elements under a shape, which may have no dimension at all."""
    return array(torch_module().reshape(tensor(x), shape))


def flat(x: Array) -> Array:
    """Return all elements in order, one after the other."""
    return x.reshape(-1)


def concat(parts: Iterable[Array]) -> Array:
    """Return arrays joined one after the other."""
    return array(torch_module().cat(list(parts)))


def repeat(x: Array, counts: Array) -> Array:
    """Return each element of ``x`` as often as ``counts`` says."""
    return array(torch_module().repeat_interleave(x, counts))


def nonzero(mask: Array) -> Array:
    """Return the places where a one-dimensional mask is true, ascending."""
    return array(torch_module().nonzero(mask).reshape(-1))


def differs(x: Array, value: Number) -> Array:
    """Return where elements are not ``value`` (NaN never is)."""
    # GPUs compare no unsigned integers wider than a byte; their bits are as good.
    wide = _workable(kind_of(x)) != kind_of(x)
    return bits_of(x).ne(bits_of(full(1, value, kind_of(x), x))) if wide else x.ne(value)


def coordinates(mask: Array) -> tuple[Array, ...]:
    """Return the coordinates at which a mask is true, one array a dimension, in index order."""
    found = torch_module().nonzero(mask, as_tuple=True)
    return tuple(array(x) for x in found)


# ------------------------------------------------------------------------------------ working
def where(mask: Array, yes: Array | Number, no: Array | Number) -> Array:
    """Return ``yes`` where ``mask`` holds, else ``no``."""
    return array(torch_module().where(mask, yes, no))


def running(x: Array) -> Array:
    """Return inclusive prefix sums, int64."""
    torch = torch_module()
    return array(torch.cumsum(x, 0, dtype=torch.int64))


def running_max(x: Array) -> Array:
    """Return inclusive prefix maxima."""
    return array(torch_module().cummax(x, 0)[0]) if x.shape[0] else x


def clamp(x: Array, low: Number | None, high: Number | None) -> Array:
    """Return elements, moved to the nearest end of a range where they lie outside."""
    return array(torch_module().clamp(x, low, high))


def distinct(x: Array) -> tuple[Array, Array]:
    """Return the different elements of a flat array, by their bits, and which one each is."""
    found, which = torch_module().unique(bits_of(x), return_inverse=True)
    return array(tensor(found).view(tensor(x).dtype)), array(which)


def running_along(x: Array) -> Array:
    """Return inclusive prefix sums along the last of two dimensions, int64."""
    torch = torch_module()
    return array(torch.cumsum(x, -1, dtype=torch.int64))


def sum_along(x: Array) -> Array:
    """Return sums over the last dimension, int64 for integers."""
    return array(torch_module().sum(x, -1))


def sum_all(x: Array) -> int:
    """Return the sum of all elements of integers (waits for the device)."""
    return int(torch_module().sum(x))


def count_true(mask: Array) -> int:
    """Return how often a mask is true (waits for the device)."""
    return int(torch_module().count_nonzero(mask))


def divided(x: Array, by: int) -> Array:
    """Return natural numbers divided by a positive one, by a shift where that does."""
    if by == 1:
        return x
    return x // by if by & (by - 1) else x >> (by.bit_length() - 1)


def remainder(x: Array, by: int) -> Array:
    """Return what is left of natural numbers after division, by a mask where that does."""
    return x % by if by & (by - 1) else x & (by - 1)


def largest(x: Array) -> int:
    """Return the largest element of an array of natural numbers, 0 if it is empty."""
    return range_of(x)[1] if x.shape[0] else 0


def offsets(lengths: Array) -> Array:
    """Return where each of consecutive runs starts, and where the last one ends; int64."""
    torch = torch_module()
    out = torch.zeros(lengths.shape[0] + 1, dtype=torch.int64, device=lengths.device)
    torch.cumsum(lengths, 0, dtype=torch.int64, out=out[1:])
    return array(out)


def count_at(index: Array, count: int, weight: Array | None = None) -> Array:
    """Return for 0 … ``count`` - 1 how often ``index`` names it, or the sum of ``weight``.

    The result is int64.
    """
    torch = torch_module()
    if weight is None:
        return array(torch.bincount(index, minlength=count))
    out = torch.zeros(count, dtype=torch.int64, device=index.device)
    return array(out.index_add_(0, index, weight))


def most_at(index: Array, count: int, values: Array) -> Array:
    """Return for 0 … ``count`` - 1 the largest of ``values`` there, 0 if there are none; int64."""
    torch = torch_module()
    out = torch.zeros(count, dtype=torch.int64, device=index.device)
    return array(out.scatter_reduce_(0, index, values, "amax"))


def least_at(index: Array, count: int, values: Array, default: Array) -> Array:
    """Return for 0 … ``count`` - 1 the least of ``values`` and ``default`` there; int64."""
    return array(tensor(default).clone().scatter_reduce_(0, index, values, "amin"))


def put(target: Array, index: Array, values: Array) -> None:
    """Write ``values``, as bits, at different places of ``target``, in place."""
    tensor(bits_of(target))[index] = bits_of(values)


def take(x: Array, index: Array) -> Array:
    """Return the elements at ``index``."""
    return array(tensor(bits_of(x)[index]).view(tensor(x).dtype))


def marks(count: int, index: Array) -> Array:
    """Return a mask of ``count`` elements that is true at ``index`` (places past the end: none)."""
    torch = torch_module()
    found = torch.zeros(count + 1, dtype=torch.bool, device=index.device)
    found[torch.clamp(tensor(index), max=count)] = True
    return array(found[:count])


def sorting(x: Array) -> Array:
    """Return the order that sorts ``x`` ascending, equal elements as they stand."""
    return array(torch_module().argsort(x, stable=True))


def minimum(x: Array, bound: int) -> Array:
    """Return the elements of ``x``, at most ``bound``."""
    return array(torch_module().clamp(x, max=bound))


def ascending(x: Array) -> bool:
    """Whether no element is below the one before it."""
    return not holds_any(x[1:] < x[:-1])


def holds_any(mask: Array) -> bool:
    """Whether a mask is true anywhere (waits for the device)."""
    return bool(torch_module().any(mask))


def first_true(mask: Array) -> int:
    """Return the first place where a flat mask is true, -1 if nowhere (waits for the device)."""
    if not mask.shape[0] or not holds_any(mask):
        return -1
    return int(torch_module().argmax(cast(mask, "uint8")))


def range_of(x: Array) -> tuple[int, int]:
    """Return the least and the largest element of a non-empty integer array."""
    low, high = torch_module().aminmax(x)
    return int(low), int(high)


def item(x: Array, at: int = 0) -> int:
    """Return one element as an integer (waits for the device)."""
    return int(x[at].tolist())


def same(x: Array, y: Array) -> bool:
    """Whether two arrays have the same shape and elements."""
    return bool(torch_module().equal(x, y))


# --------------------------------------------------------------------------------------- bits
_SIGNED = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}


def _workable(kind: str) -> str:
    return {"uint16": "int16", "uint32": "int32", "uint64": "int64"}.get(kind, kind)


def width(x: Array) -> int:
    """Return the bytes of one element."""
    return int(tensor(x).element_size())


def bytes_of(kind: str) -> int:
    """Return the bytes of one element of a type."""
    return int(dtype_of(kind).itemsize)


def bits_of(x: Array) -> Array:
    """Return the same memory as signed integers of the same width."""
    return array(tensor(x).view(dtype_of(_SIGNED[width(x)])))


def view_as(x: Array, kind: str) -> Array:
    """Return the same memory as another element type of the same width."""
    return array(tensor(x).view(dtype_of(kind)))


def nbytes(x: Array) -> int:
    """Return the bytes of all elements."""
    total = width(x)
    for extent in x.shape:
        total *= extent
    return total
