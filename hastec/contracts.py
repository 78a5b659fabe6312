"""The contracts between layers: what a backend is, and what it hands to a launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hastec.ir.kernel import Kernel
from hastec.target import Target


@dataclass(frozen=True, slots=True)
class Emitted:
    """Generated code: ``source`` as a person reads it, and ``suffix`` of the file that holds it."""

    source: str
    suffix: str


@dataclass(frozen=True, slots=True)
class Built:
    """What a build leaves for the cache: files by name, and facts read off the machine code.

    The fact ``stack`` counts the bytes a thread keeps in memory, for want of registers.
    """

    files: Mapping[str, bytes]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def spilt(self) -> int:
        """The bytes a thread keeps in memory; 0 where nobody counted."""
        return int(self.facts.get("stack", "0"))


class Array(Protocol):
    """What a launcher needs of an array (torch tensors qualify)."""

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        ...


class Launcher(Protocol):
    """A loaded kernel."""

    def __call__(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> None:
        """Run every program of ``grid``.

        ``arrays`` follow ``kernel.tables``, ``sizes`` follow ``kernel.sizes`` and ``grid`` gives
        the number of values of each grid digit in order. On a GPU this only enqueues work on the
        current stream: no synchronisation, no allocation.
        """
        ...


class Backend(Protocol):
    """A code generator: kernels in, launchable code out. It knows roles and nodes, no sparsity."""

    @property
    def name(self) -> str:
        """The name it is known by: ``cpu``, ``triton``."""
        ...

    def version(self) -> str:
        """Return everything about this backend that changes what it builds, as one line."""
        ...

    def refuse(self, kernel: Kernel, target: Target) -> str:
        """Return why this kernel cannot be built for ``target``, or "" if it can."""
        ...

    def emit(self, kernel: Kernel, lines: Mapping[int, str], target: Target) -> Emitted:
        """Return source for ``kernel``; ``lines`` holds the program's text by line number."""
        ...

    def build(self, emitted: Emitted, kernel: Kernel, target: Target) -> Built:
        """Compile to machine code, without a device."""
        ...

    def load(self, built: Mapping[str, bytes], kernel: Kernel, target: Target) -> Launcher:
        """Make the built code callable on this machine's device."""
        ...
