"""Calls that look like an earlier one: what was found out about shapes then is used again.

A call costs little only if nothing is derived anew: sizes, grids and what a table must fulfil
follow from the shapes of its tensors, so that a look at these is enough the second time. Whatever
is out of the ordinary takes the long way, which also words the errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
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
class Like:
    """A table as an earlier call gave it: another that is just like it needs fewer looks.

    What has no memory of its own refuses to tell its address or shape, so that neither layout nor
    wrappers need a look. ``size`` is that of an element, ``bytes`` that of all.
    """

    name: str
    tensors: tuple[type, ...]
    dtype: Any
    cpu: bool
    device: Any
    shape: Any
    size: int
    bytes: int

    @staticmethod
    def of(plain: Plain, x: Any) -> Like:
        """Return what is common to tensors like ``x``, which fits as a plain one."""
        size = x.element_size()
        cpu = plain.device.type == "cpu"
        kind = plain.name, plain.tensors, plain.dtype, cpu, plain.device
        return Like(*kind, x.shape, size, size * x.numel())

    def fits(self, x: Any) -> bool:
        """Whether a tensor is as the earlier one was. Raises RuntimeError for some that are not."""
        if type(x) not in self.tensors or x.dtype is not self.dtype or x.shape != self.shape:
            return False
        if not (x.is_cpu if self.cpu else x.device == self.device):
            return False
        if not x.is_contiguous() or x.is_neg():
            return False
        at = x.data_ptr()
        if not at or at % ALIGN:
            return False
        last = x.storage_offset() * self.size + self.bytes
        return bool(last <= x.untyped_storage().nbytes())


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """A kernel with everything a launch takes but the arrays, which are named."""

    launcher: Launcher
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    grid: tuple[int, ...]


Pick: TypeAlias = Callable[[list[Any]], tuple[Array, ...]]
"""Takes some arrays of a call, those of one launch."""


Numbers: TypeAlias = tuple[int, ...]


def steps(
    launches: Iterable[Launch], places: Mapping[str, int]
) -> Iterator[tuple[Callable[..., None], Pick, Numbers, Numbers]]:
    """Yield launches of a call whose arrays lie at these places: how, with which arrays, and at
    which sizes and grid.
    """
    for launch in launches:
        at = [places[name] for name in launch.names]
        pick: Pick = itemgetter(*at) if len(at) != 1 else partial(_only, at[0])
        # Looked up by name, a call of an object costs less.
        yield launch.launcher.__call__, pick, launch.sizes, launch.grid


def _only(at: int, arrays: list[Any]) -> tuple[Array, ...]:
    return (arrays[at],)


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """What calls of one kind have in common: arrays that stay, launches, and outputs to make.

    ``named`` are the sizes given by name. A call's arrays are those that stay, then its tables,
    then its outputs; ``returned`` tells where what it returns is among them.
    """

    likes: tuple[Like, ...]
    tables: tuple[str, ...]
    named: tuple[tuple[str, int], ...]
    kept: tuple[Array, ...]
    launches: tuple[tuple[Callable[..., None], Pick, Numbers, Numbers], ...]
    outputs: tuple[Callable[[], Array], ...]
    returned: tuple[int, ...]

    def fits(self, given: Mapping[str, Any]) -> bool:
        """Whether a call is of this kind, as far as a few looks tell."""
        if len(given) != len(self.likes) + len(self.named):
            return False
        try:
            for like in self.likes:
                if not like.fits(given[like.name]):
                    return False
        except (RuntimeError, KeyError):
            return False
        for name, n in self.named:
            if type(x := given.get(name)) is not int or x != n:
                return False
        return True

    def run(self, given: Mapping[str, Any]) -> Any:
        """Run with the tables of a call; returns the outputs."""
        arrays: list[Any] = [*self.kept]
        for name in self.tables:
            x = given[name]
            arrays.append(x.detach() if x.requires_grad else x)
        for make in self.outputs:
            arrays.append(make())
        for run, pick, sizes, grid in self.launches:
            run(pick(arrays), sizes, grid)
        if len(self.returned) == 1:
            return arrays[self.returned[0]]
        return tuple(arrays[n] for n in self.returned)


class Memory:
    """The kinds of calls a plan has seen, if all its tables are plain ones."""

    def __init__(self, params: tuple[Param, ...], device: str, able: bool) -> None:
        self.able = able
        self.plain = tuple(Plain.of(p, device) for p in params) if able else ()
        self.quick = able and not any(p.locked for p in self.plain)
        self.names = frozenset(p.name for p in params)
        self.calls: dict[Key, Again] = {}
        self.last: Again | None = None

    def again(self, given: Mapping[str, Any]) -> Again | None:
        """Return what is known of calls like this one, if there was one; it is the last then."""
        key = self.key(given)
        found = self.calls.get(key) if key is not None else None
        if found is not None and self.quick:
            self.last = found
        return found

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

    def likes(self, given: Mapping[str, Any]) -> tuple[Like, ...]:
        """Return what further calls like this one will give."""
        return tuple(Like.of(plain, given[plain.name]) for plain in self.plain)

    def remember(self, key: Key, again: Again) -> None:
        """Keep what was found out about a kind of calls."""
        if len(self.calls) >= MOST:
            self.calls.clear()
        self.calls[key] = again
