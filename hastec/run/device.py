"""The device a plan runs on, and the target that describes it."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass, replace

from hastec.arrays import torch_module
from hastec.diag import Diagnostic, HasteError
from hastec.target import SM80, SM90, SM100, TARGETS, Target, host_cpu


@dataclass(frozen=True, slots=True)
class Device:
    """A device by torch's name, the target it is, and its own name and driver for keys."""

    name: str
    target: Target
    model: str = ""


def gpu() -> Device | None:
    """Return the current CUDA device; None if there is none."""
    if not _driver_is_there():
        return None
    torch = torch_module()
    if not torch.cuda.is_available():
        return None
    index = torch.cuda.current_device()
    major, minor = torch.cuda.get_device_capability(index)
    facts = torch.cuda.get_device_properties(index)
    base = SM80 if major < 9 else SM90 if major < 10 else SM100
    target = replace(
        base,
        arch=f"{major}{minor}",
        name=f"sm_{major}{minor}",
        units=facts.multi_processor_count,
        l2=facts.L2_cache_size,
        bandwidth=base.bandwidth * (1.3 if "H200" in facts.name else 1.0),
    )
    return Device(f"cuda:{index}", target, facts.name)


def _driver_is_there() -> bool:
    """Whether this machine has an NVIDIA driver: asking that takes no time, asking torch does."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def cpu(lanes: int) -> Device:
    """Return this machine's processor, whose vectors hold ``lanes`` f32."""
    return Device("cpu", host_cpu(lanes))


def named(name: str) -> Device:
    """Return the device of a target by name, whether or not this machine has one.

    Raises HasteError HST6005 for a name that is no target.
    """
    if name not in TARGETS:
        message = f"no target is called {name}"
        raise HasteError(Diagnostic("HST6005", message, None, f"one of {', '.join(TARGETS)}"))
    target = TARGETS[name]
    # Kernels that no GPU here can run are interpreted on CPU tensors, or only compiled.
    found = gpu() if target.backend != "cpu" else None
    return found if found is not None and found.target.name == name else Device("cpu", target)
