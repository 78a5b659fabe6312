"""Marks: by which a table that was read once is known again, while nothing can have changed it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hastec.arrays import torch_module

State: TypeAlias = tuple[object, ...]
"""Where the tensors of a table lie, in which version, with which shapes and steps."""

COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "torch.strided": (),
    "torch.sparse_coo": ("_indices", "_values"),
    "torch.sparse_csr": ("crow_indices", "col_indices", "values"),
    "torch.sparse_bsr": ("crow_indices", "col_indices", "values"),
    "torch.sparse_csc": ("ccol_indices", "row_indices", "values"),
    "torch.sparse_bsc": ("ccol_indices", "row_indices", "values"),
}
"""The tensors a tensor is made of, by its layout (none: itself)."""


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """A table as it was when it was read: which objects it was made of, and their state.

    Addresses alone are no mark: memory that is freed is given out again, at the same address and
    in the same first version. An object that still lives has kept its memory.
    """

    owners: tuple[weakref.ref[Any], ...]
    state: State

    def holds(self, value: object) -> bool:
        """Whether ``value`` is the table that was marked, and unchanged as far as torch counts
        changes (writes through ``.data`` or memory shared with others are not counted).
        """
        mine = _owners(value)
        if mine is None or len(mine) != len(self.owners):
            return False
        same = all(ref() is x for ref, x in zip(self.owners, mine, strict=True))
        return same and _state(value, mine) == self.state

    def alive(self) -> bool:
        """Whether the table may be seen again at all."""
        return all(ref() is not None for ref in self.owners)


def mark_of(value: object) -> Mark | None:
    """Return the mark of a table; None for what cannot be known again (arrays of NumPy and SciPy,
    paths, tensors that count no versions).
    """
    owners = _owners(value)
    state = None if owners is None else _state(value, owners)
    if owners is None or state is None:
        return None
    return Mark(tuple(weakref.ref(x) for x in owners), state)


def _owners(value: object) -> tuple[Any, ...] | None:
    """Return the tensors a table is given by; None if not all of it is tensors."""
    tensor = torch_module().Tensor
    if isinstance(value, tensor):
        return (value,)
    if not isinstance(value, Mapping):
        return None
    found = tuple(x for x in value.values() if isinstance(x, tensor))
    return found if found and all(map(_told, value.values())) else None


def _told(x: object) -> bool:
    """Whether a component is a tensor, or something whose value says all."""
    plain = isinstance(x, str | int) or (
        isinstance(x, tuple) and all(isinstance(n, int) for n in x)
    )
    return plain or isinstance(x, torch_module().Tensor)


def _state(value: object, owners: tuple[Any, ...]) -> State | None:
    """Return the state of a table; None if torch does not know one of its tensors' versions."""
    facts: list[object] = []
    if isinstance(value, Mapping):
        facts += [(n, None if _is_tensor(x) else x) for n, x in value.items()]
    try:
        for part in (p for owner in owners for p in _parts(owner)):
            facts.append((part.data_ptr(), part._version, tuple(part.shape), part.stride()))
        facts += [tuple(owner.shape) for owner in owners]
    except (RuntimeError, KeyError):  # made for inference, fake, nested, of another layout …
        return None
    return tuple(facts)


def _is_tensor(x: object) -> bool:
    return isinstance(x, torch_module().Tensor)


def _parts(owner: Any) -> Iterator[Any]:
    names = COMPONENTS[str(owner.layout)]
    yield from (getattr(owner, name)() for name in names) if names else (owner,)
