"""Scalar functions as Triton text."""

from __future__ import annotations

from hastec.ir.kernel import POINTER, Value
from hastec.ir.types import BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, DType

TYPES: dict[DType, str] = {
    BOOL: "tl.int1",
    I8: "tl.int8",
    I16: "tl.int16",
    I32: "tl.int32",
    I64: "tl.int64",
    U8: "tl.uint8",
    U16: "tl.uint16",
    U32: "tl.uint32",
    F16: "tl.float16",
    BF16: "tl.bfloat16",
    F32: "tl.float32",
    F64: "tl.float64",
}

SIGNATURES: dict[DType, str] = {
    BOOL: "i1",
    I8: "i8",
    I16: "i16",
    I32: "i32",
    I64: "i64",
    U8: "u8",
    U16: "u16",
    U32: "u32",
    F16: "fp16",
    BF16: "bf16",
    F32: "fp32",
    F64: "fp64",
}

INFIX: dict[str, str] = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "and": "&",
    "or": "|",
    "bitand": "&",
    "bitor": "|",
    "bitxor": "^",
    "shl": "<<",
    "shr": ">>",
}

CALLS: dict[str, str] = {
    "exp": "tl.exp",
    "exp2": "tl.exp2",
    "log": "tl.log",
    "log2": "tl.log2",
    "sqrt": "tl.sqrt_rn",
    "rsqrt": "tl.rsqrt",
    "sin": "tl.sin",
    "cos": "tl.cos",
    "erf": "tl.erf",
    "floor": "tl.floor",
    "ceil": "tl.ceil",
    "abs": "tl.abs",
    "fma": "tl.fma",
}

HELPERS: dict[str, str] = {
    "_floordiv": """@triton.jit
def _floordiv(a, b):
    q = a // b
    return tl.where((q * b != a) & ((a < 0) != (b < 0)), q - 1, q)
""",
    "_floormod": """@triton.jit
def _floormod(a, b):
    r = a % b
    return tl.where((r != 0) & ((r < 0) != (b < 0)), r + b, r)
""",
    "_modf": """@triton.jit
def _modf(a, b):
    r = a - b * tl.floor(a / b)
    return tl.where(r == b, 0.0, r)
""",
    "_popcount": """@triton.jit
def _popcount(x):
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    return ((x * 0x01010101) >> 24) & 0xFF
""",
    "_popcount64": """@triton.jit
def _popcount64(x):
    x = x - ((x >> 1) & 0x5555555555555555)
    x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0F
    return ((x * 0x0101010101010101) >> 56) & 0xFF
""",
    "_round": """@triton.jit
def _round(x):
    whole = tl.floor(x)
    rest = x - whole
    up = (rest > 0.5) | ((rest == 0.5) & (whole - 2.0 * tl.floor(whole * 0.5) != 0.0))
    return tl.where(up, whole + 1.0, whole)
""",
    "_trunc": """@triton.jit
def _trunc(x):
    return tl.where(x < 0, tl.ceil(x), tl.floor(x))
""",
    "_prod": """@triton.jit
def _prod(a, b):
    return a * b
""",
}


def call(fn: str, args: list[str], values: list[Value], dtype: DType, popc: str) -> tuple[str, str]:
    """Return the text of a primitive function and the helper it needs ("" for none)."""
    kind = values[0].dtype
    if fn in INFIX:
        return f"{args[0]} {INFIX[fn]} {args[1]}", ""
    if fn in CALLS:
        return f"{CALLS[fn]}({', '.join(args)})", ""
    match fn:
        case "neg":
            return f"-{args[0]}", ""
        case "not":
            return f"{args[0]} == 0" if kind != BOOL else f"~{args[0]}", ""
        case "min" | "max":
            keep = ", propagate_nan=tl.PropagateNan.ALL" if kind.is_float else ""
            return f"tl.{fn}imum({args[0]}, {args[1]}{keep})", ""
        case "where":
            return f"tl.where({args[0]}, {args[1]}, {args[2]})", ""
        case "popc":
            if popc and kind.bits <= 32:
                return f"{popc}({args[0]})", ""
            helper = "_popcount64" if kind.bits == 64 else "_popcount"
            return f"{helper}({args[0]})", helper
        case "round" | "trunc":
            return f"_{fn}({args[0]})", f"_{fn}"
        case "div":
            return _divide(args, values, kind)
        case "mod":
            return _modulo(args, values, kind)
        case "cast":
            return _cast(args[0], kind, dtype), ""
        case _:
            raise KeyError(fn)


def _natural(value: Value) -> bool:
    return value.bounds is not None and value.bounds[0] >= 0


def _divide(args: list[str], values: list[Value], kind: DType) -> tuple[str, str]:
    if kind == F32:
        return f"tl.div_rn({args[0]}, {args[1]})", ""
    if kind.is_float:
        return f"{args[0]} / {args[1]}", ""
    if all(_natural(v) for v in values):
        return f"{args[0]} // {args[1]}", ""
    return f"_floordiv({args[0]}, {args[1]})", "_floordiv"


def _modulo(args: list[str], values: list[Value], kind: DType) -> tuple[str, str]:
    if kind.is_float:
        return f"_modf({args[0]}, {args[1]})", "_modf"
    if all(_natural(v) for v in values):
        return f"{args[0]} % {args[1]}", ""
    return f"_floormod({args[0]}, {args[1]})", "_floormod"


def _cast(text: str, source: DType, target: DType) -> str:
    if source == POINTER or target == POINTER:
        raise KeyError("cast")
    if target == BOOL:
        return f"{text} != 0"
    if source.is_float and target.is_integer:
        return _saturate(text, target)
    return f"tl.cast({text}, {TYPES[target]})"


def _saturate(text: str, target: DType) -> str:
    """Truncate towards zero within the limits of the type; NaN becomes 0."""
    signed = target.name.startswith("i")
    low = -(1 << (target.bits - 1)) if signed else 0
    high = (1 << (target.bits - (1 if signed else 0))) - 1
    inside = f"tl.cast({text}, {TYPES[target]})"
    above = f"tl.where({text} >= {float(high + 1)}, {high}, {inside})"
    below = f"tl.where({text} <= {float(low)}, {low}, {above})"
    return f"tl.cast(tl.where({text} != {text}, 0, {below}), {TYPES[target]})"
