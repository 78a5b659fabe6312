"""The table of primitive scalar functions: one entry says how a function is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hastec.backends.cpu import formulas
from hastec.backends.cpu.code import Code, Part
from hastec.backends.cpu.convert import narrow, widen
from hastec.diag import InternalError
from hastec.ir.index import Interval
from hastec.ir.types import BOOL, DType, Kind


@dataclass(frozen=True, slots=True)
class Site:
    """Where a function is applied: the operands' type, what is known of integer operands, and
    the hint for names.
    """

    code: Code
    dtype: DType
    bounds: tuple[Interval | None, ...]
    hint: str

    @property
    def signed(self) -> bool:
        """True for signed integers."""
        return self.dtype.kind is Kind.INT

    def op(self, opcode: str, left: Part, right: Part) -> Part:
        """Write an instruction."""
        return self.code.op(self.hint, opcode, left, right)

    def select(self, where: Part, yes: Part, no: Part) -> Part:
        """Write a choice."""
        return self.code.select(self.hint, where, yes, no)

    def natural(self, operand: int) -> bool:
        """Return whether an operand is known not to be negative."""
        bounds = self.bounds[operand]
        return not self.signed or (bounds is not None and bounds[0] >= 0)

    def known(self, operand: int) -> int | None:
        """Return the operand if it is one known number."""
        bounds = self.bounds[operand]
        return bounds[0] if bounds is not None and bounds[0] == bounds[1] else None


def apply(site: Site, fn: str, args: list[Part]) -> Part:
    """Return a primitive function of operands of one type (a choice is written by the caller)."""
    code, dtype = site.code, site.dtype
    plain = [widen(code, a, dtype, site.hint) for a in args]
    if fn in _COMPARE:
        return _compare(site, fn, plain)
    table = _REAL if dtype.is_float else _LOGIC if dtype == BOOL else _WHOLE
    if fn in table:
        result = table[fn](site, *plain)
    elif dtype.is_float and fn in formulas.FORMULAS:
        result = formulas.call(code, fn, plain[0])
    else:
        raise InternalError(f"the CPU backend has no {fn} of {dtype}")
    return narrow(code, result, dtype, site.hint)


_COMPARE = {"lt": "lt", "le": "le", "gt": "gt", "ge": "ge", "eq": "eq", "ne": "ne"}


def _compare(site: Site, fn: str, args: list[Part]) -> Part:
    if args[0].real:
        predicate = "une" if fn == "ne" else f"o{fn}"
    elif fn in ("eq", "ne"):
        predicate = fn
    else:
        predicate = ("s" if site.signed else "u") + fn
    return site.code.compare(site.hint, predicate, *args)


# ------------------------------------------------------------------------------------------ floats
Writer = Callable[..., Part]


def _plain(opcode: str) -> Writer:
    return lambda site, a, b: site.op(opcode, a, b)


def _intrinsic(name: str) -> Writer:
    return lambda site, *args: site.code.intrinsic(site.hint, name, *args)


def _extreme(predicate: str) -> Writer:
    def write(site: Site, a: Part, b: Part) -> Part:
        # The comparison takes b if either is nan; a nan in a is then put back.
        best = site.select(site.code.compare("c", predicate, a, b), a, b)
        return site.select(site.code.compare("nan", "uno", a, a), a, best)

    return write


def _real_mod(site: Site, a: Part, b: Part) -> Part:
    """Remainder with the divisor's sign: exact remainder, moved by the divisor if signs differ."""
    code = site.code
    rest = site.op("frem", a, b)
    zero = code.like(0.0, a)
    signs = code.op("c", "xor", code.compare("c", "olt", rest, zero),
                    code.compare("c", "olt", b, zero))  # fmt: skip
    wrong = code.op("c", "and", signs, code.compare("c", "one", rest, zero))
    return site.select(wrong, site.op("fadd", rest, b), rest)


def _rsqrt(site: Site, a: Part) -> Part:
    return site.op("fdiv", site.code.like(1.0, a), site.code.intrinsic("root", "sqrt", a))


def _fneg(site: Site, a: Part) -> Part:
    return Part(site.code.emit(site.hint, f"fneg {a}"), a.element, a.lanes)


_REAL: dict[str, Writer] = {
    "add": _plain("fadd contract"),
    "sub": _plain("fsub contract"),
    "mul": _plain("fmul contract"),
    "div": _plain("fdiv"),
    "mod": _real_mod,
    "neg": _fneg,
    "abs": _intrinsic("fabs"),
    "min": _extreme("olt"),
    "max": _extreme("ogt"),
    "sqrt": _intrinsic("sqrt"),
    "rsqrt": _rsqrt,
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "trunc": _intrinsic("trunc"),
    "round": _intrinsic("rint"),
}

_LOGIC: dict[str, Writer] = {
    "and": _plain("and"),
    "or": _plain("or"),
    "not": lambda site, a: site.op("xor", a, site.code.like(True, a)),
}


# ---------------------------------------------------------------------------------------- integers
def _exact(opcode: str) -> Writer:
    """An operation that is marked as never wrapping where bounds prove it."""

    def write(site: Site, a: Part, b: Part) -> Part:
        safe = site.signed and None not in site.bounds and _fits(site, opcode)
        return site.op(f"{opcode} nsw" if safe else opcode, a, b)

    return write


def _fits(site: Site, opcode: str) -> bool:
    (a, b), (c, d) = (bounds or (0, 0) for bounds in site.bounds)
    products = [x * y for x in (a, b) for y in (c, d)]
    sums = {"add": (a + c, b + d), "sub": (a - d, b - c)}
    low, high = sums.get(opcode, (min(products), max(products)))
    limit = 1 << (site.dtype.bits - 1)
    return low >= -limit and high < limit


def _div(site: Site, a: Part, b: Part) -> Part:
    return _quotient(site, a, b)[0]


def _mod(site: Site, a: Part, b: Part) -> Part:
    return _quotient(site, a, b)[1]


def _quotient(site: Site, a: Part, b: Part) -> tuple[Part, Part]:
    """Return the floored quotient and its remainder; both 0 for a divisor 0."""
    code, zero = site.code, site.code.like(0, a)
    known = site.known(1)
    if known is None or known <= 0:
        none = code.compare("none", "eq", b, zero)
        safe = site.select(none, code.like(1, b), b)
        quotient, rest = _floored(site, a, safe)
        return site.select(none, zero, quotient), site.select(none, zero, rest)
    if known & (known - 1) == 0:
        shift = code.like(known.bit_length() - 1, a)
        opcode = "lshr" if site.natural(0) else "ashr"
        return site.op(opcode, a, shift), site.op("and", a, code.like(known - 1, a))
    return _floored(site, a, b)


def _floored(site: Site, a: Part, b: Part) -> tuple[Part, Part]:
    code = site.code
    if a.lanes and a.bits <= 32 and site.known(1) is None:
        return _by_doubles(site, a, b)
    if site.natural(0) and site.natural(1):
        return site.op("udiv", a, b), site.op("urem", a, b)
    # The least integer divided by -1 would trap: dividing by 1 and negating wraps instead.
    minus = code.compare("minus", "eq", b, code.like(-1, b))
    safe = site.select(minus, code.like(1, b), b)
    quotient, rest = site.op("sdiv", a, safe), site.op("srem", a, safe)
    negated = site.op("sub", code.like(0, a), quotient)
    quotient = site.select(minus, negated, quotient)
    zero = code.like(0, a)
    signs = code.compare("signs", "slt", code.op("signs", "xor", rest, b), zero)
    wrong = code.op("wrong", "and", signs, code.compare("rest", "ne", rest, zero))
    one_less = site.op("sub", quotient, code.like(1, a))
    return site.select(wrong, one_less, quotient), site.select(wrong, site.op("add", rest, b), rest)


def _by_doubles(site: Site, a: Part, b: Part) -> tuple[Part, Part]:
    """Divide words of at most 32 bits in double precision, where the floored quotient is exact."""
    code = site.code
    opcode = "sitofp" if site.signed else "uitofp"
    left, right = (code.convert("d", opcode, x, "double") for x in (a, b))
    whole = code.intrinsic("d", "floor", code.op("d", "fdiv", left, right))
    wide = code.convert(site.hint, "fptosi", whole, "i64")
    quotient = code.convert(site.hint, "trunc", wide, a.element)
    return quotient, site.op("sub", a, code.op("p", "mul", quotient, b))


def _shift(opcode: str) -> Writer:
    def write(site: Site, a: Part, b: Part) -> Part:
        code, bits = site.code, site.dtype.bits
        name = ("ashr" if site.signed else "lshr") if opcode == "shr" else "shl"
        lo, hi = site.bounds[1] or (-1, bits)
        if lo >= 0 and hi < bits:
            return site.op(name, a, b)
        inside = code.compare("inside", "ult", b, code.like(bits, b))
        if name == "ashr":
            return site.op(name, a, code.select("by", inside, b, code.like(bits - 1, b)))
        safe = code.select("by", inside, b, code.like(0, b))
        return site.select(inside, site.op(name, a, safe), code.like(0, a))

    return write


def _whole_extreme(name: str) -> Writer:
    def write(site: Site, a: Part, b: Part) -> Part:
        return site.code.intrinsic(site.hint, f"{'s' if site.signed else 'u'}{name}", a, b)

    return write


def _abs(site: Site, a: Part) -> Part:
    if not site.signed:
        return a
    return site.code.intrinsic(site.hint, "smax", a, _neg(site, a))


def _neg(site: Site, a: Part) -> Part:
    return site.op("sub", site.code.like(0, a), a)


_WHOLE: dict[str, Writer] = {
    "add": _exact("add"),
    "sub": _exact("sub"),
    "mul": _exact("mul"),
    "div": _div,
    "mod": _mod,
    "neg": _neg,
    "abs": _abs,
    "min": _whole_extreme("min"),
    "max": _whole_extreme("max"),
    "bitand": _plain("and"),
    "bitor": _plain("or"),
    "bitxor": _plain("xor"),
    "shl": _shift("shl"),
    "shr": _shift("shr"),
    "popc": _intrinsic("ctpop"),
}
