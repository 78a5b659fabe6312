"""Tensors from safetensors files: a length, a JSON header, and the elements as they are.

The file is data from outside: the header is decoded strictly, every range is checked, nothing but
the tensor asked for is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from hastec.arrays import torch_module

HEAD: Final = 8
"""Bytes of the header's length, little endian."""
LONGEST: Final = 100 << 20
"""Bytes of the longest header; the format's own limit."""

KINDS: Final = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "U16": ("uint16", 2),
    "I16": ("int16", 2),
    "U32": ("uint32", 4),
    "I32": ("int32", 4),
    "I64": ("int64", 8),
    "F16": ("float16", 2),
    "BF16": ("int16", 2),
    "F32": ("float32", 4),
    "F64": ("float64", 8),
}
"""Element types: how NumPy reads them, and their bytes."""


@dataclass(frozen=True, slots=True)
class Member:
    """A tensor of a file: its element type there, its shape, and where its bytes lie."""

    kind: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_tensor(path: Path, name: str, size: int) -> Any:
    """Return a tensor of a file of ``size`` bytes: the one called ``name``, or its only one.

    Raises ValueError that says what is wrong.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(HEAD), "little")
        if length > min(LONGEST, size - HEAD):
            raise ValueError(f"its header states {length} bytes, more than the file holds")
        members = _members(file.read(length), size - HEAD - length)
        picked = _pick(members, name)
        kind, width = KINDS[picked.kind]
        count = prod(picked.shape)
        if picked.stop - picked.start != count * width:
            raise ValueError(f"{list(picked.shape)} {picked.kind} does not take the bytes stated")
        file.seek(HEAD + length + picked.start)
        flat = np.fromfile(file, np.dtype(kind).newbyteorder("<"), count)
    if flat.size != count:
        raise ValueError("it ends in the middle of a tensor")
    torch = torch_module()
    made = torch.from_numpy(flat.astype(flat.dtype.newbyteorder("="), copy=False))
    made = made.view(torch.bfloat16) if picked.kind == "BF16" else made
    return made.reshape(picked.shape)


def _pick(members: dict[str, Member], name: str) -> Member:
    if not name and len(members) == 1:
        return next(iter(members.values()))
    if name not in members:
        held = ", ".join(sorted(members)[:8]) + (", …" if len(members) > 8 else "")
        what = f"it has no tensor {name}" if name else "it holds several tensors"
        raise ValueError(f"{what}; name one behind the path: FILE:NAME, of {held or 'none'}")
    return members[name]


def _members(header: bytes, room: int) -> dict[str, Member]:
    try:
        found: object = json.loads(header.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("its header is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("its header is no object")
    return {n: _member(n, about, room) for n, about in found.items() if n != "__metadata__"}


def _member(name: str, about: object, room: int) -> Member:
    match about:
        case {"dtype": str(kind), "shape": list(shape), "data_offsets": [int(start), int(stop)]}:
            if kind not in KINDS:
                raise ValueError(f"{name} has elements of type {kind}, which is not known")
            if not all(isinstance(n, int) and 0 <= n < 2**63 for n in shape):
                raise ValueError(f"{name} has a shape that is none")
            if not 0 <= start <= stop <= room:
                raise ValueError(f"{name} lies outside the file")
            return Member(kind, tuple(shape), start, stop)
        case _:
            raise ValueError(f"{name} has no type, shape and place")
