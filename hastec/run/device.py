"""The device a plan runs on, and the target that describes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hastec.arrays import torch_module
from hastec.target import SM80, SM90, SM100, TARGETS, Target, host_cpu


@dataclass(frozen=True, slots=True)
class Device:
    """A device by torch's name, the target it is, and its own name and driver for keys."""

    name: str
    target: Target
    model: str = ""


def gpu() -> Device | None:
    """Return the current CUDA device; None if there is none."""
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
        bandwidth=base.bandwidth * (1.4 if "H200" in facts.name else 1.0),
    )
    return Device(f"cuda:{index}", target, facts.name)


def cpu(lanes: int) -> Device:
    """Return this machine's processor, whose vectors hold ``lanes`` f32."""
    return Device("cpu", host_cpu(lanes))


def device_for(target: Target) -> str:
    """Return torch's name of the device a target's kernels run on."""
    return "cpu" if target.backend == "cpu" else "cuda"


def named_target(name: str) -> Target | None:
    """Return the target of that name, if it is one we know."""
    return TARGETS.get(name)
