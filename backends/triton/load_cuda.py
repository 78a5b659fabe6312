"""Launches cubins through the CUDA driver, on torch's current stream.

A launch packs its arguments into one buffer prepared when the kernel is loaded: no signature is
looked up and nothing is compiled at run time, whatever Triton's own launcher would do.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from hastec.contracts import Array
from hastec.diag import InternalError
from hastec.ir.kernel import Kernel

_MOST_SHARED = 48 << 10
"""Bytes of dynamic shared memory a kernel may use without asking for more."""
_SHARED_ATTRIBUTE = 8
"""CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES"""


@cache
def _driver() -> Any:
    library = ctypes.CDLL("libcuda.so.1")
    library.cuLaunchKernel.argtypes = [
        ctypes.c_void_p,
        *[ctypes.c_uint] * 7,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    return library


def _call(name: str, *args: Any) -> None:
    code = getattr(_driver(), name)(*args)
    if code:
        text = ctypes.c_char_p()
        _driver().cuGetErrorString(code, ctypes.byref(text))
        raise InternalError(f"{name} failed: {(text.value or b'unknown error').decode()}")


class Loaded:
    """A cubin on the current device."""

    __slots__ = ("_buffer", "_function", "_module", "_pointers", "_shared", "_threads", "kernel")

    def __init__(self, cubin: bytes, meta: dict[str, str], kernel: Kernel) -> None:
        import torch

        torch.cuda.current_stream()  # makes the primary context current
        torch.cuda.init()
        torch.zeros(1, device="cuda")
        self.kernel = kernel
        self._module = ctypes.c_void_p()
        _call("cuModuleLoadData", ctypes.byref(self._module), cubin)
        self._function = ctypes.c_void_p()
        name = meta["name"].encode()
        _call("cuModuleGetFunction", ctypes.byref(self._function), self._module, name)
        self._shared = int(meta["shared"])
        if self._shared > _MOST_SHARED:
            _call("cuFuncSetAttribute", self._function, _SHARED_ATTRIBUTE, self._shared)
        self._threads = int(meta["warps"]) * 32
        self._prepare(int(meta["extra"]))

    def _prepare(self, extra: int) -> None:
        """Lay out the argument buffer: pointers, sizes, and Triton's own trailing pointers."""
        width = ctypes.c_int64 if self.kernel.wide else ctypes.c_int32
        fields: list[Any] = [ctypes.c_uint64] * len(self.kernel.tables)
        fields += [width] * len(self.kernel.sizes)
        fields += [ctypes.c_uint64] * extra
        self._buffer = [field() for field in fields]
        addresses = [ctypes.addressof(value) for value in self._buffer]
        self._pointers = (ctypes.c_void_p * len(addresses))(*addresses)

    def __call__(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> None:
        """Enqueue the kernel on the current stream."""
        import torch

        at = 0
        buffer = self._buffer
        for array in arrays:
            buffer[at].value = array.data_ptr()
            at += 1
        for size in sizes:
            buffer[at].value = size
            at += 1
        programs = 1
        for extent in grid:
            programs *= extent
        stream = torch.cuda.current_stream().cuda_stream
        _call(
            "cuLaunchKernel",
            self._function,
            programs,
            1,
            1,
            self._threads,
            1,
            1,
            self._shared,
            stream,
            ctypes.addressof(self._pointers),
            None,
        )


def load_cubin(cubin: bytes, meta: str, kernel: Kernel) -> Loaded:
    """Return a launcher for a cubin; ``meta`` is what the build noted about it."""
    facts = dict(line.split(" ", 1) for line in meta.splitlines())
    return Loaded(cubin, facts, kernel)


def extra_arguments(ptx: str, kernel: Kernel) -> int:
    """Return how many arguments the entry takes beyond the kernel's own."""
    entry = re.search(r"\.entry\s+\w+\s*\((.*?)\)", ptx, re.DOTALL)
    count = len(re.findall(r"\.param", entry.group(1))) if entry else 0
    return max(0, count - len(kernel.tables) - len(kernel.sizes))
