"""States of loops: what may take a state's place at once, and how the others are handed on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hastec.backends.triton.inline import used_by
from hastec.backends.triton.text import Expr, infix
from hastec.ir.index import ValueId
from hastec.ir.kernel import For, If, Let, Stmt, Value


@dataclass(frozen=True, slots=True)
class Move:
    """What a state becomes: ``name = expr``, or with a sign ``name += expr``."""

    name: str
    expr: Expr
    sign: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.sign}= {self.expr}"


def moved(name: str, expr: Expr) -> Move:
    """Return the move of a state to a value, in short if it starts from the state."""
    if expr.parts is not None:
        left, sign, right = expr.parts
        if left.text == name and sign in ("+", "-", "*", "&", "|", "^"):
            return Move(name, right, sign)
    return Move(name, expr)


def in_order(moves: list[Move]) -> Iterator[str]:
    """Yield lines that make all moves, each of which means the states before any of them."""
    left = list(moves)
    while left:
        free = next((m for m in left if not _read(m.name, left, m)), None)
        if free is None:
            names = ", ".join(m.name for m in left)
            values = ", ".join(_plain(m) for m in left)
            yield f"{names} = {values}"
            return
        left.remove(free)
        yield str(free)


def _read(name: str, moves: list[Move], own: Move) -> bool:
    return any(m.expr.uses(name) for m in moves if m is not own)


def _plain(move: Move) -> str:
    if not move.sign:
        return move.expr.text
    return infix(Expr(move.name), move.sign, move.expr).text


def replacing(loop: For, values: Mapping[ValueId, Value]) -> dict[ValueId, ValueId]:
    """Return the values that may be written over a state as they are computed, with that state.

    Nothing else needs them, and no statement below them reads the state.
    """
    uses = [Counter(_uses(stmt, values)) for stmt in loop.body]
    uses.append(Counter(c.next for c in loop.carries))
    total: Counter[ValueId] = sum(uses, Counter())
    places = {s.value.id: n for n, s in enumerate(loop.body) if isinstance(s, Let)}
    found: dict[ValueId, ValueId] = {}
    for carry in loop.carries:
        at = places.get(carry.next)
        if at is None or total[carry.next] != 1:
            continue
        if not any(later[carry.inside] for later in uses[at + 1 :]):
            found[carry.next] = carry.inside
    return found


def _uses(stmt: Stmt, values: Mapping[ValueId, Value]) -> Iterator[ValueId]:
    yield from used_by(stmt, values)
    if isinstance(stmt, For | If):
        for inner in stmt.body:
            yield from _uses(inner, values)
    if isinstance(stmt, For):
        yield from (c.next for c in stmt.carries)
