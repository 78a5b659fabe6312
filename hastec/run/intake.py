"""What Python hands in, as tensors: NumPy arrays, numbers, and what each may hold."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from hastec.arrays import Array, torch_module
from hastec.ir.graph import Param
from hastec.ir.types import DType, Kind
from hastec.run.validate import check_memory, check_plain, refuse, shown

LARGEST = {
    "f16": 65504.0,
    "bf16": 3.3895313892515355e38,
    "f32": 3.4028234663852886e38,
    "f64": sys.float_info.max,
}


def tensor_of(param: Param, x: object, label: str = "", copy: bool = True) -> Array:
    """Return an array as a tensor on its own memory, whatever its type and shape.

    NumPy arrays that run backwards are copied if ``copy`` allows it (else HST4006), read-only ones
    always. TableError HST4001, HST4002 or HST4008 if it is no array, of no number type, or has no
    memory to read.
    """
    torch = torch_module()
    if isinstance(x, torch.Tensor):
        check_plain(param, x)
        if x.layout != torch.strided:
            raise refuse(param, "HST4001", f"{label} is itself sparse", "pass dense components")
        check_memory(param, x)
        found: Array = x.detach()
        return found
    if isinstance(x, np.ndarray):
        return _from_numpy(param, x, label, copy)
    subject = f"{label} is" if label else "is"
    rule = f"{subject} a {type(x).__name__}, no array"
    raise refuse(param, "HST4001", rule, "pass a torch tensor or a NumPy array")


def _from_numpy(param: Param, x: Any, label: str, copy: bool) -> Array:
    subject = f"{label} is" if label else "is"
    if isinstance(x, np.ma.MaskedArray):
        raise refuse(param, "HST4001", f"{subject} a masked array", "pass x.filled(…)")
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8:
        advice = "convert it to a plain number type: x.astype(…)"
        raise refuse(param, "HST4002", f"{subject} of NumPy type {x.dtype}", advice)
    if not x.dtype.isnative:
        advice = 'pass x.astype(x.dtype.newbyteorder("="))'
        raise refuse(param, "HST4002", f"{subject} not in the byte order of this machine", advice)
    strange = any(step % x.dtype.itemsize or step < 0 for step in x.strides)
    if strange and not copy:
        rule = f"{subject} not contiguous (strides {x.strides} bytes)"
        raise refuse(param, "HST4006", rule, f"pass np.ascontiguousarray({param.name})")
    if strange or not x.flags.writeable:
        # torch has no negative or fractional steps, and warns about memory it may not write.
        x = np.array(x, copy=True, order="C", subok=False)
    made: Array = torch_module().from_numpy(np.asarray(x))
    return made


def scalar(param: Param, x: bool | int | float) -> Array:
    """Return a Python number as a tensor of the declared type; HST4018 if it does not fit."""
    kind = param.dtype.kind
    if isinstance(x, bool) != (kind is Kind.BOOL) or (
        isinstance(x, float) and kind is not Kind.FLOAT
    ):
        rule = f"is declared {param.dtype} and was given {shown(x)}"
        raise refuse(param, "HST4002", rule, f"pass a number of type {param.dtype}")
    if not _fits(param.dtype, x):
        rule = f"is {shown(x)}, which {param.dtype} cannot hold"
        raise refuse(param, "HST4018", rule, "pass a smaller number, or declare a wider type")
    torch = torch_module()
    made: Array = torch.tensor(x, dtype=getattr(torch, param.dtype.numpy))
    return made


def _fits(dtype: DType, x: bool | int | float) -> bool:
    match dtype.kind:
        case Kind.BOOL:
            return True
        case Kind.INT:
            return -(1 << (dtype.bits - 1)) <= x < 1 << (dtype.bits - 1)
        case Kind.UINT:
            return 0 <= x < 1 << dtype.bits
        case Kind.FLOAT:
            infinite = isinstance(x, float) and not math.isfinite(x)
            return infinite or abs(x) <= LARGEST[dtype.name]
