"""The door to Triton: generated modules are files, imported like any other, and compiled."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from hastec.backends.triton.load_cuda import extra_arguments
from hastec.backends.triton.names import arguments_of, identifier
from hastec.backends.triton.ops import SIGNATURES
from hastec.diag import Diagnostic, HasteError
from hastec.diag.library import not_installed
from hastec.ir.kernel import Kernel
from hastec.target import Target

DISTRIBUTIONS = ("triton", "pytorch-triton")
"""Names that Triton is installed under."""


def triton_version() -> str:
    """Return the version of Triton, and so of the assembler it carries; source needs none."""
    for name in DISTRIBUTIONS:
        with suppress(importlib.metadata.PackageNotFoundError):
            return f"triton {importlib.metadata.version(name)}"
    return "triton none"


def tools() -> Path:
    """Return the folder of the disassembler that comes with Triton."""
    import triton

    return Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


def import_file(path: Path, name: str) -> ModuleType:
    """Import a generated module from its file, without leaving byte code beside it."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def as_file(source: str, suffix: str = ".py") -> Iterator[Path]:
    """Hold a source in a file of its own: Triton reads functions from their files."""
    with tempfile.TemporaryDirectory(prefix="haste-") as folder:
        path = Path(folder) / f"kernel{suffix}"
        path.write_text(source, encoding="utf-8")
        yield path


def require_compiler(interpreting: bool) -> None:
    """Raise HasteError HST6008 if Triton was imported to interpret kernels."""
    if interpreting:
        message = "Triton was imported to interpret kernels, so it compiles none"
        advice = "unset TRITON_INTERPRET; HASTE_INTERPRET=1 interprets kernels where that is wanted"
        raise HasteError(Diagnostic("HST6008", message, None, advice))


def compile_kernel(source: str, kernel: Kernel, target: Target) -> dict[str, bytes]:
    """Compile a generated module for a target; no device is needed.

    Returns the intermediate texts and the machine code by suffix, and ``meta``: what a launch
    needs to know. Raises what Triton raises; callers turn that into a rejected candidate.
    """
    try:
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise not_installed("triton", "machine code for GPUs is made by it") from None
    require_compiler(triton.knobs.runtime.interpret)
    with as_file(source) as path:
        module = import_file(path, "haste_kernel")
        fn = getattr(module, identifier(kernel.name))
        gpu: Any = (
            GPUTarget("hip", target.arch, target.lanes)
            if target.arch.startswith("gfx")
            else GPUTarget("cuda", int(target.arch), target.lanes)
        )
        aligned = {(n,): [["tt.divisibility", t.align]] for n, t in enumerate(kernel.tables)}
        aligned.update(_multiples(kernel))
        job = ASTSource(fn=fn, signature=signature(kernel), constexprs={}, attrs=aligned)
        options = {"num_warps": max(1, kernel.threads // target.lanes)}
        done = triton.compile(job, target=gpu, options=options)
    return _files(done, kernel)


def _multiples(kernel: Kernel) -> dict[tuple[int], list[list[object]]]:
    """Return what is known to divide the scalar arguments."""
    known = {str(r.size): r.step for r in kernel.requires if r.step > 1}
    first = len(kernel.tables)
    return {
        (first + n,): [["tt.divisibility", known[s]]]
        for n, s in enumerate(kernel.sizes)
        if s in known
    }


def _files(done: Any, kernel: Kernel) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for suffix in ("ttgir", "ptx", "amdgcn", "cubin", "hsaco"):
        content = done.asm.get(suffix)
        if content is not None:
            files[suffix] = content if isinstance(content, bytes) else str(content).encode()
    meta = done.metadata
    extra = extra_arguments(files.get("ptx", b"").decode(), kernel)
    lines = [f"name {meta.name}", f"shared {meta.shared}", f"warps {meta.num_warps}"]
    lines.append(f"extra {extra}")
    files["meta"] = "\n".join(lines).encode()
    return files


def signature(kernel: Kernel) -> dict[str, str]:
    """Return Triton's types of a kernel's arguments, in order."""
    names = arguments_of(kernel)
    found = {names[t.name]: "*" + SIGNATURES[t.dtype] for t in kernel.tables}
    found.update((names[s], "i64" if kernel.wide else "i32") for s in kernel.sizes)
    return found
