"""Memory that launches bring themselves: parts of shared sums, and counters of arrivals.

Parts are new memory for every launch, as outputs are. Counters hold multiples of what arrives
between launches, so they are set to 0 once and used again: by launches that are ordered, those of
one stream, in one captured graph or in none. Each of these has counters of its own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeAlias

from hastec.arrays import Array, torch_module
from hastec.ir.kernel import Kernel

Maker: TypeAlias = Callable[[], Array]

Order: TypeAlias = tuple[int, int]
"""What launches are ordered by: a captured graph (0: none) and a stream."""

_CAPTURING = 1
"""CU_STREAM_CAPTURE_STATUS_ACTIVE"""
CAPTURES = 32
"""Graphs that find counters of 0; those captured later set theirs to 0 when they are replayed."""
STREAMS = 64
"""Streams and graphs whose counters are remembered."""


@dataclass(slots=True, eq=False)
class Counters:
    """Counters of 0 for one kernel at one number of tiles."""

    count: int
    device: str
    kept: tuple[Array, ...] = ()
    """Those for graphs, which do not keep them themselves."""
    given: int = 0
    used: dict[Order, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set counters to 0 for later: nothing that is captured should have to."""
        if self.device.startswith("cuda") and not _order(self.device)[0]:
            self.kept = _zeros(CAPTURES, self.count, self.device)
            torch_module().cuda.current_stream(self.device).synchronize()

    def take(self) -> Array:
        """Return the counters of a launch that is about to be made on the current stream."""
        if not self.device.startswith("cuda"):
            return _zeros(1, self.count, self.device)[0]
        order = _order(self.device)
        if order not in self.used:
            if len(self.used) >= STREAMS:
                self.used.clear()
            self.used[order] = self._next(order[0] != 0)
        return self.used[order]

    def _next(self, captured: bool) -> Array:
        if not captured or self.given >= len(self.kept):
            return _zeros(1, self.count, self.device)[0]
        self.given += 1
        return self.kept[self.given - 1]


def _order(device: str) -> Order:
    stream = int(torch_module().cuda.current_stream(device).cuda_stream)
    status, number = ctypes.c_int(), ctypes.c_uint64()
    more = None, None, None
    ask = _driver().cuStreamGetCaptureInfo_v2
    failed = ask(ctypes.c_void_p(stream), ctypes.byref(status), ctypes.byref(number), *more)
    captured = not failed and status.value == _CAPTURING
    return (number.value if captured else 0), stream


@cache
def _driver() -> Any:
    return ctypes.CDLL("libcuda.so.1")


def _zeros(rows: int, count: int, device: str) -> tuple[Array, ...]:
    """Return rows of counters, each aligned as arrays of kernels are."""
    torch = torch_module()
    return tuple(torch.zeros((rows, -(-count // 4) * 4), dtype=torch.int32, device=device))


@dataclass(slots=True, eq=False)
class Scratch:
    """The memory of one kernel's launches, by the sizes they run at."""

    kernel: Kernel
    counters: dict[tuple[int, str], Counters] = field(default_factory=dict)

    def makers(self, sizes: Mapping[str, int], device: str) -> tuple[tuple[str, Maker], ...]:
        """Return, by name, what makes the arrays that launches at these sizes bring."""
        found: list[tuple[str, Maker]] = []
        for table in self.kernel.tables:
            if table.numel is None or table.access not in ("scratch", "count"):
                continue
            count = table.numel.evaluate(sizes)
            if table.access == "count":
                key = count, device
                if key not in self.counters:  # making some sets memory to 0 and waits for it
                    self.counters[key] = Counters(count, device)
                found.append((table.name, self.counters[key].take))
                continue
            torch = torch_module()
            dtype = getattr(torch, table.dtype.numpy)
            make = partial(torch.empty, (count,), dtype=dtype, device=device)
            found.append((table.name, make))
        return tuple(found)
