"""Calls that look like an earlier one: what was found out about shapes then is used again.

A call costs little only if nothing is derived anew: sizes, grids and what a table must fulfil
follow from the shapes of its tensors, so that a look at these is enough the second time. Whatever
is out of the ordinary takes the long way, which also words the errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hastec.arrays import Array, torch_module
from hastec.contracts import Launcher
from hastec.ir.graph import Param
from hastec.run.validate import ALIGN

Key: TypeAlias = tuple[object, ...]
"""The shapes of a call's tables and the sizes passed by name."""

MOST = 64
"""How many kinds of calls a plan remembers."""


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """A table that a call gives as a dense tensor and that is used as it is."""

    name: str
    array: str
    dtype: Any
    device: Any
    tensors: tuple[type, ...]
    layout: Any
    locked: bool = False
    """Whether it must be page-locked: in host memory, read by a GPU."""

    @staticmethod
    def of(param: Param, device: str) -> Plain:
        """Return what a tensor given for ``param`` must be, for a program on a device."""
        torch = torch_module()
        where = torch.device("cpu" if param.host else device)
        kind = getattr(torch, param.dtype.numpy)
        types = torch.Tensor, torch.nn.Parameter
        locked = param.host and device.startswith("cuda")
        return Plain(param.name, f"{param.name}.val", kind, where, types, torch.strided, locked)

    def fits(self, x: Any) -> bool:
        """Whether a tensor can be used as it is, if its shape is right."""
        if type(x) not in self.tensors or x.dtype is not self.dtype or x.layout is not self.layout:
            return False
        if x.is_nested or x.device != self.device or x.is_neg() or x._is_zerotensor():
            return False
        if not x.is_contiguous() or x.data_ptr() % ALIGN or (self.locked and not x.is_pinned()):
            return False
        last = x.storage_offset() + x.numel()
        return bool(last * x.element_size() <= x.untyped_storage().nbytes())


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """A kernel with everything a launch takes but the arrays, which are named."""

    launcher: Launcher
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    grid: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A launch with the arrays that stay; ``given`` tells where which others go."""

    launch: Launch
    arrays: tuple[Array | None, ...]
    given: tuple[tuple[int, str], ...]

    @staticmethod
    def of(launch: Launch, arrays: Mapping[str, Array]) -> Bound:
        """Return a launch with those of its arrays that are there."""
        given = ((n, name) for n, name in enumerate(launch.names) if name not in arrays)
        return Bound(launch, tuple(map(arrays.get, launch.names)), tuple(given))

    def run(self, arrays: Mapping[str, Array]) -> None:
        """Launch with the arrays of a call."""
        mine: list[Any] = list(self.arrays)
        for at, name in self.given:
            mine[at] = arrays[name]
        self.launch.launcher(mine, self.launch.sizes, self.launch.grid)


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """What calls of one kind have in common: launches, and outputs to make."""

    launches: tuple[Bound, ...]
    outputs: tuple[tuple[str, Callable[[], Array]], ...]
    returned: tuple[str, ...]

    def run(self, arrays: dict[str, Array]) -> Any:
        """Run with the tables of a call, to which outputs are added; returns the outputs."""
        for name, make in self.outputs:
            arrays[name] = make()
        for launch in self.launches:
            launch.run(arrays)
        if len(self.returned) == 1:
            return arrays[self.returned[0]]
        return tuple(arrays[n] for n in self.returned)


class Memory:
    """The kinds of calls a plan has seen, if all its tables are plain ones."""

    def __init__(self, params: tuple[Param, ...], device: str, able: bool) -> None:
        self.able = able
        self.plain = tuple(Plain.of(p, device) for p in params) if able else ()
        self.names = frozenset(p.name for p in params)
        self.calls: dict[Key, Again] = {}

    def key(self, given: Mapping[str, Any]) -> Key | None:
        """Return what tells the kind of a call; None if a table needs a closer look."""
        if not self.able:
            return None
        found: list[object] = []
        for plain in self.plain:
            x: Any = given.get(plain.name)
            if not plain.fits(x):
                return None
            found.append(x.shape)
        if len(given) > len(found):
            named = [(n, x) for n, x in given.items() if n not in self.names]
            if any(type(x) is not int for _, x in named):
                return None
            found += named
        return tuple(found)

    def arrays(self, given: Mapping[str, Any]) -> dict[str, Array]:
        """Return the arrays of a call's tables by the names kernels know them by."""
        found: dict[str, Array] = {}
        for plain in self.plain:
            x = given[plain.name]
            found[plain.array] = x.detach() if x.requires_grad else x
        return found

    def remember(self, key: Key, again: Again) -> None:
        """Keep what was found out about a kind of calls."""
        if len(self.calls) >= MOST:
            self.calls.clear()
        self.calls[key] = again
