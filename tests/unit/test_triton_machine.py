"""Figures read off machine code, registers estimated before there is any, and the child process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hastec.backends.triton import machine, machine_amd
from hastec.backends.triton.backend import TritonBackend
from hastec.backends.triton.interpreter import Worker
from hastec.backends.triton.pressure import registers
from hastec.ir.builder import Builder
from hastec.ir.kernel import Digit, Kernel, Table
from hastec.ir.types import F32
from hastec.sym.size import Size
from hastec.target import SM80, SM90

NVIDIA = """
.text.kernel:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/                   LDG.E.128 R4, desc[UR4][R2.64] ;
.L_x_0:
        /*0020*/              @!P0 LDG.E.U16 R8, desc[UR4][R2.64] ;
        /*0030*/                   HMMA.16816.F32 R4, R4, R8, R4 ;
        /*0040*/                   LDS R9, [R3] ;
        /*0050*/               @P1 BRA `(.L_x_0) ;
        /*0060*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
        /*0070*/                   LDGDEPBAR ;
        /*0080*/                   SHFL.BFLY PT, R5, R4, 0x1, 0x1f ;
        /*0090*/               @P2 BRA `(.L_x_1) ;
        /*00a0*/                   EXIT ;
"""
AMD = """
kernel:
.LBB0_0:
	s_load_dwordx2 s[0:1], s[4:5], 0x0
	s_cbranch_scc1 .LBB0_2
.LBB0_1:
	global_load_dwordx4 v[0:3], v4, s[0:1]
	buffer_load_ushort v5, v6, s[0:3], 0 offen
	v_mfma_f32_16x16x16_f16 a[0:3], v[0:1], v[2:3], a[0:3]
	ds_read_b128 v[8:11], v7
	v_add_f32_dpp v0, v1, v2 row_shr:1
	s_barrier
	s_cbranch_vccnz .LBB0_1
.LBB0_2:
	s_endpgm
    .private_segment_fixed_size: 16
    .vgpr_count:     44
"""


def test_figures_of_nvidia_code() -> None:
    found = machine.parse(NVIDIA, "REG:40 STACK:8 SHARED:0")
    assert (found.instructions, found.registers, found.stack) == (11, 40, 8)
    assert (found.barriers, found.shuffles, found.matrix) == (1, 1, 1)
    assert found.loads == (("LDG.128", 1), ("LDG.U16", 1))
    (loop,) = found.loops
    assert loop == machine.Loop(4, (("LDG.U16", 1),), 0, 0, 1, 1)
    assert found.facts()["loop0"].startswith("4 instructions, loads 1xLDG.U16, 0 barriers")


def test_figures_of_amd_code() -> None:
    found = machine_amd.parse(AMD)
    assert (found.instructions, found.registers, found.stack) == (10, 44, 16)
    assert found.loads == (("dwordx4", 1), ("ushort", 1))
    assert found.loops == (machine.Loop(7, found.loads, 1, 1, 1, 1),)


def tile(side: int, threads: int = 128, tables: str = "XY") -> Kernel:
    """Return a kernel that holds a square tile of each table at once, and one more."""
    digits = (Digit("g", "grid"), Digit("i", "block", side), Digit("j", "block", side))
    k = Builder("tile", digits, threads)
    at = k.form(k.coord("i")) * side + k.form(k.coord("j")) + k.form(k.coord("g")) * side**2
    for name in (*tables, "out"):
        k.table(Table(f"{name}.val", F32, "write" if name == "out" else "read"))
    loaded = [k.load(f"{name}.val", at) for name in tables]
    total = loaded[0]
    for value in (*loaded[1:], *loaded):
        total = k.apply("mul", total, k.apply("exp", value))
    k.store("out.val", at, total)
    return k.finish([("g", Size.of("M"))])


@pytest.mark.parametrize(("side", "threads"), [(64, 128), (128, 512)])
def test_registers_are_estimated_by_what_is_alive(side: int, threads: int) -> None:
    share = side * side // threads
    assert 2 * share <= registers(tile(side, threads)) <= 3 * share


def test_kernels_that_would_spill_are_refused() -> None:
    """Fewer registers are left where matrix units do not read from shared memory."""
    triton = TritonBackend()
    assert triton.refuse(tile(64), SM90) == ""
    assert "registers a thread are needed" in triton.refuse(tile(128, 128, "XYZ"), SM90)
    assert "there are 128" in triton.refuse(tile(256, 512), SM90)
    four = tile(128, 256, "ABCD")
    assert 255 < registers(four) < 319
    assert triton.refuse(four, SM90) == "" and triton.refuse(four, SM80) != ""


# --------------------------------------------------------------------------------------- the child
SCALE = """
import triton
import triton.language as tl


@triton.jit
def scale(x, y, by):
    at = tl.program_id(0)
    print("noise on the standard output")
    tl.store(y + at, tl.load(x + at) * by)


@triton.jit
def broken(x, y, by):
    tl.store(y, tl.no_such_function(x))
"""


def test_the_child_writes_arrays_and_tells_what_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started from a folder that knows nothing of this one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "haste-scale.py"
    path.write_text(SCALE)
    worker = Worker()
    for dtype in (torch.float32, torch.bfloat16, torch.int64):
        x, y = torch.arange(4).to(dtype), torch.zeros(4, dtype=dtype)
        worker.run(path, "scale", [x, y], [3], 4)
        assert torch.equal(y, x * 3)
    with pytest.raises(RuntimeError, match="no_such_function"):
        worker.run(path, "broken", [x, y], [3], 1)
    worker.close()
    worker.run(path, "scale", [x, y], [5], 4)
    assert torch.equal(y, x * 5)
    worker.close()
