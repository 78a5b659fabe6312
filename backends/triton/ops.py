"""Scalar functions as Triton text."""

from __future__ import annotations

from hastec.backends.triton import text
from hastec.backends.triton.text import TYPES, Expr
from hastec.diag import InternalError
from hastec.ir.kernel import POINTER, Const, Load, Value
from hastec.ir.types import BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, DType

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
    "_to_bf16": """@triton.jit
def _to_bf16(x):
    # Rounded to odd on the way through float32, so that only one rounding is to nearest.
    near = tl.cast(x, tl.float32)
    back = tl.cast(near, tl.float64)
    bits = tl.cast(near, tl.int32, bitcast=True)
    inward = tl.where(tl.abs(back) > tl.abs(x), bits - 1, bits)
    odd = tl.where((back != x) & (x == x), inward | 1, bits)
    return tl.cast(tl.cast(odd, tl.float32, bitcast=True), tl.bfloat16)
""",
    "_trunc": """@triton.jit
def _trunc(x):
    return tl.where(x < 0, tl.ceil(x), tl.floor(x))
""",
    "_maximum": """@triton.jit
def _maximum(a, b):
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)
""",
    "_minimum": """@triton.jit
def _minimum(a, b):
    return tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)
""",
    "_half": """@triton.jit
def _half(x, more: tl.constexpr):
    # The mantissa of 1024 takes a small number as it is, which a conversion would compute.
    whole = tl.cast((x + more) | 0x6400, tl.int16)
    return tl.cast(whole, tl.float16, bitcast=True) - (1024.0 + more)
""",
    "_pairs": """@triton.jit
def _pairs(word, bits: tl.constexpr, count: tl.constexpr, flip: tl.constexpr, less: tl.constexpr):
    # Parts half a word apart get the exponent of 1024 together, two floats in a register.
    for step in tl.static_range(0, 4):
        if (2 << step) < count:
            word = tl.join(word, word >> (bits << step))
    mask, exponent = ((1 << bits) - 1) * 0x10001, 0x64006400 ^ (flip * 0x10001)
    low, high = tl.inline_asm_elementwise(
        "{ .reg .b32 t; lop3.b32 t, $2, $3, $4, 0x6a; mov.b32 {$0, $1}, t; }",
        "=h,=h,r,r,r", [word, mask, exponent],
        dtype=(tl.float16, tl.float16), is_pure=True, pack=1,
    )
    return tl.join(low, high) - (1024.0 + less)
""",
    "_pairs_anywhere": """@triton.jit
def _pairs_anywhere(
    word, bits: tl.constexpr, count: tl.constexpr, flip: tl.constexpr, less: tl.constexpr
):
    # Parts half a word apart get the exponent of 1024 together.
    for step in tl.static_range(0, 4):
        if (2 << step) < count:
            word = tl.join(word, word >> (bits << step))
    both = (word & (((1 << bits) - 1) * 0x10001)) ^ (0x64006400 ^ (flip * 0x10001))
    low = tl.cast(tl.cast(both, tl.int16), tl.float16, bitcast=True)
    high = tl.cast(tl.cast(both >> 16, tl.int16), tl.float16, bitcast=True)
    return tl.join(low, high) - (1024.0 + less)
""",
    "_parts": """@triton.jit
def _parts(word, bits: tl.constexpr, count: tl.constexpr):
    # Joining keeps the parts of a word in the thread that holds it.
    for step in tl.static_range(1, 6):
        if count >> step > 0:
            word = tl.join(word, word >> (bits * (count >> step)))
    return word
""",
    "_prod": """@triton.jit
def _prod(a, b):
    return a * b
""",
}


def call(
    fn: str, args: list[Expr], values: list[Value], dtype: DType, popc: str
) -> tuple[Expr, str]:
    """Return the text of a primitive function and the helper it needs ("" for none)."""
    kind = values[0].dtype
    if fn in INFIX:
        return text.infix(args[0], INFIX[fn], args[1]), ""
    if fn in CALLS:
        return text.call(CALLS[fn], *args), ""
    match fn:
        case "neg":
            return _sign("-", args[0]), ""
        case "not" if kind == BOOL and values[0].digits:
            return _sign("~", args[0]), ""
        case "not":
            return text.infix(args[0], "==", Expr("0")), ""
        case "min" | "max" if kind.is_float:
            return _helped(f"_{fn}imum", args)
        case "min" | "max":
            return text.call(f"tl.{fn}imum", *args), ""
        case "where":
            return _chosen(args, values, dtype), ""
        case "popc" if popc and kind.bits <= 32:
            return text.call(popc, *args), ""
        case "popc":
            return _helped("_popcount64" if kind.bits == 64 else "_popcount", args)
        case "round" | "trunc":
            return _helped(f"_{fn}", args)
        case "div":
            return _divide(args, values, kind)
        case "mod":
            return _modulo(args, values, kind)
        case "cast":
            return _converted(args, values[0], dtype)
        case _:
            raise InternalError(f"Triton has no text for {fn}")


def _helped(helper: str, args: list[Expr]) -> tuple[Expr, str]:
    return text.call(helper, *args), helper


def _chosen(args: list[Expr], values: list[Value], dtype: DType) -> Expr:
    """Return a choice; of two numbers that are written out, in the type it has to be."""
    found = text.call("tl.where", *args)
    written = all(isinstance(v.op, Const) for v in values[1:])
    if written and dtype not in (I32, F32, BOOL):
        return text.call("tl.cast", found, TYPES[dtype])
    return found


def _sign(sign: str, arg: Expr) -> Expr:
    return Expr(f"{sign}{arg.within(text.SIGN)}", text.SIGN)


def _natural(value: Value) -> bool:
    return value.bounds is not None and value.bounds[0] >= 0


def _divide(args: list[Expr], values: list[Value], kind: DType) -> tuple[Expr, str]:
    if kind == F32:
        return text.call("tl.div_rn", *args), ""
    if kind.is_float:
        return text.infix(args[0], "/", args[1]), ""
    if all(_natural(v) for v in values):
        return text.infix(args[0], "//", args[1]), ""
    return _helped("_floordiv", args)


def _modulo(args: list[Expr], values: list[Value], kind: DType) -> tuple[Expr, str]:
    if kind.is_float:
        return _helped("_modf", args)
    if all(_natural(v) for v in values):
        return text.infix(args[0], "%", args[1]), ""
    return _helped("_floormod", args)


def _fits_mantissa(value: Value) -> bool:
    """Whether integers span less than the 10 bits that a 16-bit float's mantissa has."""
    if value.dtype != I32 or value.bounds is None or not value.digits:
        return False
    low, high = value.bounds
    return high - low < 1024 and -1024 <= low <= 1024


def _converted(args: list[Expr], value: Value, dtype: DType) -> tuple[Expr, str]:
    if dtype == F16 and _fits_mantissa(value):
        least = value.bounds[0] if value.bounds else 0
        return text.call("_half", args[0], -least), "_half"
    if (value.dtype, dtype) == (F64, BF16):
        return _helped("_to_bf16", args)
    return _cast(args[0], value, dtype), ""


def _cast(arg: Expr, value: Value, target: DType) -> Expr:
    source = value.dtype
    if source == POINTER or target == POINTER:
        raise InternalError("an address is no number")
    if target == BOOL:
        return text.infix(arg, "!=", Expr("0"))
    if source.is_float and target.is_integer:
        return _saturate(arg, target)
    if value.digits or isinstance(value.op, Load):
        return Expr(f"{arg.atom}.to({TYPES[target]})")
    return text.call("tl.cast", arg, TYPES[target])  # numbers, in Triton's interpreter


def _saturate(arg: Expr, target: DType) -> Expr:
    """Truncate towards zero within the limits of the type; NaN becomes 0."""
    signed = target.name.startswith("i")
    low = -(1 << (target.bits - 1)) if signed else 0
    high = (1 << (target.bits - (1 if signed else 0))) - 1
    inside = text.call("tl.cast", arg, TYPES[target])
    above = text.call("tl.where", f"{arg.atom} >= {float(high + 1)}", high, inside)
    below = text.call("tl.where", f"{arg.atom} <= {float(low)}", low, above)
    number = text.call("tl.where", f"{arg.atom} != {arg.atom}", 0, below)
    return text.call("tl.cast", number, TYPES[target])
