"""Triton's interpreter, made to round to bfloat16 as machines do.

It cuts off the lower half of a float32, and converts other types bit by bit as if bfloat16 were an
integer. Processors round to nearest even.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def round_to_nearest() -> None:
    """Replace the conversions of this process's interpreter."""
    from triton.runtime import interpreter

    builder: Any = interpreter.InterpreterBuilder
    plain, handle, bf16 = builder.cast_impl, interpreter.TensorHandle, interpreter.tl.bfloat16

    def cast(self: object, source: Any, target: Any) -> Any:
        kind = target.scalar
        if bf16 not in (source.dtype.scalar, kind) or source.dtype.scalar == kind:
            return plain(self, source, target)
        if kind == bf16:
            return handle(narrowed(source.data.astype(np.float32)), kind)
        wide = handle(widened(source.data), interpreter.tl.float32)
        return plain(self, wide, target)

    builder.cast_impl = cast


def narrowed(x: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return the bits of float32 numbers rounded to bfloat16, to nearest even."""
    bits = np.atleast_1d(x).view(np.uint32)
    up = (bits >> 16 & 1) + 0x7FFF
    # A NaN stays one: its bits must not carry into the exponent.
    kept = np.where(np.isnan(np.atleast_1d(x)), bits | 0x400000, bits + up)
    return (kept >> 16).astype(np.uint16).reshape(np.shape(x))


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return bfloat16 numbers, given as their bits, as float32."""
    wide = (np.atleast_1d(bits).astype(np.uint32) << 16).view(np.float32)
    return wide.reshape(np.shape(bits))
