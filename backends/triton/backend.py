"""The Triton backend: emit, build without a device, load on the device there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import cast

from hastec.backends.triton import load_module, machine, machine_amd
from hastec.backends.triton.emit import emit_source
from hastec.backends.triton.interpreter import Tensor, Worker, shared_worker
from hastec.backends.triton.names import identifier
from hastec.backends.triton.ops import SIGNATURES
from hastec.backends.triton.pressure import registers
from hastec.contracts import Array, Built, Emitted, Launcher
from hastec.ir.ahead import ahead
from hastec.ir.kernel import Kernel
from hastec.target import Target

POPCOUNT = "triton.language.extra.libdevice.popc"
MOST_ELEMENTS = 1 << 20
"""Triton's own limit on the size of a tensor."""

FILE = 1 << 16
"""Registers that the threads of a program share, where a warp has 32 lanes."""
SPARE = {"90": 1.25}
"""By what factor an estimate may exceed the registers there are: where matrix units read factors
from shared memory, fewer are needed than elsewhere.
"""


@dataclass(frozen=True, slots=True)
class TritonBackend:
    """Emits Triton; ``interpret`` runs it in Triton's interpreter instead of on a GPU."""

    interpret: bool = False
    name: str = "triton"
    worker: Worker = field(default_factory=shared_worker, compare=False, repr=False)

    def version(self) -> str:
        """Return what changes machine code: Triton's version, and whether it is interpreted."""
        return load_module.triton_version() + (" interpreted" if self.interpret else "")

    def refuse(self, kernel: Kernel, target: Target) -> str:
        """Return why Triton cannot hold this kernel, or ""."""
        tiles = [d for d in kernel.digits if d.role in ("thread", "reg", "block")]
        for digit in tiles:
            extent = digit.extent or 0
            if extent < 1 or extent & (extent - 1):
                return f"digit {digit.name} takes {digit.extent} values, not a power of two"
        for table in kernel.tables:
            if table.dtype not in SIGNATURES:
                return f"array {table.name} holds {table.dtype}, which Triton has no type for"
        if kernel.threads % target.lanes or kernel.threads > 1024:
            return f"{kernel.threads} threads are no whole number of warps up to 1024 threads"
        for value in kernel.values().values():
            count = prod(kernel.digit(d).extent or 1 for d in value.digits)
            if count > MOST_ELEMENTS:
                return f"a value has {count} elements, more than {MOST_ELEMENTS}"
        return _crowded(kernel, target)

    def emit(self, kernel: Kernel, lines: Mapping[int, str], target: Target) -> Emitted:
        """Return a stand-alone module."""
        nvidia = not (self.interpret or target.arch.startswith("gfx"))
        popc = POPCOUNT if nvidia else ""
        return Emitted(emit_source(ahead(kernel), lines, popc, self.interpret), ".py")

    def build(self, emitted: Emitted, kernel: Kernel, target: Target) -> Built:
        """Compile; facts are read off the machine code."""
        files = {"kernel.py": emitted.source.encode()}
        if self.interpret:
            return Built(files)
        done = load_module.compile_kernel(emitted.source, kernel, target)
        files.update((f"kernel.{suffix}", content) for suffix, content in done.items())
        facts = {}
        if "cubin" in done:
            facts = machine.read_cubin(done["cubin"], load_module.tools()).facts()
        elif "amdgcn" in done:
            facts = machine_amd.parse(done["amdgcn"].decode()).facts()
        return Built(files, facts)

    def load(self, built: Mapping[str, bytes], kernel: Kernel, target: Target) -> Launcher:
        """Make a built kernel callable."""
        if self.interpret:
            return _Interpreted(built["kernel.py"].decode(), kernel, self.worker)
        from hastec.backends.triton.load_cuda import load_cubin  # needs a driver library

        return load_cubin(built["kernel.cubin"], built["kernel.meta"].decode(), kernel)


def _crowded(kernel: Kernel, target: Target) -> str:
    """Return why registers would spill, or ""; programs of many threads have fewer each."""
    have = min(target.registers, FILE * target.lanes // (32 * kernel.threads))
    need = registers(kernel)
    if need > SPARE.get(target.arch, 1.0) * have:
        return f"about {need} registers a thread are needed, and there are {have}"
    return ""


@dataclass(slots=True)
class _Interpreted:
    """Runs a generated module in Triton's interpreter."""

    source: str
    kernel: Kernel
    worker: Worker

    def __call__(self, arrays: Sequence[Array], sizes: Sequence[int], grid: Sequence[int]) -> None:
        count = prod(grid)
        if count == 0:
            return
        with load_module.as_file(self.source) as path:
            held = cast(Sequence[Tensor], arrays)  # of a host: torch's
            self.worker.run(path, identifier(self.kernel.name), held, sizes, count)
