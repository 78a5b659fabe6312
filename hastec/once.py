"""Builds that choices are made by: each kernel is built once, and what speaks against it told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hastec.contracts import Backend, Built, Emitted, Launcher
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_show import show_kernel
from hastec.target import Target


@dataclass(frozen=True, slots=True)
class Once:
    """A backend that keeps what it made, for as long as one compilation for one target takes.

    Kernels are told apart by their text: of numbers that are equal, it shows which one is meant.
    """

    backend: Backend
    lines: Mapping[int, str]
    emitted: dict[str, Emitted] = field(default_factory=dict)
    built: dict[str, Built] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the backend."""
        return self.backend.name

    def version(self) -> str:
        """Return what changes what is built."""
        return self.backend.version()

    def refuse(self, kernel: Kernel, target: Target) -> str:
        """Return why the backend cannot build a kernel, or ""."""
        return self.backend.refuse(kernel, target)

    def emit(self, kernel: Kernel, lines: Mapping[int, str], target: Target) -> Emitted:
        """Return the backend's source, made now or before."""
        key = show_kernel(kernel)
        if key not in self.emitted:
            self.emitted[key] = self.backend.emit(kernel, lines, target)
        return self.emitted[key]

    def build(self, emitted: Emitted, kernel: Kernel, target: Target) -> Built:
        """Return machine code, built now or before."""
        key = show_kernel(kernel)
        if key not in self.built:
            self.built[key] = self.backend.build(emitted, kernel, target)
        return self.built[key]

    def load(self, built: Mapping[str, bytes], kernel: Kernel, target: Target) -> Launcher:
        """Make the built code callable."""
        return self.backend.load(built, kernel, target)

    def against(self, kernel: Kernel, target: Target) -> str:
        """Return what speaks against the machine code of a kernel, or ""."""
        spilt = self.build(self.emit(kernel, self.lines, target), kernel, target).spilt
        return (
            f"its code keeps {spilt} bytes a thread in memory for want of registers"
            if spilt
            else ""
        )
