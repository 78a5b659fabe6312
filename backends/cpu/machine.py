"""Machine code: the door to LLVM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Protocol

import llvmlite
from llvmlite import binding

from hastec.backends.cpu.code import Machine
from hastec.diag import InternalError


@dataclass(frozen=True, slots=True)
class Processor:
    """What machine code is made for: a target triple, a processor and its features."""

    triple: str
    cpu: str
    features: str
    machine: Machine


class Linked(Protocol):
    """Machine code in memory; it stays as long as this does."""

    def get_function_address(self, name: str) -> int:
        """Return the address of a function."""
        ...


@cache
def _start() -> None:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


@cache
def processor(arch: str) -> Processor:
    """Return the processor ``arch`` names: ``host`` for this one with all its features, else a
    name LLVM knows (``x86-64``, ``x86-64-v3``, ``apple-m1`` …), with what that name promises.
    """
    triple = str(binding.get_process_triple())
    if arch != "host":
        return Processor(triple, arch, "", _machine(triple, arch, ""))
    found = binding.get_host_cpu_features()
    features = ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(found.items()))
    cpu = str(binding.get_host_cpu_name())
    return Processor(triple, cpu, features, _machine(triple, cpu, features))


_LEVELS = {"x86-64-v3": ("avx2",), "x86-64-v4": ("avx2", "avx512f")}


def _machine(triple: str, cpu: str, features: str) -> Machine:
    if triple.startswith(("aarch64", "arm64")):
        return Machine(half=True, fma=True)
    on = {f[1:] for f in features.split(",") if f.startswith("+")} | set(_LEVELS.get(cpu, ()))
    wide = "avx512f" in on
    return Machine(
        half="f16c" in on or "avx2" in on,
        fma="fma" in on or "avx2" in on,
        scale=wide,
        gather=wide,
        bits=512 if wide else 256 if "avx2" in on else 128,
    )


def version() -> str:
    """Return the versions of what makes machine code."""
    llvm = ".".join(str(n) for n in binding.llvm_version_info)
    return f"llvmlite {llvmlite.__version__} llvm {llvm}"


def compile_text(text: str, target: Processor) -> tuple[bytes, str]:
    """Return the object code of a module given as text, and its assembly for people.

    Raises ``InternalError`` if LLVM does not take the text.
    """
    _start()
    try:
        module = binding.parse_assembly(text)
        module.triple = target.triple
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"LLVM refuses the text: {error}\n{text}") from None
    made = binding.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="small"
    )
    module.data_layout = str(made.target_data)
    tuning = binding.create_pipeline_tuning_options(speed_level=2)
    # Vectors are chosen by the schedule: looking for more costs time and hides what was chosen.
    tuning.loop_vectorization = False
    tuning.slp_vectorization = False
    tuning.loop_interleaving = False
    builder = binding.create_pass_builder(made, tuning)
    builder.getModulePassManager().run(module, builder)
    return bytes(made.emit_object(module)), str(made.emit_assembly(module))


def link(code: bytes, symbols: Mapping[str, int] = MappingProxyType({})) -> Linked:
    """Return object code made executable in this process; ``InternalError`` if it is broken.

    ``symbols`` says where functions lie that it calls.
    """
    _start()
    try:
        for name, address in symbols.items():
            binding.add_symbol(name, address)
        shell = binding.parse_assembly("")
        made = binding.Target.from_default_triple().create_target_machine()
        engine = binding.create_mcjit_compiler(shell, made)
        engine.add_object_file(binding.ObjectFileRef.from_data(code))
        engine.finalize_object()
    except RuntimeError as error:
        raise InternalError(f"LLVM cannot link this code: {error}") from None
    linked: Linked = engine
    return linked
