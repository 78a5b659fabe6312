"""Exponentials, logarithms, sines and the error function, written as instructions.

Every formula works on all lanes at once, for f32 and f64, within a few units in the last place of
its type over the whole range; subnormal numbers, infinities and nan included.
"""

from __future__ import annotations

import math

from hastec.backends.cpu import angles
from hastec.backends.cpu.code import Code, Module, Part, suffix
from hastec.backends.cpu.minimax import KINDS, Kind, Numbers

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
TWO_OVER_PI = 0.6366197723675814


class Real:
    """A vector with operators; products and sums may fuse."""

    __slots__ = ("code", "part")

    def __init__(self, code: Code, part: Part) -> None:
        self.code = code
        self.part = part

    def _to(self, other: Real | float) -> Part:
        return other.part if isinstance(other, Real) else self.code.like(other, self.part)

    def _op(self, opcode: str, other: Real | float) -> Real:
        return Real(self.code, self.code.op("f", opcode, self.part, self._to(other)))

    def __add__(self, other: Real | float) -> Real:
        return self._op("fadd contract", other)

    def __sub__(self, other: Real | float) -> Real:
        return self._op("fsub contract", other)

    def __mul__(self, other: Real | float) -> Real:
        return self._op("fmul contract", other)

    def __truediv__(self, other: Real | float) -> Real:
        return self._op("fdiv", other)

    def fma(self, factor: Real | float, plus: Real) -> Real:
        """Return ``self * factor + plus``, rounded once."""
        parts = (self.part, self._to(factor), plus.part)
        return Real(self.code, self.code.intrinsic("f", "fma", *parts))

    def fn(self, name: str, *others: Real) -> Real:
        """Return an intrinsic of this."""
        parts = (o.part for o in others)
        return Real(self.code, self.code.intrinsic("f", name, self.part, *parts))

    def test(self, predicate: str, other: Real | float) -> Part:
        """Return a comparison, true or false in every lane."""
        return self.code.compare("c", predicate, self.part, self._to(other))

    def where(self, condition: Part, other: Real | float) -> Real:
        """Return this where the condition holds, else ``other``."""
        found = self.code.select("f", condition, self.part, self._to(other))
        return Real(self.code, found)

    def poly(self, numbers: Numbers) -> Real:
        """Return a polynomial of this, the constant coefficient first."""
        total = Real(self.code, self.code.like(numbers[-1], self.part))
        for number in reversed(numbers[:-1]):
            total = total * self + number
        return total

    def bits(self) -> Part:
        """Return the words of the lanes."""
        return self.code.convert("b", "bitcast", self.part, KINDS[self.part.element].word)


def call(code: Code, fn: str, x: Part) -> Part:
    """Return ``fn`` of ``x``: a call of a function of the module, written on its first use."""
    name = f"{fn}.{suffix(x)}"
    return code.own(fn, code.helper(name, lambda m, n: _write(m, n, fn, x)), x, x)


def _write(module: Module, name: str, fn: str, like: Part) -> str:
    code = Code(module)
    code.used["x"] = 1
    result = FORMULAS[fn](Real(code, Part("%x", like.element, like.lanes)))
    head = f"define internal {like.type} @{name}({like.type} %x) #1 {{"
    body = "\n".join(code.lines)
    return f"{head}\nentry:\n{body}\n  ret {result.part}\n}}\n"


# ----------------------------------------------------------------------------------- exponential
def _kind(x: Real) -> Kind:
    return KINDS[x.part.element]


def _clamp(x: Real, low: float, high: float) -> Real:
    """Return ``x`` kept between two numbers; nan stays."""
    one = x.code.like(low, x.part), x.code.like(high, x.part)
    above = Real(x.code, one[0]).where(x.test("olt", low), x)
    return Real(x.code, one[1]).where(above.test("ogt", high), above)


def _scale(p: Real, shifted: Real, whole: Real) -> Real:
    """Return ``p`` times two to ``whole``, whose integer lies in the low bits of ``shifted``."""
    code, kind = p.code, _kind(p)
    low = code.like(kind.round, p.part)
    n = code.op("n", "sub", shifted.bits(), code.convert("b", "bitcast", low, kind.word))
    if code.module.machine.scale:
        if kind.word == "i64":
            n = code.convert("n", "trunc", n, "i32")
        callee = f"llvm.ldexp.{suffix(p.part)}.{suffix(n)}"
        return Real(code, code.named("f", callee, p.part, p.part, n))
    # In two steps, so that results near the ends of the range are rounded only once.
    half = code.op("n", "ashr", n, code.like(1, n))
    for step in (half, code.op("n", "sub", n, half)):
        power = code.op("n", "shl", step, code.like(kind.digits, step))
        power = code.op("n", "add", power, code.like(kind.one, power))
        p = p * Real(code, code.convert("f", "bitcast", power, kind.element))
    return p


def _exp(x: Real) -> Real:
    kind = _kind(x)
    x = _clamp(x, *kind.exp_range)
    shifted = x * LOG2_E + kind.round
    whole = shifted - kind.round
    r = x - whole * kind.ln2[0] - whole * kind.ln2[1]
    return _scale(r * r * r.poly(kind.exp) + r + 1.0, shifted, whole)


def _exp2(x: Real) -> Real:
    kind = _kind(x)
    x = _clamp(x, *kind.exp2_range)
    shifted = x + kind.round
    whole = shifted - kind.round
    r = (x - whole) * LN_2
    return _scale(r * r * r.poly(kind.exp) + r + 1.0, shifted, whole)


# ------------------------------------------------------------------------------------- logarithm
def _split(x: Real) -> tuple[Real, Real]:
    """Return f and e with x = (1 + f) 2^e and 1 + f between the roots of 1/2 and 2."""
    code, kind = x.code, _kind(x)
    subnormal = x.test("olt", kind.tiny)
    x = (x * kind.least).where(subnormal, x)
    word = x.bits()
    e = code.op("e", "sub", word, code.like(kind.root, word))
    e = code.op("e", "ashr", e, code.like(kind.digits, e))
    mantissa = code.op("m", "sub", word, code.op("m", "shl", e, code.like(kind.digits, e)))
    m = Real(code, code.convert("m", "bitcast", mantissa, kind.element))
    exponent = Real(code, code.convert("e", "sitofp", e, kind.element))
    return m - 1.0, (exponent - float(kind.digits)).where(subnormal, exponent)


def _log1p(f: Real) -> Real:
    """Return log(1 + f) - f."""
    kind = _kind(f)
    if kind.element == "float":
        square = f * f
        return square * f * f.poly(kind.log) - square * 0.5
    s = f / (f + 2.0)
    z = s * s
    return s * (z * z.poly(kind.log) - f)


def _ends(x: Real, inside: Real) -> Real:
    """Return a logarithm with its values at 0, infinity, nan and negative numbers."""
    inf = Real(x.code, x.code.like(math.inf, x.part))
    result = inside.where(x.test("olt", math.inf), x)
    nan = Real(x.code, x.code.like(math.nan, x.part))
    result = nan.where(x.test("olt", 0.0), result)
    return (inf * -1.0).where(x.test("oeq", 0.0), result)


def _log(x: Real) -> Real:
    f, e = _split(x)
    high, low = _kind(x).ln2
    return _ends(x, e * high + (f + (e * low + _log1p(f))))


def _log2(x: Real) -> Real:
    f, e = _split(x)
    return _ends(x, (f + _log1p(f)) * LOG2_E + e)


# ----------------------------------------------------------------------------------------- angles
def _reduced(x: Real) -> tuple[Real, Part]:
    """Return r and q with x = q pi / 2 + r and |r| at most pi / 4 (q in the low bits)."""
    code, kind = x.code, _kind(x)
    shifted = x * TWO_OVER_PI + kind.round
    whole = shifted - kind.round
    r = x
    for part in kind.half_pi:
        r = whole.fma(-part, r)
    far = x.fn("fabs").test("ogt", kind.far)
    found, turns = angles.far(code, x.part, far, r.part, shifted.bits())
    return Real(code, found), turns


def _sine(x: Real, quarter: int) -> Real:
    code = x.code
    kind = _kind(x)
    r, q = _reduced(x)
    q = code.op("q", "add", q, code.like(quarter, q))
    z = r * r
    sine = r * z * z.poly(kind.sin) + r
    cosine = z * z * z.poly(kind.cos) + (z * -0.5 + 1.0)
    odd = code.compare("c", "ne", code.op("q", "and", q, code.like(1, q)), code.like(0, q))
    found = cosine.where(odd, sine).bits()
    # Bit 1 of the quarter is the sign.
    sign = code.op("s", "shl", code.op("s", "and", q, code.like(2, q)), code.like(_sign(kind), q))
    return Real(code, code.convert("f", "bitcast", code.op("s", "xor", found, sign), kind.element))


def _sign(kind: Kind) -> int:
    return int(kind.word[1:]) - 2


# ---------------------------------------------------------------------------------- error function
def _erf(x: Real) -> Real:
    kind = _kind(x)
    near = x * (x * x).poly(kind.erf)
    a = _clamp(x.fn("fabs"), 0.0, kind.erf_end)
    log = (a - kind.erf_centre).poly(kind.erf_far)
    one = Real(x.code, x.code.like(1.0, x.part))
    far = one - Real(x.code, call(x.code, "exp", log.part))
    return near.where(x.fn("fabs").test("olt", 1.0), far.fn("copysign", x))


FORMULAS = {
    "exp": _exp,
    "exp2": _exp2,
    "log": _log,
    "log2": _log2,
    "sin": lambda x: _sine(x, 0),
    "cos": lambda x: _sine(x, 1),
    "erf": _erf,
}
