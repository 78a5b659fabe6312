"""How much memory is left, asked before tables are made."""

from __future__ import annotations

import os
from pathlib import Path

from hastec.arrays import torch_module

MEMINFO = Path("/proc/meminfo")
UNKNOWN = 1 << 62
"""What is assumed where a system does not tell."""


def free_memory(device: object) -> int:
    """Return how many bytes new tables may take on a device, by torch's name.

    What can be given back at once counts as free: pages of files on a CPU, blocks that torch keeps
    for later on a GPU.
    """
    torch = torch_module()
    where = torch.device(str(device))
    if where.type == "cuda":
        kept = torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where)
        return int(torch.cuda.mem_get_info(where)[0]) + int(kept)
    return _available()


def _available() -> int:
    """Return what the system says is available to processes."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        found = [line.split() for line in lines if line.startswith("MemAvailable:")]
        if found:
            return int(found[0][1]) << 10
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError, IndexError):
        return UNKNOWN
