"""Reductions and prefixes over register digits.

Parts of unrolled digits merge as whole vectors. Lanes merge in a fixed tree, so that a sum of
floats always has the same bits; several vectors that are reduced to one element each share the
steps of their trees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce as reduce_left

from hastec.backends.cpu import arith
from hastec.backends.cpu.code import Code, Part
from hastec.backends.cpu.convert import constant
from hastec.backends.cpu.registers import Registers
from hastec.ir.kernel import Reduce, Scan, Value
from hastec.ir.monoid import MERGE, identity
from hastec.ir.types import BOOL, DType

Merge = Callable[[Part, Part], Part]

RUN = 8
"""Parts that merge one after the other."""


def merger(code: Code, monoid: str, dtype: DType, hint: str) -> Merge:
    """Return a function that writes the merge of two parts."""
    site = arith.Site(code, dtype, (None, None), hint)
    return lambda a, b: arith.apply(site, MERGE[monoid], [a, b])


def reduce(regs: Registers, value: Value, op: Reduce) -> None:
    """Define a reduction."""
    arg, code = regs.values[op.arg], regs.code
    hint = value.hint or op.monoid
    merge = merger(code, op.monoid, value.dtype, hint)
    along, mine = regs.layout.lanes[arg.id], regs.layout.lanes[value.id]
    unrolled = tuple(d for d in op.digits if d != along)
    columns = {}
    for at in regs.places(tuple(d for d in value.digits if d != along)):
        parts = [regs.part(arg.id, along, {**at, **over}) for over in regs.places(unrolled)]
        columns[tuple(at.values())] = tree(parts, merge)
    if along in op.digits:
        vectors = list(columns.values())
        scalars = lanes(code, vectors, op.monoid, value.dtype, merge, hint)
        columns = dict(zip(columns, scalars, strict=True))
    elif mine != along and along:
        columns = _unpacked(regs, value, along, columns)
    _keep(regs, value, columns)


def _keep(regs: Registers, value: Value, elements: dict[tuple[int, ...], Part]) -> None:
    """Keep parts by their place, packed along the lanes of the value if they are scalars."""
    mine = regs.layout.lanes[value.id]
    packed = next(iter(elements.values())).lanes == 0 and mine
    digits = value.digits if packed or not mine else tuple(d for d in value.digits if d != mine)
    for at in regs.places(regs.rest(value.id)):
        if packed:
            whole = [{**at, mine: n} for n in range(regs.width(mine))]
            parts = [elements[tuple(w[d] for d in digits)] for w in whole]
            regs.put(value.id, at, regs.code.gathered(value.hint or "v", parts))
        else:
            regs.put(value.id, at, elements[tuple(at[d] for d in digits)])


def _unpacked(
    regs: Registers, value: Value, along: str, columns: dict[tuple[int, ...], Part]
) -> dict[tuple[int, ...], Part]:
    """Return the elements of vectors that lie along a digit their value is unrolled over."""
    rest = [d for d in value.digits if d != along]
    found = {}
    for at in regs.places(value.digits):
        vector = columns[tuple(at[d] for d in rest)]
        found[tuple(at.values())] = regs.lane(value.id, vector, at[along])
    return found


def tree(parts: list[Part], merge: Merge) -> Part:
    """Merge parts until one is left: short runs one after the other, which lets a product and the
    sum it goes into fuse, and the runs in pairs, so that long chains do not wait for themselves.
    """
    runs = [reduce_left(merge, parts[n : n + RUN]) for n in range(0, len(parts), RUN)]
    while len(runs) > 1:
        pairs = [merge(a, b) for a, b in zip(runs[::2], runs[1::2], strict=False)]
        runs = pairs + ([runs[-1]] if len(runs) % 2 else [])
    return runs[0]


# -------------------------------------------------------------------------------------------- lanes
def lanes(
    code: Code, vectors: list[Part], monoid: str, dtype: DType, merge: Merge, hint: str
) -> list[Part]:
    """Return the merge of all lanes of each vector."""
    if dtype == BOOL or dtype.is_integer:
        return [_exact(code, v, monoid, dtype, hint) for v in vectors]
    padded = [_pad(code, v, monoid, dtype, hint) for v in vectors]
    found: list[Part] = []
    while padded:
        # The greatest power of two of vectors that their lanes have room for.
        group = min(1 << (len(padded).bit_length() - 1), padded[0].lanes)
        found += _together(code, padded[:group], merge, hint)
        padded = padded[group:]
    return found


def _exact(code: Code, part: Part, monoid: str, dtype: DType, hint: str) -> Part:
    """Merge lanes in any order: words wrap, so that every order gives the same."""
    unsigned = dtype.kind.value == "uint"
    sign = "u" if unsigned else "s"
    names = {
        "sum": "add",
        "prod": "mul",
        "min": f"{sign}min",
        "max": f"{sign}max",
        "any": "or",
        "all": "and",
    }
    result = Part("", part.element)
    return code.intrinsic(hint, f"vector.reduce.{names[monoid]}", part, result=result)


def _pad(code: Code, part: Part, monoid: str, dtype: DType, hint: str) -> Part:
    """Return a vector whose lanes are a power of two, filled with the neutral element."""
    wide = 1 << (part.lanes - 1).bit_length()
    if wide == part.lanes:
        return part
    filler = constant(code, identity(monoid, dtype), dtype, part.lanes)
    order = [*range(part.lanes), *[part.lanes] * (wide - part.lanes)]
    return code.shuffle(hint, part, filler, order)


def _together(code: Code, vectors: list[Part], merge: Merge, hint: str) -> list[Part]:
    """Reduce a power of two of vectors, at most as many as there are lanes.

    Two vectors become one that holds the half sums of both, and so on; then the lanes of what is
    left merge in halves, each vector within its own run of lanes.
    """
    count, run = len(vectors), vectors[0].lanes
    while len(vectors) > 1:
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [_halves(code, a, b, run, merge, hint) for a, b in pairs]
        run //= 2
    (left,) = vectors
    while run > 1 and left.lanes > 2:
        left = _halves(code, left, None, run, merge, hint)
        run //= 2
    if run > 1:
        return [merge(code.extract(hint, left, 0), code.extract(hint, left, 1))]
    return [code.extract(hint, left, n) for n in range(count)]


def _halves(code: Code, a: Part, b: Part | None, run: int, merge: Merge, hint: str) -> Part:
    """Merge the halves of every run of lanes, those of ``a`` before those of ``b``."""
    lanes = a.lanes if b is None else 2 * a.lanes
    low = [start + n for start in range(0, lanes, run) for n in range(run // 2)]
    first = code.shuffle(hint, a, b, low)
    second = code.shuffle(hint, a, b, [n + run // 2 for n in low])
    return merge(first, second)


# --------------------------------------------------------------------------------------- prefixes
def scan(regs: Registers, value: Value, op: Scan) -> None:
    """Define an inclusive prefix."""
    hint = value.hint or op.monoid
    merge = merger(regs.code, op.monoid, value.dtype, hint)
    along = regs.layout.lanes[value.id]
    if op.digit == along:
        for at in regs.places(regs.rest(value.id)):
            part = regs.part(op.arg, along, at)
            regs.put(value.id, at, _prefix(regs.code, part, op.monoid, value.dtype, merge, hint))
        return
    others = tuple(d for d in regs.rest(value.id) if d != op.digit)
    for at in regs.places(others):
        total: Part | None = None
        for n in range(regs.layout.extent[op.digit]):
            place = {**at, op.digit: n}
            part = regs.part(op.arg, along, place)
            total = part if total is None else merge(total, part)
            regs.put(value.id, place, total)


def _prefix(code: Code, part: Part, monoid: str, dtype: DType, merge: Merge, hint: str) -> Part:
    """Merge every lane with those before it, in steps that double."""
    filler = constant(code, identity(monoid, dtype), dtype, part.lanes)
    step = 1
    while step < part.lanes:
        # Lanes of the filler come first in the numbering; lane n takes lane n - step.
        order = [part.lanes + n - step if n >= step else 0 for n in range(part.lanes)]
        part = merge(code.shuffle(hint, filler, part, order), part)
        step *= 2
    return part
