"""The CPU backend: text, object code, launches, threads, and what it never touches."""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import replace

import numpy as np
import pytest

from hastec.backends.cpu.backend import CODE, DIGEST, Cpu
from hastec.backends.cpu.facts import facts
from hastec.diag import InternalError
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.numeric import Array, carrier
from hastec.ir.types import BY_NAME
from hastec.target import CPU, SM90
from tests.unit.cpu_run import OLDER, ROWS, Address, aligned, launch, launcher, on_cpu, rows

HOST = replace(CPU, units=2)


def gather(dtype: str, lanes: int, index: str = "i32") -> Kernel:
    """Return a kernel that gathers ``x`` at ``at`` where it is not negative, 7 elsewhere."""
    kernel = read_kernel(f"""
kernel gather {{
  threads 1
  table at: {index} read align 16 numel N
  table x: {dtype} read align 16
  table y: {dtype} write align 16 numel N
  size N
  digit p: grid
  digit u: reg {lanes}
  grid p = (N + {lanes - 1}) / {lanes}
  %0: i32 = coord p
  %1: i32[u] = coord u
  %2: i32 = const {lanes}
  %3: i32 = mul(%0, %2)
  %4: i32 = size N
  %5: i32[u] = add(%3, %1)
  %7: bool[u] = lt(%5, %4)
  %8: ptr[u] = address at + %5
  %9: {index}[u] = load at[%8] mask %7 unit u
  %10: {index} = const 0
  %11: bool[u] = ge(%9, %10)
  %12: bool[u] = and(%7, %11)
  %13: ptr[u] = address x + %9
  %14: {dtype}[u] = load x[%13] mask %12 other {1.0 if dtype == "bool" else 7.0}
  %15: ptr[u] = address y + %5
  store y[%15] = %14 mask %7
}}
""")
    verify_kernel(kernel)
    return kernel


class Fence:
    """Arrays that end where memory nobody may touch begins."""

    def __init__(self) -> None:
        self.pages: list[mmap.mmap] = []
        self.libc = ctypes.CDLL(None, use_errno=True)

    def array(self, content: Array) -> Array:
        size = -(-content.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
        room = mmap.mmap(-1, size + mmap.PAGESIZE)
        self.pages.append(room)
        whole = np.frombuffer(room, np.uint8)
        guard = whole.ctypes.data + size
        assert self.libc.mprotect(ctypes.c_void_p(guard), mmap.PAGESIZE, 0) == 0
        found = whole[size - content.nbytes : size].view(content.dtype)
        found[...] = content
        return found


@pytest.mark.parametrize("arch", ["host", *OLDER])
@pytest.mark.parametrize("lanes", [1, 8, 16, 32])
@pytest.mark.parametrize("dtype", ["u8", "bool", "i16", "f16", "f32", "i64"])
def test_masked_accesses_touch_nothing(dtype: str, lanes: int, arch: str) -> None:
    kernel, fence = gather(dtype, lanes), Fence()
    rng = np.random.default_rng(0)
    kind = carrier(BY_NAME[dtype])
    count, length = 61, 48  # multiples of 4 bytes: arrays start aligned and end at the fence
    at = np.where(rng.random(count) < 0.3, -(10**9), rng.integers(0, length, count))
    at[:2] = [length - 1, 0]
    x = rng.integers(0, 2, length).astype(kind)
    arrays = {
        "at": fence.array(np.append(at, np.zeros(3)).astype(np.int32))[:count],
        "x": fence.array(x),
        "y": fence.array(np.zeros(64, kind))[:count],
    }
    flat = read_only_alignment(kernel)
    launch(launcher(flat, replace(HOST, arch=arch)), flat, arrays, {"N": count})
    other = np.asarray(1 if dtype == "bool" else 7).astype(kind)
    assert (arrays["y"] == np.where(at < 0, other, x[np.maximum(at, 0)])).all()


def read_only_alignment(kernel: Kernel) -> Kernel:
    """Return the kernel with arrays aligned to one element: fences decide where they start."""
    tables = tuple(replace(t, align=t.dtype.bytes) for t in kernel.tables)
    return replace(kernel, tables=tables)


@pytest.mark.parametrize("index", ["u8", "u16", "i16", "u32", "i64"])
def test_offsets_of_every_type(index: str) -> None:
    kernel = gather("f16", 16, index)
    length = {"u8": 256, "u16": 65536, "i16": 32768, "u32": 70000, "i64": 70000}[index]
    at = (
        np.random.default_rng(1)
        .integers(0, length, 100)
        .astype(index.replace("u", "uint").replace("i", "int").replace("uintnt", "uint"))
    )
    at[0] = length - 1
    x = (np.arange(length) % 2039).astype(np.float16)
    found = on_cpu(kernel, {"at": at, "x": x, "y": np.zeros(100, np.float16)}, {"N": 100})
    assert (found["y"] == x[at.astype(np.int64)]).all()


# ---------------------------------------------------------------------------------------- artefacts
def test_object_code_is_loaded_without_the_text() -> None:
    backend, kernel = Cpu(), rows()
    built = backend.build(backend.emit(kernel, {}, HOST), kernel, HOST)
    assert list(built.files) == [CODE, DIGEST]
    run = Cpu().load({name: bytes(part) for name, part in built.files.items()}, kernel, HOST)
    x, y = aligned(np.ones((2, 3, 16), np.float32)), aligned(np.zeros((2, 3), np.float32))
    run([Address(x), Address(y)], [2, 3], [2, 3])
    assert (y == 48).all()


@pytest.mark.parametrize("at", [0, 100, -1])
def test_damaged_object_code_is_not_linked(at: int) -> None:
    backend, kernel = Cpu(), rows()
    files = dict(backend.build(backend.emit(kernel, {}, HOST), kernel, HOST).files)
    damaged = bytearray(files[CODE])
    damaged[at] ^= 1
    with pytest.raises(InternalError, match="the object code of kernel rows is damaged"):
        backend.load(files | {CODE: bytes(damaged)}, kernel, HOST)
    with pytest.raises(InternalError, match="damaged"):
        backend.load(files | {CODE: files[CODE][: at or 50]}, kernel, HOST)


def test_the_same_kernel_gives_the_same_text_and_code() -> None:
    backend, kernel = Cpu(), rows()
    texts = [backend.emit(kernel, {}, HOST) for _ in range(2)]
    assert texts[0] == texts[1]
    codes = [backend.build(texts[0], kernel, HOST).files[CODE] for _ in range(2)]
    assert codes[0] == codes[1]


def test_the_text_names_values_and_shows_the_program() -> None:
    lines = {3: "    y[m, n] = sum[u] x[m, n, u]", 4: "    second line"}
    text = Cpu().emit(rows(), lines, HOST)
    assert text.suffix == ".ll"
    for part in (
        "; kernel rows\n; grid: m = M, n = N\n; lanes, by rank: u (16)\n",
        "; 3: y[m, n] = sum[u] x[m, n, u]",
        "; 4: second line",
        "%x.1 = load <16 x float>, ptr",
        "%acc = phi <16 x float>",
    ):
        assert part in text.source, part


def test_facts_are_read_off_the_machine_code() -> None:
    backend, kernel = Cpu(), gather("f32", 16)
    built = backend.build(backend.emit(kernel, {}, HOST), kernel, HOST)
    assert built.facts["vector"] == str(32 * backend.lanes())
    assert built.facts["spills"] == "0"
    assert 10 < int(built.facts["loop"]) <= int(built.facts["instructions"]) < 150


NESTED = """
programs:                               # @programs
	testl	%eax, %eax
	jle	.LBB0_5
.LBB0_1:
	vxorps	%ymm0, %ymm0, %ymm0
	jmp	.LBB0_3
.LBB0_2:
	incq	%rbx
	jmp	.LBB0_1
.LBB0_3:
	vaddps	(%rdi), %ymm0, %ymm0
	movq	%rcx, -8(%rsp)
	addq	$32, %rdi
	cmpq	%rdi, %rsi
	jne	.LBB0_3
	cmpq	%rbx, %rdx
	jne	.LBB0_2
.LBB0_5:
	retq
.Lfunc_end0:
	.size	programs, .Lfunc_end0-programs
other:
	vaddps	%zmm0, %zmm0, %zmm0
"""


def test_loops_are_found_by_the_ways_through_the_code() -> None:
    found = facts(NESTED)
    assert found == {"instructions": "14", "loop": "5", "spills": "1", "vector": "256"}
    assert facts("")["loop"] == "0"


def test_spills_are_counted() -> None:
    states = "\n  ".join(
        f"state %{100 + n}: f32[u] = carried k {n}\n  state %{200 + n}: f32[u] = final k {n}"
        for n in range(40)
    )
    starts = "\n  ".join(f"%{500 + n}: f32 = const {n}.5" for n in range(40))
    carries = ", ".join(
        f"%{100 + n} = %{500 + n} next %{300 + n} after %{200 + n}" for n in range(40)
    )
    adds = "\n".join(f"    %{300 + n}: f32[u] = mul(%{100 + n}, %10)" for n in range(40))
    sums = "\n  ".join(
        f"%{400 + n}: f32[u] = max(%{399 + n if n else 200}, %{200 + n})" for n in range(40)
    )
    text = ROWS.replace("state %20 acc: f32[u] = carried k 0", states)
    text = text.replace("  state %21 acc: f32[u] = final k 0\n", "")
    text = text.replace("  for k in", f"  {starts}\n  for k in")
    text = text.replace("%13: i32 = const 3", "%13: i32 = size M")  # not unrolled
    text = text.replace("with %20 = %12 next %22 after %21", f"with {carries}")
    text = text.replace("    %22: f32[u] = add(%20, %10)   # 4:5-9", adds)
    text = text.replace("%23 total: f32 = reduce sum %21", f"{sums}\n  %23: f32 = reduce sum %439")
    kernel, backend = read_kernel(text), Cpu()
    verify_kernel(kernel)
    built = backend.build(backend.emit(kernel, {}, HOST), kernel, HOST)
    assert int(built.facts["spills"]) > 0


# ----------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("digit u: reg 16", "digit u: thread 16", "a CPU has no thread or block digits (u)"),
        ("digit u: reg 16", "digit u: block 16", "a CPU has no thread or block digits (u)"),
        ("digit u: reg 16", "digit u: reg 8192", "%20 has more than 4096 elements"),
    ],
)
def test_refusals(old: str, new: str, reason: str) -> None:
    kernel = read_kernel(ROWS.replace(old, new))
    assert Cpu().refuse(kernel, HOST) == reason


def test_another_target_is_refused() -> None:
    assert Cpu().refuse(rows(), SM90) == "target sm_90 is no CPU"
    assert Cpu().refuse(rows(), HOST) == ""


def test_the_version_names_compiler_and_processor() -> None:
    assert Cpu().version() == Cpu().version()
    assert "llvm" in Cpu().version()
    assert "\n" not in Cpu().version()


@pytest.mark.parametrize(("arch", "lanes"), list(zip(OLDER, (4, 8), strict=False)))
def test_lanes_of_processors(arch: str, lanes: int) -> None:
    assert Cpu().lanes(arch) == lanes
    assert Cpu().lanes() in (4, 8, 16)
