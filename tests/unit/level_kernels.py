"""Kernels that walk a layout level by level, or look up every coordinate, and spell the table out.

They use nothing but the capabilities of levels and the reads of codes, as lowering does, so that
the kernel side of a format can be held against its array side.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from hastec.ir.builder import Builder
from hastec.ir.index import Form
from hastec.ir.kernel import Digit, Kernel, Table
from hastec.ir.kernel_interp import run_kernel
from hastec.ir.kernel_verify import verify_kernel
from hastec.ir.types import BOOL, I32
from hastec.levels.packed import Packed, PackedPart
from hastec.levels.protocol import Cursor, Layout, Located, Sized, Walked
from hastec.sym.size import Size
from tests.unit.table_help import Tensor

OUT = Size.of("M") * Size.of("N")


def begin(layout: Layout, digits: int) -> tuple[Builder, Cursor]:
    k = Builder("spelled", [Digit(f"d{n}", "loop") for n in range(digits)], 1)
    k.table(Table("out", layout.dtype, "write", OUT))
    k.table(Table("here", BOOL, "write", OUT))
    return k, Cursor(k, layout)


def walked(layout: Layout) -> Kernel:
    """Return a kernel that passes every position of a layout and stores what it holds."""
    k, at = begin(layout, len(layout.levels))
    coords: list[Form] = []
    present = None
    with ExitStack() as stack:
        closing: list[tuple[Any, int]] = []
        for n, level in enumerate(layout.levels):
            assert isinstance(level, Sized) and isinstance(level, Walked)
            count = k.value(level.size(at))
            loop = stack.enter_context(k.loop(f"d{n}", k.const(0), count))
            ordinal = k.form(k.coord(f"d{n}"))
            if level.facts.sequential:
                at.carries[n] = k.carry(loop, k.const(0, I32), hint="col")
                closing.append((loop, n))
            step = level.walk(at, ordinal)
            at.restrict(step.inside)
            if n + 1 < len(layout.levels):
                at.restrict(step.stored)  # below a position that is not stored lies nothing
            present = k.conj((present, step.present))
            coords.append(step.coord)
        place, inside = linear(k, layout, coords)
        value = layout.values.read(at, k.conj((inside, present)), layout.fill)
        mask = k.conj((*at.masks, inside, present))
        k.store("out", place, k.cast(value, layout.dtype), mask)
        k.store("here", place, k.const(True), mask)
        for loop, n in closing:
            k.update(loop, at.carries[n], at.advanced[n])
    return k.finish(())


def located(layout: Layout) -> Kernel:
    """Return a kernel that looks every coordinate of the table up."""
    k, at = begin(layout, 2)
    with (
        k.loop("d0", k.const(0), k.scalar(Size.of("M"))),
        k.loop("d1", k.const(0), k.scalar(Size.of("N"))),
    ):
        whole = {layout.dims[n]: k.form(k.coord(f"d{n}")) for n in (0, 1)}
        stored = present = None
        for level in layout.levels:
            assert isinstance(level, Located)
            coord = level.spec.coord
            form = whole[coord.dim]
            if coord.op:
                form = k.divide(form, coord.by)[0 if coord.op == "/" else 1]
            step = level.locate(at, form)
            at.restrict(step.stored)
            stored = k.conj((stored, step.stored))
            present = k.conj((present, step.present))
        place = whole[layout.dims[0]] * Size.of("N") + whole[layout.dims[1]]
        value = layout.values.read(at, stored, layout.fill)
        k.store("out", place, k.cast(value, layout.dtype), present)
        k.store("here", place, k.const(True), present)
    return k.finish(())


def linear(k: Builder, layout: Layout, coords: list[Form]) -> tuple[Form, Any]:
    """Return where an entry lies in the dense table, and whether it is in it at all."""
    total: dict[str, Form] = {}
    for level, form in zip(layout.levels, coords, strict=True):
        coord = level.spec.coord
        mine = form * (coord.by if coord.op == "/" else 1)
        total[coord.dim] = total[coord.dim] + mine if coord.dim in total else mine
    i, j = (total[d] for d in layout.dims)
    sizes = (k.scalar(Size.of(n)) for n in ("M", "N"))
    inside = k.conj([k.apply("lt", k.value(f), s) for f, s in zip((i, j), sizes, strict=True)])
    return i * Size.of("N") + j, inside


def spelled(kernel: Kernel, part: PackedPart, shape: tuple[int, int]) -> tuple[Any, Any]:
    """Run a kernel; return the values it stored (NaN or -1: none) and where."""
    verify_kernel(kernel)
    arrays = {part.layout.array(n): numpy(x) for n, x in part.arrays.items()}
    count = shape[0] * shape[1]
    arrays["out"] = np.full(count, part.layout.fill, arrays_type(part.layout.dtype.numpy))
    arrays["here"] = np.zeros(count, np.bool_)
    sizes = {part.layout.array(n): v for n, v in part.numbers.items()}
    written: dict[str, Any] = {}
    run_kernel(kernel, arrays, {"M": shape[0], "N": shape[1], **sizes}, None, written)
    assert written["here"].max(initial=0) <= 1  # no coordinate twice
    return arrays["out"].reshape(shape), arrays["here"].reshape(shape)


def numpy(x: Tensor) -> Any:
    import torch

    return (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()


def arrays_type(name: str) -> str:
    return "uint16" if name == "bfloat16" else name


def only(made: Packed) -> PackedPart:
    (part,) = made.parts
    return part
