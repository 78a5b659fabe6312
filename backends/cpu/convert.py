"""Constants and conversions between element types.

16-bit floats are words: they compute as f32 and are rounded, once and to nearest even, when they
become words again.
"""

from __future__ import annotations

import struct

from hastec.backends.cpu.code import Code, Part
from hastec.backends.cpu.text import single, word
from hastec.ir.types import BF16, BOOL, F16, F64, DType, Kind


def constant(code: Code, number: bool | int | float, dtype: DType, lanes: int = 0) -> Part:
    """Return a constant of ``dtype``."""
    if dtype == F16:
        return code.const(_half(float(number)), "i16", lanes)
    if dtype == BF16:
        return code.const(_upper(float(number)), "i16", lanes)
    return code.const(number, word(dtype), lanes)


def _half(number: float) -> int:
    try:
        return int(struct.unpack("H", struct.pack("e", number))[0])
    except OverflowError:
        return 0x7C00 if number > 0 else 0xFC00


def _upper(number: float) -> int:
    if number != number:
        return 0x7FC0
    near = single(number)
    bits = int(struct.unpack("I", struct.pack("f", near))[0])
    if near != number and bits & 1 == 0:
        # Towards an odd last bit, so that the second rounding sees that this one was inexact.
        bits += 1 if (number > near) == (near >= 0) else -1
    return int((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)


def cast(code: Code, part: Part, source: DType, target: DType, hint: str) -> Part:
    """Return ``part`` in another type: to nearest even, floats to integers saturate (nan is 0),
    integers wrap, to bool: not 0.
    """
    if source == target:
        return part
    if target == BOOL:
        plain = widen(code, part, source, hint)
        predicate = "une" if plain.real else "ne"
        return code.compare(hint, predicate, plain, code.like(0, plain))
    if target.is_integer:
        return _to_integer(code, part, source, target, hint)
    if target in (F16, BF16):
        return narrow(code, _wide_enough(code, part, source, hint), target, hint)
    if not source.is_float:
        return _number(code, part, source, word(target), hint)
    plain = widen(code, part, source, hint)
    return code.convert(hint, "fpext" if target == F64 else "fptrunc", plain, word(target))


def _to_integer(code: Code, part: Part, source: DType, target: DType, hint: str) -> Part:
    if not source.is_float:
        shrinks = part.bits >= target.bits
        signed = source.kind is Kind.INT
        return code.convert(hint, "trunc" if shrinks else ("sext" if signed else "zext"), part,
                            word(target))  # fmt: skip
    plain = widen(code, part, source, hint)
    signed = target.kind is Kind.INT
    result = Part("", word(target), part.lanes)
    name = f"llvm.fpto{'s' if signed else 'u'}i.sat.{_short(result)}.{_short(plain)}"
    return code.named(hint, name, result, plain)


def _short(part: Part) -> str:
    short = {"float": "f32", "double": "f64"}.get(part.element, part.element)
    return f"v{part.lanes}{short}" if part.lanes else short


def _number(code: Code, part: Part, source: DType, element: str, hint: str) -> Part:
    opcode = "sitofp" if source.kind is Kind.INT else "uitofp"
    return code.convert(hint, opcode, part, element)


def _wide_enough(code: Code, part: Part, source: DType, hint: str) -> Part:
    """Return a float that holds ``part`` exactly, or nearly so for 64-bit integers."""
    if source.is_float:
        return widen(code, part, source, hint)
    exact = source == BOOL or source.bits <= 16
    return _number(code, part, source, "float" if exact else "double", hint)


# ------------------------------------------------------------------------------- 16-bit floats
def widen(code: Code, part: Part, dtype: DType, hint: str) -> Part:
    """Return a 16-bit float as float; anything else as it is."""
    if dtype == BF16:
        bits = code.convert(hint, "zext", part, "i32")
        bits = code.op(hint, "shl", bits, code.like(16, bits))
        return code.convert(hint, "bitcast", bits, "float")
    if dtype != F16:
        return part
    if not code.module.machine.half:
        return _soft_widen(code, part, hint)
    return code.convert(hint, "fpext", code.convert(hint, "bitcast", part, "half"), "float")


def narrow(code: Code, part: Part, dtype: DType, hint: str) -> Part:
    """Return float or double rounded to ``dtype`` (itself if that is no 16-bit float)."""
    if dtype not in (F16, BF16):
        return part
    if part.element == "double":
        part = _to_odd(code, part, hint)
    if dtype == BF16:
        return _to_bf16(code, part, hint)
    if not code.module.machine.half:
        return _soft_narrow(code, part, hint)
    return code.convert(hint, "bitcast", code.convert(hint, "fptrunc", part, "half"), "i16")


def _to_odd(code: Code, part: Part, hint: str) -> Part:
    """Round double to float towards an odd last bit: a later rounding then is as if it were
    the first.
    """
    near = code.convert(hint, "fptrunc", part, "float")
    back = code.convert(hint, "fpext", near, "double")
    bits = code.convert(hint, "bitcast", near, "i32")
    inexact = code.compare("inexact", "one", back, part)
    even = code.op("even", "xor", code.convert("even", "trunc", bits, "i1"),
                   code.const(True, "i1", part.lanes))  # fmt: skip
    move = code.op("move", "and", inexact, even)
    above = code.compare("above", "ogt", part, back)
    negative = code.compare("negative", "slt", bits, code.like(0, bits))
    outwards = code.op("outwards", "xor", above, negative)
    step = code.select("step", outwards, code.like(1, bits), code.like(-1, bits))
    moved = code.op("moved", "add", bits, step)
    return code.convert(hint, "bitcast", code.select("odd", move, moved, bits), "float")


def _to_bf16(code: Code, part: Part, hint: str) -> Part:
    bits = code.convert(hint, "bitcast", part, "i32")
    upper = code.op(hint, "lshr", bits, code.like(16, bits))
    tie = code.op("tie", "and", upper, code.like(1, bits))
    total = code.op(hint, "add", code.op(hint, "add", bits, code.like(0x7FFF, bits)), tie)
    rounded = code.op(hint, "lshr", total, code.like(16, bits))
    quiet = code.op("quiet", "or", upper, code.like(0x40, bits))
    nan = code.compare("nan", "uno", part, code.like(0.0, part))
    return code.convert(hint, "trunc", code.select(hint, nan, quiet, rounded), "i16")


def _soft_widen(code: Code, part: Part, hint: str) -> Part:
    """Return f16 as float by scaling: the exponent is moved, subnormal numbers included."""
    bits = code.convert(hint, "zext", part, "i32")
    sign = code.op("sign", "shl", code.op("sign", "and", bits, code.like(0x8000, bits)),
                   code.like(16, bits))  # fmt: skip
    size = code.op("size", "shl", code.op("size", "and", bits, code.like(0x7FFF, bits)),
                   code.like(13, bits))  # fmt: skip
    small = code.convert("small", "bitcast", size, "float")
    scaled = code.op("scaled", "fmul", small, code.like(2.0**112, small))
    scaled = code.convert("scaled", "bitcast", scaled, "i32")
    special = code.op("special", "or", size, code.like(0x7F800000, bits))
    beyond = code.compare("beyond", "uge", size, code.like(0x7C00 << 13, bits))
    found = code.select("found", beyond, special, scaled)
    return code.convert(hint, "bitcast", code.op(hint, "or", found, sign), "float")


def _soft_narrow(code: Code, part: Part, hint: str) -> Part:
    """Return float rounded to f16: by adding half a unit, or, where the result is subnormal, by
    adding a number whose last digit is the result's.
    """
    bits = code.convert(hint, "bitcast", part, "i32")
    sign = code.op("sign", "lshr", code.op("sign", "and", bits, code.like(-(2**31), bits)),
                   code.like(16, bits))  # fmt: skip
    size = code.op("size", "and", bits, code.like(0x7FFFFFFF, bits))
    tie = code.op("tie", "and", code.op("tie", "lshr", size, code.like(13, bits)),
                  code.like(1, bits))  # fmt: skip
    moved = code.op("moved", "add", size, code.like(0xFFF - (112 << 23), bits))
    normal = code.op("normal", "lshr", code.op("n", "add", moved, tie), code.like(13, bits))
    real = code.convert("real", "bitcast", size, "float")
    aligned = code.convert("a", "bitcast", code.op("a", "fadd", real, code.like(0.5, real)), "i32")
    tiny = code.op("tiny", "sub", aligned, code.like(0x3F000000, bits))
    found = code.select("f", code.compare("c", "ult", size, code.like(113 << 23, bits)), tiny,
                        normal)  # fmt: skip
    inf = code.compare("c", "uge", size, code.like((127 + 16) << 23, bits))
    found = code.select("f", inf, code.like(0x7C00, bits), found)
    nan = code.compare("c", "ugt", size, code.like(0x7F800000, bits))
    found = code.select("f", nan, code.like(0x7E00, bits), found)
    return code.convert(hint, "trunc", code.op(hint, "or", found, sign), "i16")
