"""The closed table of scalar functions, with the facts passes and lowerings use.

Both IRs name their ``Map`` functions from here. Facts are data: no pass asks for a function by
name to learn something about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hastec.ir.types import BOOL, F32, F64, I32, I64, DType, compute_type


class Result(Enum):
    """How the type of a result follows from the operands' types."""

    COMPUTE = "compute"
    """The computing type of all operands."""
    FLOAT = "float"
    """The computing type, at least f32."""
    BOOL = "bool"
    CHOICE = "choice"
    """The computing type of all operands but the first (a condition)."""
    GIVEN = "given"
    """Stated on the node: conversions."""


class Absent(Enum):
    """When a result is structurally absent (zero because nothing is stored)."""

    NEVER = "never"
    ANY = "any"
    """As soon as one operand is absent: products."""
    ALL = "all"
    """Only if every operand is absent: sums, and functions with f(0) = 0."""
    FIRST = "first"
    """As the first operand is: quotients, shifts."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One function: arity, result type rule, when its result is absent, and whether users name it.

    ``lazy`` functions evaluate later operands only where earlier ones ask for it.
    """

    name: str
    arity: int
    result: Result
    absent: Absent = Absent.NEVER
    public: bool = True
    lazy: bool = False


def _many(names: str, arity: int, result: Result, absent: Absent, public: bool) -> list[Scalar]:
    return [Scalar(n, arity, result, absent, public) for n in names.split()]


_TABLE: tuple[Scalar, ...] = (
    *_many("add sub", 2, Result.COMPUTE, Absent.ALL, public=False),
    *_many("mul", 2, Result.COMPUTE, Absent.ANY, public=False),
    *_many("div mod", 2, Result.COMPUTE, Absent.FIRST, public=False),
    *_many("neg", 1, Result.COMPUTE, Absent.ALL, public=False),
    *_many("lt le gt ge eq ne", 2, Result.BOOL, Absent.NEVER, public=False),
    *_many("not", 1, Result.BOOL, Absent.NEVER, public=False),
    *_many("xor xnor", 2, Result.COMPUTE, Absent.NEVER, public=False),
    Scalar("and", 2, Result.BOOL, Absent.ANY, public=False, lazy=True),
    Scalar("or", 2, Result.BOOL, Absent.ALL, public=False, lazy=True),
    Scalar("where", 3, Result.CHOICE, Absent.NEVER, public=False, lazy=True),
    Scalar("cast", 1, Result.GIVEN, Absent.ALL, public=False),
    *_many("min max", 2, Result.COMPUTE, Absent.ALL, public=True),
    *_many("abs sign relu square", 1, Result.COMPUTE, Absent.ALL, public=True),
    *_many("sqrt sin tan tanh expm1 log1p silu gelu erf", 1, Result.FLOAT, Absent.ALL, True),
    *_many("exp exp2 log log2 rsqrt cos sigmoid softplus", 1, Result.FLOAT, Absent.NEVER, True),
    Scalar("reciprocal", 1, Result.FLOAT),
    *_many("floor ceil round trunc", 1, Result.COMPUTE, Absent.ALL, public=True),
    Scalar("pow", 2, Result.FLOAT, Absent.FIRST),
    *_many("isnan isinf isfinite", 1, Result.BOOL, Absent.NEVER, public=True),
    # Integer words: what codes and popcount arithmetic are made of.
    *_many("bitand", 2, Result.COMPUTE, Absent.ANY, public=True),
    *_many("bitor bitxor", 2, Result.COMPUTE, Absent.ALL, public=True),
    *_many("shl shr", 2, Result.COMPUTE, Absent.FIRST, public=True),
    *_many("popc", 1, Result.COMPUTE, Absent.ALL, public=True),
)

SCALARS: dict[str, Scalar] = {s.name: s for s in _TABLE}


def result_type(name: str, operands: tuple[DType, ...]) -> DType:
    """Return the type of ``name`` applied to ``operands`` (conversions state theirs instead)."""
    match SCALARS[name].result:
        case Result.BOOL:
            return BOOL
        case Result.COMPUTE:
            return compute_type(operands)
        case Result.CHOICE:
            return BOOL if all(t == BOOL for t in operands[1:]) else compute_type(operands[1:])
        case Result.FLOAT:
            found = compute_type(operands)
            return {I32: F32, I64: F32, F64: F64}.get(found, F32)
        case Result.GIVEN:
            raise ValueError(f"{name} states its own type")
