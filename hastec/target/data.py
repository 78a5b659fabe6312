"""Targets: limits, rates and the cost of operations, read by pricing and by the schedule space.

Rates are ceilings used for ranking. ``slots`` are issue slots a thread (GPU) or a vector (CPU)
spends on one operation; they are fitted from tuning records, never stated by a lowering.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Target:
    """One processor.

    ``lanes`` is the width of a warp (GPU) or of an f32 vector (CPU); ``units`` the number of
    multiprocessors or cores; ``memory`` and ``cache`` in bytes, ``bandwidth`` in bytes/s,
    ``issue`` in lane-instructions/s (GPU) or cycles/s of one core (CPU), ``flops`` the rate of
    16-bit matrix products, ``launch`` the seconds a launch costs inside a captured graph. A CPU
    that ``gathers`` reads the lanes of a vector from scattered addresses, and those of any vector
    under masks, with one instruction.
    """

    name: str
    backend: str
    arch: str
    lanes: int
    units: int
    bandwidth: float
    issue: float
    flops: float
    l2: int
    registers: int = 255
    shared: int = 0
    threads: tuple[int, ...] = (1,)
    """Sizes of a program; (1,) where programs have no threads."""
    launch: float = 2e-6
    gathers: bool = True
    slots: tuple[tuple[str, float], ...] = field(default=())

    def slot(self, operation: str, default: float = 1.0) -> float:
        """Return the issue slots of ``operation``."""
        return dict(self.slots).get(operation, default)


_GPU_SLOTS = (
    ("address", 2.0),
    ("load", 1.0),
    ("convert", 1.0),
    ("pack", 0.5),
    ("exp", 2.0),
    ("divide", 8.0),
    ("mask", 1.0),
    ("loop", 4.0),
    ("shuffle", 2.0),
    ("barrier", 8.0),
    ("uniform", 0.5),
)

_WARPS = (32, 64, 128, 256, 512)

SM80 = Target(
    "sm_80", "triton", "80", 32, 108, 1.7e12, 19.5e12, 260e12, 40 << 20, 255, 163 << 10, _WARPS,
    slots=_GPU_SLOTS,
)  # fmt: skip
SM90 = Target(
    "sm_90", "triton", "90", 32, 132, 3.3e12, 30.0e12, 790e12, 50 << 20, 255, 227 << 10, _WARPS,
    slots=_GPU_SLOTS,
)  # fmt: skip
SM100 = Target(
    "sm_100", "triton", "100", 32, 148, 7.0e12, 36.0e12, 1600e12, 120 << 20, 255, 227 << 10, _WARPS,
    slots=_GPU_SLOTS,
)  # fmt: skip
GFX942 = Target(
    "gfx942", "triton", "gfx942", 64, 304, 4.0e12, 40.0e12, 900e12, 256 << 20, 512, 64 << 10,
    (64, 128, 256, 512), slots=_GPU_SLOTS,
)  # fmt: skip
CPU = Target(
    "cpu", "cpu", "host", 16, 2, 40e9, 2.6e9, 100e9, 2 << 20, 32, launch=2e-6,
    slots=(
        ("width", 4.5), ("vectors", 2.0), ("loads", 2.0), ("uniform", 0.5), ("gather", 0.35),
        ("narrow", 9.0), ("exp", 16.0), ("divide", 16.0), ("loop", 0.5), ("leave", 14.0),
        ("tail", 5.0), ("program", 8.0), ("line", 0.45), ("far", 6.5), ("out", 12.0),
    ),
)  # fmt: skip

TARGETS: dict[str, Target] = {t.name: t for t in (SM80, SM90, SM100, GFX942, CPU)}


def host_cpu(lanes: int = 16) -> Target:
    """Return the CPU target with this machine's number of usable cores."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return replace(CPU, units=count or 1, lanes=lanes, gathers=lanes >= 16)
