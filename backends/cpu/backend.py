"""The CPU backend as the rest of the compiler sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import prod

from hastec.backends.cpu import machine
from hastec.backends.cpu.emit import emit
from hastec.backends.cpu.facts import facts
from hastec.backends.cpu.load import Loaded
from hastec.backends.cpu.pool import Pool
from hastec.contracts import Built, Emitted, Launcher
from hastec.diag import InternalError
from hastec.ir.kernel import Arrive, Dot, Kernel
from hastec.target import Target

CODE, DIGEST = "kernel.o", "kernel.o.sha256"
"""The object code and the hash without which it is not loaded: linkers trust what they read."""
PARTS = 1 << 12
"""More register elements than this in one value make code nobody should compile."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Kernels of grid, loop and register digits as vector code for one machine.

    Threads are started on the first launch that is worth sharing, and kept.
    """

    name: str = "cpu"
    pool: Pool = field(default_factory=Pool, compare=False)

    def version(self) -> str:
        """Return the versions of the code generator, and the processor it finds here."""
        here = machine.processor("host")
        return f"cpu 1 {machine.version()} {here.triple} {here.cpu} {here.features}"

    def lanes(self, arch: str = "host") -> int:
        """Return how many f32 the widest vector register of a processor holds."""
        return machine.processor(arch).machine.bits // 32

    def refuse(self, kernel: Kernel, target: Target) -> str:
        """Return why this kernel cannot be built for ``target``, or ""."""
        if target.backend != self.name:
            return f"target {target.name} is no CPU"
        spread = [d.name for d in kernel.digits if d.role in ("thread", "block")]
        if spread:
            return f"a CPU has no thread or block digits ({', '.join(spread)})"
        extent = {d.name: d.extent or 1 for d in kernel.digits}
        for value in kernel.values().values():
            if isinstance(value.op, Dot):
                return "a CPU has no matrix products"
            if isinstance(value.op, Arrive):
                return "programs on a CPU share no sums"
            if prod(extent[d] for d in value.digits) > PARTS:
                return f"%{value.id} has more than {PARTS} elements"
        return ""

    def emit(self, kernel: Kernel, lines: Mapping[int, str], target: Target) -> Emitted:
        """Return LLVM IR for ``kernel``; ``lines`` holds the program's text by line number."""
        return Emitted(emit(kernel, lines, machine.processor(target.arch).machine), ".ll")

    def build(self, emitted: Emitted, kernel: Kernel, target: Target) -> Built:
        """Compile to object code."""
        code, assembly = machine.compile_text(emitted.source, machine.processor(target.arch))
        return Built({CODE: code, DIGEST: sha256(code).digest()}, facts(assembly))

    def load(self, built: Mapping[str, bytes], kernel: Kernel, target: Target) -> Launcher:
        """Link object code into this process; nothing is compiled."""
        code = built[CODE]
        if sha256(code).digest() != built[DIGEST]:
            raise InternalError(f"the object code of kernel {kernel.name} is damaged")
        return Loaded(code, kernel, target.units, self.pool)
