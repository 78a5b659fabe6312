"""Calls of a bound program on copies of all it reads, taking turns: from memory, not cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hastec.arrays import Array, duplicate, nbytes, torch_module
from hastec.run.runner import Runner
from hastec.run.timing import Call, copies_for


def rotated(run: Runner, inputs: Mapping[str, object]) -> list[Call]:
    """Return calls that do the same work: on a GPU on copies of bound tables and inputs that
    together exceed its cache, on a CPU one call on the tables themselves.
    """
    if not run.device.startswith("cuda"):
        return [partial(run, **inputs)]
    size = sum(nbytes(x) for x in run.arrays.values()) + sum(map(_size, inputs.values()))
    return [partial(run, **inputs), *(_copy(run, inputs) for _ in range(copies_for(size) - 1))]


def _copy(run: Runner, inputs: Mapping[str, object]) -> Call:
    arrays: dict[str, Array] = {name: duplicate(x) for name, x in run.arrays.items()}
    mine = {name: x.clone() if _is_tensor(x) else x for name, x in _any(inputs).items()}
    return partial(replace(run, arrays=arrays, known={}), **mine)


def _any(inputs: Mapping[str, object]) -> Mapping[str, Any]:
    return inputs


def _is_tensor(x: object) -> bool:
    return isinstance(x, torch_module().Tensor)


def _size(x: Any) -> int:
    return int(x.nbytes) if _is_tensor(x) else 0
