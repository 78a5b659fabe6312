"""Panels: what neighbouring programs share is packed once, with the same result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hastec.backends.cpu.backend import Cpu
from hastec.backends.cpu.layout import choose
from hastec.backends.cpu.panel import ROOM
from hastec.backends.cpu.stage import panels
from hastec.driver import compile
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.numeric import Array, carrier
from hastec.ir.types import BY_NAME
from hastec.options import Options
from hastec.target import CPU
from tests.unit.cpu_run import launch, launcher, on_cpu
from tests.unit.test_cpu_backend import Fence

PRODUCT = """
kernel product {{
  threads 1
  table a: {left} read align 16 numel M * K
  table b: {dtype} read align 16 numel K * N
  table c: f32 write align 16 numel M * N
  size M
  size K
  size N
  digit j: grid
  digit i: grid
  digit k: loop
  digit r: reg 2
  digit u: reg 16
  grid j = (N + 15) / 16
  grid i = M / 2
  state %40 sum: f32[r, u] = carried k 0
  state %41 sum: f32[r, u] = final k 0
  %0: i32 = coord j
  %1: i32 = coord i
  %2: i32 = size K
  %3: i32 = size N
  %4: i32 = const 16
  %5: i32 = mul(%0, %4)
  %6: i32[u] = coord u
  %7: i32[u] = add(%5, %6)
  %8: bool[u] = lt(%7, %3)
  %9: i32 = const 2
  %10: i32 = mul(%1, %9)
  %11: i32[r] = coord r
  %12: i32[r] = add(%10, %11)
  %13: i32[r] = mul(%12, %2)
  %14: ptr[r] = address a + %13
  %15: i32 = const 0
  %16: f32 = const 0.0
  for k in %15 .. %2 with %40 = %16 next %27 after %41 {{
    %20: i32 = coord k
    %21: ptr[r] = address %14 + %20
    {load}
    %23: i32 = mul(%20, %3)
    %24: i32[u] = add(%7, %23)
    %25: ptr[u] = address b + %24
    %26: {dtype}[u] = load b[%25] mask %8 unit u
    %28: f32[u] = {convert}
    %29: f32[r, u] = mul(%22, %28)
    %27: f32[r, u] = add(%40, %29)
  }}
  %30: i32[r] = mul(%12, %3)
  %31: ptr[r] = address c + %30
  %32: ptr[r, u] = address %31 + %7
  store c[%32] = %41 mask %8
}}
"""


LOADS = {
    "f32": "%22: f32[r] = load a[%21]",
    "f16": "%50: f16[r] = load a[%21]\n    %22: f32[r] = cast(%50)",
    "bf16": "%50: bf16[r] = load a[%21]\n    %22: f32[r] = cast(%50)",
}


def written(dtype: str = "f32", left: str = "f32", convert: str = "mul(%26, %26)") -> str:
    """Return the text of a product."""
    return PRODUCT.format(dtype=dtype, left=left, load=LOADS[left], convert=convert)


def product(dtype: str = "f32", left: str = "f32") -> Kernel:
    """Return a product whose programs with neighbouring rows read the same columns."""
    convert = "mul(%26, %26)" if dtype == "f32" else "cast(%26)"
    kernel = read_kernel(written(dtype, left, convert))
    verify_kernel(kernel)
    return kernel


def stored(values: Array, dtype: str) -> Array:
    """Return small integers as a table of a type holds them."""
    if dtype == "bf16":
        return (values.view(np.uint32) >> 16).astype(np.uint16).view(carrier(BY_NAME["bf16"]))
    return values if dtype == "f32" else values.astype(np.float16).view(carrier(BY_NAME["f16"]))


def tables(m: int, k: int, n: int, dtype: str, left: str = "f32") -> tuple[dict[str, Array], Array]:
    """Return the arrays of a product, and the right result."""
    draw = np.random.default_rng(m + k + n)
    a = draw.integers(-3, 4, (m, k)).astype(np.float32)
    b = draw.integers(-3, 4, (k, n)).astype(np.float32)
    wanted = a @ (b * b if dtype == "f32" else b)
    made = {"a": stored(a, left), "b": stored(b, dtype), "c": np.full((m, n), 77, np.float32)}
    return made, wanted


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("dtype", ["f32", "f16"])
@pytest.mark.parametrize(("m", "k", "n"), [(2, 5, 16), (40, 7, 35), (200, 33, 64), (30, 0, 20)])
def test_rows_of_all_programs_are_right(m: int, k: int, n: int, dtype: str, units: int) -> None:
    given, wanted = tables(m, k, n, dtype)
    sizes = {"M": m, "K": k, "N": n}
    found = on_cpu(product(dtype), given, sizes, replace(CPU, units=units))
    assert (found["c"] == wanted).all()


def test_a_panel_that_does_not_fit_is_not_packed() -> None:
    m, k, n = 16, ROOM // 64 + 1, 16
    given, wanted = tables(m, k, n, "f32")
    found = on_cpu(product(), given, {"M": m, "K": k, "N": n})
    assert np.allclose(found["c"], wanted, rtol=1e-4, atol=10)


def test_a_panel_holds_what_does_not_depend_on_the_last_grid_digit() -> None:
    kernel = product("f16")
    (panel,) = panels(kernel, choose(kernel, 512)).values()
    assert panel.digit == "i"
    assert [(s.value, s.offset, s.bytes) for s in panel.slots] == [(28, 0, 64)]
    assert panel.row == 64 and [s.value.id for s in panel.made] == [20, 23, 24, 25, 26, 28]


@pytest.mark.parametrize("left", ["f16", "bf16"])
@pytest.mark.parametrize("k", [5, 16, 17, 50, 4096])
def test_what_a_program_reads_alone_is_converted_ahead(left: str, k: int) -> None:
    kernel = product("f16", left)
    (panel,) = panels(kernel, choose(kernel, 512)).values()
    assert [(a.loaded, a.value, a.parts) for a in panel.ahead] == [(50, 22, 2)]
    given, wanted = tables(40, k, 35, "f16", left)
    found = on_cpu(kernel, given, {"M": 40, "K": k, "N": 35}, replace(CPU, units=2))
    assert (found["c"] == wanted).all()


def test_what_is_written_is_not_packed() -> None:
    text = written()
    stores = "  store b[%32] = %41 mask %8\n  store c[%32]"
    kernel = read_kernel(
        text.replace("b: f32 read", "b: f32 write").replace("  store c[%32]", stores)
    )
    assert panels(kernel, choose(kernel, 512)) == {}


def test_what_lies_in_a_row_anyway_is_not_packed() -> None:
    text = written()
    for before, after in (
        ("%23: i32 = mul(%20, %3)", "%23: i32 = mul(%20, %4)"),
        ("%28: f32[u] = mul(%26, %26)\n", ""),
        ("mul(%22, %28)", "mul(%22, %26)"),
        ("load b[%25] mask %8 unit u", "load b[%25] unit u"),
    ):
        assert before in text
        text = text.replace(before, after)
    kernel = read_kernel(text)
    assert panels(kernel, choose(kernel, 512)) == {}


def test_the_text_is_taken_for_any_processor() -> None:
    kernel, backend = product("f16"), Cpu()
    for arch in ("x86-64", "x86-64-v3", "host"):
        target = replace(CPU, arch=arch)
        built = backend.build(backend.emit(kernel, {}, target), kernel, target)
        assert int(built.facts["instructions"]) > 0


@pytest.mark.parametrize(("dtype", "left"), [("f32", "f32"), ("f16", "f16"), ("f16", "bf16")])
def test_nothing_beside_tables_is_touched(dtype: str, left: str) -> None:
    kernel, fence, sizes = product(dtype, left), Fence(), {"M": 24, "K": 17, "N": 40}
    given, wanted = tables(24, 17, 40, dtype, left)
    fenced = {name: fence.array(content.reshape(-1)) for name, content in given.items()}
    launch(launcher(kernel), kernel, fenced, sizes)
    assert (fenced["c"].reshape(24, 40) == wanted).all()


THREE = """kernel three(A: f32[M, K], B: f32[K, N], C: f32[M, L], D: f32[L, N], E: f32[M, J],
             F: f32[J, N]) -> Y: f32[M, N] {
    Y[i, n] = sum[k] A[i, k] * B[k, n] + sum[l] C[i, l] * D[l, n] + sum[j] E[i, j] * F[j, n]
}"""


def test_a_kernel_has_two_panels_at_most() -> None:
    draw = torch.Generator().manual_seed(0)
    shapes = {"A": (64, 50), "B": (50, 70), "C": (64, 40), "D": (40, 70), "E": (64, 30)}
    given = {n: torch.randn(s, generator=draw) for n, s in {**shapes, "F": (30, 70)}.items()}
    a, b, c, d, e, f = (t.double() for t in given.values())
    options = Options.from_environment({}, skip_cache=1)
    plan = compile(THREE, backend_name="cpu", options=options).bind(M=64, N=70, K=50, L=40, J=30)
    (source,) = plan.source.values()
    assert source.count(f"alloca [{ROOM // 2} x i8]") == 2
    assert torch.allclose(plan(**given).double(), a @ b + c @ d + e @ f, atol=1e-4)
