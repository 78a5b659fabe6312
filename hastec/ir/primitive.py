"""Composite scalar functions in terms of the primitive ones every backend implements.

Polynomials are minimax fits (Remez exchange in 60 digits) of the function and interval named
beside them; coefficients start with the constant one. In f32 a result is within a few units in
the last place over the whole range, provided the primitives are; f64 likewise, except ``pow``,
whose relative error grows to 1e-13 where the result nears the ends of the range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

from hastec.diag import InternalError
from hastec.ir.primitive_types import PRIMITIVES
from hastec.ir.types import BOOL, F32, F64, I32, DType

V = TypeVar("V")


class Make(Protocol[V]):
    """Builds the values of a lowering; the kernel builder is one."""

    def apply(self, fn: str, /, *args: V) -> V:
        """Return a primitive function of values."""
        ...

    def const(self, value: bool | int | float, dtype: DType, /) -> V:
        """Return a constant."""
        ...

    def cast(self, value: V, dtype: DType, /) -> V:
        """Return a value converted."""
        ...


def expand(fn: str, args: tuple[V, ...], dtype: DType, make: Make[V]) -> V:
    """Return ``fn`` of ``args``, made of primitive functions only.

    ``dtype`` is the type all operands have (of a choice: all but the condition): one that
    arithmetic computes in, or bool. Functions that give a float take f32 or f64.
    """
    if fn in ("floor", "ceil", "trunc", "round") and not dtype.is_float:
        return args[0]
    if fn in PRIMITIVES:
        return make.apply(fn, *args)
    terms = [Term(make, dtype, a) for a in args]
    return _formula(fn, terms[0])(*terms).value


class Term(Generic[V]):
    """A value with operators, so that formulas read like formulas; numbers become constants."""

    __slots__ = ("dtype", "make", "value")

    def __init__(self, make: Make[V], dtype: DType, value: V) -> None:
        self.make = make
        self.dtype = dtype
        self.value = value

    def of(self, number: bool | int | float) -> Term[V]:
        """Return a constant of this type."""
        exact = float(number) if self.dtype.is_float else number
        return Term(self.make, self.dtype, self.make.const(exact, self.dtype))

    def fn(self, name: str, *others: Operand[V], dtype: DType | None = None) -> Term[V]:
        """Return a primitive function of this and ``others``."""
        terms = [o if isinstance(o, Term) else self.of(o) for o in others]
        value = self.make.apply(name, self.value, *(t.value for t in terms))
        return Term(self.make, dtype or self.dtype, value)

    def cast(self, dtype: DType) -> Term[V]:
        """Return this converted."""
        return Term(self.make, dtype, self.make.cast(self.value, dtype))

    def choose(self, yes: Term[V], no: Operand[V]) -> Term[V]:
        """Return ``yes`` where this holds, else ``no``."""
        other = no if isinstance(no, Term) else yes.of(no)
        return Term(
            self.make, yes.dtype, self.make.apply("where", self.value, yes.value, other.value)
        )

    def __add__(self, other: Operand[V]) -> Term[V]:
        return self.fn("add", other)

    def __sub__(self, other: Operand[V]) -> Term[V]:
        return self.fn("sub", other)

    def __mul__(self, other: Operand[V]) -> Term[V]:
        return self.fn("mul", other)

    def __truediv__(self, other: Operand[V]) -> Term[V]:
        return self.fn("div", other)

    def __neg__(self) -> Term[V]:
        return self.fn("neg")

    def __and__(self, other: Term[V]) -> Term[V]:
        return self.fn("and", other)

    def __or__(self, other: Term[V]) -> Term[V]:
        return self.fn("or", other)

    def test(self, name: str, other: Operand[V]) -> Term[V]:
        """Return a comparison with ``other``."""
        return self.fn(name, other, dtype=BOOL)

    def poly(self, *coefficients: float) -> Term[V]:
        """Return a polynomial of this, the constant coefficient first."""
        total = self.of(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = total * self + c
        return total


Operand: TypeAlias = "Term[V] | int | float"
Formula: TypeAlias = Callable[..., Term[V]]


def _pick(x: Term[V], single: tuple[float, ...], double: tuple[float, ...]) -> tuple[float, ...]:
    return double if x.dtype == F64 else single


# ---------------------------------------------------------------------------- exponential family
# (exp(x) - 1 - x) / x^2 on |x| <= 1/2, relative to exp(x) - 1: 2^-28, 2^-61.
_EXPM1_F32 = (0.5, 0.1666666865, 0.04166531563, 0.008333072066, 0.001399744651, 0.0001999319793)
_EXPM1_F64 = (
    *(0.5, 0.16666666666666666, 0.04166666666666766, 0.008333333333333536),
    *(0.0013888888888570717, 0.00019841269840812457, 2.480158773869298e-05),
    *(2.7557319708723748e-06, 2.7557027570325584e-07, 2.505184438461551e-08),
    *(2.0970097484846625e-09, 1.6130611324278566e-10),
)

# (log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2 on s^2 <= 1/9, relative: 2^-32, 2^-63.
_LOG1P_F32 = (0.66666675, 0.39998877, 0.28616884, 0.21427654, 0.2430095)
_LOG1P_F64 = (
    *(0.6666666666666667, 0.3999999999999398, 0.2857142857251001, 0.2222222212547229),
    *(0.18181823202836508, 0.15384451934440563, 0.13336805782446984, 0.11715951022214943),
    *(0.10972564778943014, 0.06994253392785192, 0.1646762640197654),
)

# (tanh(x) - x) / x^3 in x^2 on |x| <= 0.6, relative: 2^-28, 2^-62.
_TANH_F32 = (-0.333332986, 0.1333195716, -0.05378655344, 0.02080489136, -0.00590524124)
_TANH_F64 = (
    *(-0.33333333333333326, 0.13333333333331815, -0.053968253967241926, 0.021869488502263775),
    *(-0.008863234863677771, 0.0035921196774988144, -0.0014557641797765912),
    *(0.0005896226606171034, -0.00023751413513354653, 9.249238511259757e-05),
    *(-3.118216561244298e-05, 6.505227828466493e-06),
)


def _expm1(x: Term[V]) -> Term[V]:
    # Subtracting 1 from exp would cancel near 0.
    near = x * x * x.poly(*_pick(x, _EXPM1_F32, _EXPM1_F64)) + x
    return x.fn("abs").test("lt", 0.5).choose(near, x.fn("exp") - 1.0)


def _log1p(x: Term[V]) -> Term[V]:
    s = x / (x + 2.0)
    z = s * s
    near = s * z * z.poly(*_pick(x, _LOG1P_F32, _LOG1P_F64)) + s * 2.0
    return x.fn("abs").test("lt", 0.5).choose(near, (x + 1.0).fn("log"))


def _tanh(x: Term[V]) -> Term[V]:
    a, z = x.fn("abs"), x * x
    near = x * z * z.poly(*_pick(x, _TANH_F32, _TANH_F64)) + x
    far = x.of(1.0) - x.of(2.0) / ((a * 2.0).fn("exp") + 1.0)
    return a.test("lt", 0.6).choose(near, x.test("lt", 0.0).choose(-far, far))


def _sigmoid(x: Term[V]) -> Term[V]:
    # The exponential never overflows, so that small results keep their precision.
    e = (-x.fn("abs")).fn("exp")
    return x.test("ge", 0.0).choose(x.of(1.0), e) / (e + 1.0)


def _silu(x: Term[V]) -> Term[V]:
    return x * _sigmoid(x)


def _softplus(x: Term[V]) -> Term[V]:
    return x.fn("max", 0.0) + _log1p((-x.fn("abs")).fn("exp"))


# ------------------------------------------------------------------------------------------ gelu
_CENTRE = 4.0
# P(-a) exp(a^2 / 2) (a + 4) in (a - 4) / (a + 4), P the normal distribution, on 0.4 <= a <= 15
# (39), relative: 2^-25, 2^-59.
_TAIL_F32 = (
    *(0.75528514, -0.60789645, 0.38713562, -0.1865271, 0.060421616, -0.0074948175),
    *(-0.0035903156, 0.0014644663, 0.00028489972),
)
_TAIL_F64 = (
    *(0.7552851304157515, -0.6078966419718921, 0.38713740074221453, -0.18652185795965331),
    *(0.06039657489093627, -0.007540188966896485, -0.0034796923673820167, 0.001630818460889133),
    *(0.0001333443121787727, -0.0002310949701966411, -1.90825607119012e-06),
    *(3.514491028412265e-05, 7.16651981444535e-07, -5.921086657866559e-06),
    *(-6.296451110575059e-07, 1.0239758835231114e-06, 2.716913731477485e-07),
    *(-1.5913029686641228e-07, -8.525913564394896e-08, 1.7761458046450155e-08),
    *(1.9511196317647822e-08, -8.207091939735199e-10, -2.488781811660895e-09),
)


def _gelu(x: Term[V]) -> Term[V]:
    half = (x * math.sqrt(0.5)).fn("erf") * 0.5 + 0.5
    # Far on the left 1 + erf would cancel: there the tail is computed by itself.
    return x * x.test("lt", -0.5).choose(_tail(x.fn("abs")), half)


def _tail(a: Term[V]) -> Term[V]:
    """Return P(-a) of the normal distribution for a >= 0.4."""
    # a * a does not fit the type: its head is squared exactly, the rest goes in by itself.
    scale = 256.0 if a.dtype == F32 else 2.0**20
    head = (a * scale).fn("floor") / scale
    rest = (a - head) * (a + head)
    bell = (head * head * -0.5).fn("exp") * (rest * -0.5).fn("exp")
    t = (a - _CENTRE) / (a + _CENTRE)
    density = bell * (t.poly(*_pick(a, _TAIL_F32, _TAIL_F64)) / (a + _CENTRE))
    return a.test("gt", 40.0).choose(a.of(0.0), density)


# ----------------------------------------------------------------------------------------- power
def _pow(x: Term[V], y: Term[V]) -> Term[V]:
    if x.dtype == F32:
        # The product below needs more digits than the result.
        return _pow(x.cast(F64), y.cast(F64)).cast(F32)
    a = x.fn("abs")
    whole = y.fn("floor").test("eq", y)
    odd = whole & (y * 0.5).fn("floor").test("ne", y * 0.5)
    size = (y * a.fn("log2")).fn("exp2")
    size = (a.test("eq", 1.0) & y.test("eq", y)).choose(x.of(1.0), size)
    signed = odd.choose(-size, size)
    defined = (whole | a.test("eq", math.inf)).choose(signed, math.nan)
    result = x.test("lt", 0.0).choose(defined, size)
    # Zero keeps its sign, which no comparison sees.
    zero = y.test("gt", 0.0).choose(x, x.of(1.0) / x)
    result = (x.test("eq", 0.0) & odd).choose(zero, result)
    return (x.test("eq", 1.0) | y.test("eq", 0.0)).choose(x.of(1.0), result)


# -------------------------------------------------------------------------------- short formulas
def _tan(x: Term[V]) -> Term[V]:
    return x.fn("sin") / x.fn("cos")


def _reciprocal(x: Term[V]) -> Term[V]:
    return x.of(1.0) / x


def _square(x: Term[V]) -> Term[V]:
    return x * x


def _relu(x: Term[V]) -> Term[V]:
    return x.fn("max", 0)


def _sign(x: Term[V]) -> Term[V]:
    negative = x.test("lt", 0).choose(x.of(-1), 0)
    return x.test("gt", 0).choose(x.of(1), negative)


def _isnan(x: Term[V]) -> Term[V]:
    return x.test("ne", x) if x.dtype.is_float else _no(x)


def _isinf(x: Term[V]) -> Term[V]:
    return x.fn("abs").test("eq", math.inf) if x.dtype.is_float else _no(x)


def _isfinite(x: Term[V]) -> Term[V]:
    return x.fn("abs").test("lt", math.inf) if x.dtype.is_float else _no(x).fn("not")


def _no(x: Term[V]) -> Term[V]:
    return Term(x.make, BOOL, x.make.const(False, BOOL))


def _xor(x: Term[V], y: Term[V]) -> Term[V]:
    return x.test("ne", y).cast(I32) if x.dtype == BOOL else x.fn("bitxor", y)


def _xnor(x: Term[V], y: Term[V]) -> Term[V]:
    return x.test("eq", y).cast(I32) if x.dtype == BOOL else x.fn("bitxor", y).fn("bitxor", -1)


def _formula(fn: str, x: Term[V]) -> Formula[V]:
    """Return the formula of a composite function for terms like ``x``."""
    formulas: dict[str, Formula[V]] = {
        "expm1": _expm1,
        "log1p": _log1p,
        "tanh": _tanh,
        "sigmoid": _sigmoid,
        "silu": _silu,
        "softplus": _softplus,
        "gelu": _gelu,
        "pow": _pow,
        "tan": _tan,
        "reciprocal": _reciprocal,
        "square": _square,
        "relu": _relu,
        "sign": _sign,
        "isnan": _isnan,
        "isinf": _isinf,
        "isfinite": _isfinite,
        "xor": _xor,
        "xnor": _xnor,
    }
    if fn not in formulas:
        raise InternalError(f"no scalar function {fn} of {x.dtype}")
    return formulas[fn]
