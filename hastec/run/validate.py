"""Dense arrays on entry: nothing reads one before its type, shape and memory are as declared."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hastec.arrays import Array, first_true, flat, item, nbytes, range_of, torch_module
from hastec.diag import Note
from hastec.ir.graph import Param
from hastec.levels.faults import TableError, fault
from hastec.sym.size import LIMIT

ALIGN = 16
"""What kernels may assume of the first address of an array, in bytes."""


def declared(param: Param) -> str:
    """Return a declaration as it was written, without its adjectives."""
    dims = ", ".join(str(size) for size in param.shape)
    return f"{param.name}: {param.dtype}[{dims}]" if dims else f"{param.name}: {param.dtype}"


def refuse(
    param: Param, code: str, rule: str, advice: str, notes: Sequence[Note] = ()
) -> TableError:
    """Return the error that what was given for ``param`` breaks a rule."""
    return fault(code, param.name, rule, advice, param.span, tuple(notes))


def shown(x: object) -> str:
    """Return a Python object as text; an integer past 2^128 by its length."""
    if isinstance(x, int) and x.bit_length() > 128:
        return f"an integer of {x.bit_length()} bits"
    return repr(x)


def meant(name: str, known: Iterable[str]) -> str:
    """Return which of ``known`` a name is most like ("" if it is like none)."""
    lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), list(lower), 1)
    return lower[near[0]] if near else ""


def check_plain(param: Param, x: Any) -> None:
    """Check that a tensor has data of its own that can be read as it is."""
    torch = torch_module()
    if type(x) not in (torch.Tensor, torch.nn.Parameter):
        kind = f"{type(x).__module__}.{type(x).__name__}"
        raise refuse(param, "HST4001", f"is a {kind}, not a plain tensor", "pass a torch.Tensor")
    for trouble, found in (
        ("is quantized", x.is_quantized),
        ("is nested", x.is_nested),
        ("is complex", x.is_complex()),
    ):
        if found:
            raise refuse(param, "HST4001", trouble, "pass a plain tensor of the declared type")
    if x.device.type == "meta":
        raise refuse(
            param, "HST4008", "is on the meta device and has no data", "pass a real tensor"
        )


def check_memory(param: Param, x: Any) -> None:
    """Check that a strided tensor's storage is there and long enough."""
    if x._is_zerotensor():
        raise refuse(param, "HST4008", "has no memory (zero tensor)", "pass x.clone()")
    last = x.storage_offset() + sum((n - 1) * s for n, s in zip(x.shape, x.stride(), strict=True))
    if x.numel() and (last + 1) * x.element_size() > x.untyped_storage().nbytes():
        rule = "reaches past the end of its storage, which was freed or shrunk"
        raise refuse(param, "HST4008", rule, "keep the tensor alive while it is used")


def check_type(param: Param, kind: str) -> None:
    """Check the element type against the declaration."""
    wanted = param.dtype.numpy
    if kind == wanted:
        return
    rule = f"is declared {param.dtype} and was given {kind}"
    if param.dtype.stores_only:
        rule += f" ({param.dtype} is given as {wanted})"
    advice = f"convert it: {param.name}.to(torch.{wanted}), or declare it {kind_name(kind)}"
    raise refuse(param, "HST4002", rule, advice)


def kind_name(kind: str) -> str:
    """Return the name a program has for an array type."""
    short = {"bfloat16": "bf16", "bool": "bool"}
    for long, letter in (("float", "f"), ("uint", "u"), ("int", "i")):
        if kind.startswith(long):
            return letter + kind.removeprefix(long)
    return short.get(kind, kind)


def check_rank(param: Param, shape: Sequence[int]) -> None:
    """Check the number of dimensions against the declaration."""
    if len(shape) == len(param.shape):
        return
    rule = f"has the shape {list(shape)}, but is declared {declared(param)}"
    raise refuse(param, "HST4003", rule, f"give it {len(param.shape)} dimensions")


def check_shape(param: Param, shape: Sequence[int]) -> None:
    """Check that a stated shape can be one, and its number of dimensions."""
    if any(not 0 <= extent <= LIMIT for extent in shape):
        rule = f"has the shape [{', '.join(shown(n) for n in shape)}]"
        raise refuse(param, "HST4004", rule, "give whole numbers from 0 to 2^63 - 1")
    check_rank(param, shape)


def laid_out(param: Param, x: Any, copy: bool) -> Array:
    """Return a tensor whose elements lie one after the other from an aligned address.

    ``copy`` allows a copy to be made; without it, HST4006 says what to do.
    """
    negative = x.is_neg() or x.is_conj()
    sound = x.is_contiguous() and not negative
    aligned = x.numel() == 0 or x.data_ptr() % ALIGN == 0
    if sound and aligned:
        found: Array = x
        return found
    if copy:
        made: Array = x.resolve_neg().clone(memory_format=torch_module().contiguous_format)
        return made
    if not sound:
        rule = f"is not contiguous (shape {list(x.shape)}, strides {list(x.stride())})"
        raise refuse(param, "HST4006", rule, f"pass {param.name}.contiguous()")
    rule = f"starts {x.data_ptr() % ALIGN} bytes past a multiple of {ALIGN}"
    raise refuse(param, "HST4006", rule, f"pass {param.name}.clone()")


def check_device(param: Param, x: Array, device: str | None) -> None:
    """Check that a tensor is where the program runs (a ``host`` table: in host memory)."""
    wanted = "cpu" if param.host else device
    found = str(x.device)
    if wanted is None or found == wanted or found.partition(":")[0] == wanted:
        return
    why = "is declared host" if param.host else f"runs on {wanted}"
    subject = "the table" if param.host else "the program"
    advice = f'pass {param.name}.to("{wanted}")'
    raise refuse(param, "HST4007", f"is on {found}, but {subject} {why}", advice)


def within_reach(param: Param, x: Any, device: str | None, copy: bool) -> Array:
    """Return a ``host`` table in memory that the program's GPU can read: page-locked.

    ``copy`` allows a copy to be made; without it, HST4007 says what to do.
    """
    if not param.host or device is None or not device.startswith("cuda") or x.is_pinned():
        found: Array = x
        return found
    if copy:
        made: Array = x.pin_memory()
        return made
    rule = "lies in host memory that a GPU cannot read: it is not page-locked"
    raise refuse(param, "HST4007", rule, f"pass {param.name}.pin_memory()")


def within_reach_all(param: Param, arrays: Mapping[str, Array], device: str) -> Mapping[str, Array]:
    """Return the arrays a ``host`` table was packed into where the program's GPU can read them."""
    return {name: within_reach(param, x, device, copy=True) for name, x in arrays.items()}


def check_indices(x: Array, lo: int, hi: int, name: str) -> None:
    """Check ``lo <= x < hi`` for every element of a table used as a subscript.

    TableError HST4019 names the first element that is not. Waits for the device.
    """
    values = flat(x)
    if not values.shape[0]:
        return
    least, most = range_of(values)
    if lo <= least and most < hi:
        return
    at = first_true((values < lo) | (values >= hi))
    where, left = [], at
    for extent in reversed(x.shape):
        where.append(left % extent)
        left //= extent
    shown = f"{name}[{', '.join(str(i) for i in reversed(where))}]" if where else name
    rule = f"{shown} is {item(values, at)}, used as an index of {lo} .. {hi}"
    raise fault("HST4019", name, rule, "guard the access with a condition, or correct the index")


def check_overlap(arrays: Mapping[str, Sequence[Array]], written: Sequence[str]) -> None:
    """Check that no table that is written shares memory with another argument (HST4020)."""
    spans = [(name, _memory(x)) for name, xs in arrays.items() for x in xs if nbytes(x)]
    for name, (device, start, stop) in spans:
        for other, (where, begin, end) in spans:
            apart = other == name or device != where or begin >= stop or start >= end
            if name in written and not apart:
                rule = f"is written and shares memory with {other}"
                raise fault("HST4020", name, rule, f"pass {other}.clone()")


def _memory(x: Array) -> tuple[str, int, int]:
    return str(x.device), x.data_ptr(), x.data_ptr() + nbytes(x)
