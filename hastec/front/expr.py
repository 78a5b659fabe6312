"""Expressions to nodes: numbers, operators and conditions; the rest is in modules of its own."""

from __future__ import annotations

from typing import assert_never

from hastec.diag import Note
from hastec.front.access import read_item, read_name
from hastec.front.brackets import bracket
from hastec.front.calls import call
from hastec.front.fault import fault
from hastec.front.kinds import need_condition, need_word
from hastec.front.members import member
from hastec.front.scope import Scope
from hastec.front.state import State
from hastec.grammar import ast
from hastec.ir.graph import Const, NodeId
from hastec.ir.types import Kind

ARITHMETIC = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "%": "mod", "xor": "xor", "xnor": "xnor",
}  # fmt: skip
COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
CONSTANTS = {"inf": float("inf"), "nan": float("nan"), "true": True, "false": False}


def evaluate(s: State, expr: ast.Expr, scope: Scope) -> NodeId:
    """Return the value of ``expr``."""
    match expr:
        case ast.Number(value):
            return s.nodes.const(value, expr.span)
        case ast.Constant(word):
            return s.nodes.const(CONSTANTS[word], expr.span)
        case ast.Name():
            return read_name(s, expr, scope)
        case ast.Item():
            return read_item(s, expr, scope)
        case ast.Negate(operand):
            return s.nodes.map("neg", (s.value(operand, scope),), expr.span)
        case ast.Not(operand):
            node = need_condition(s, s.value(operand, scope), operand.span, "what `not` takes")
            return s.nodes.map("not", (node,), expr.span)
        case ast.Chain():
            return _chain(s, expr, scope)
        case ast.Logic():
            return _logic(s, expr, scope)
        case ast.Compare():
            return _compare(s, expr, scope)
        case ast.Member():
            return member(s, expr, scope)
        case ast.Conditional():
            return _conditional(s, expr, scope)
        case ast.Call():
            return call(s, expr, scope)
        case ast.Bracket():
            return bracket(s, expr, scope)
        case ast.Group() | ast.Field():
            raise _misplaced(expr)
        case _ as never:
            assert_never(never)


def _chain(s: State, expr: ast.Chain, scope: Scope) -> NodeId:
    total = s.value(expr.first, scope)
    where = expr.first.span
    for op, operand in expr.rest:
        right = s.value(operand, scope)
        if op in ("xor", "xnor"):
            need_word(s, total, where, f"`{op}`")
            need_word(s, right, operand.span, f"`{op}`")
        elif op in ("/", "%"):
            _check_divisor(s, total, right, operand)
        where = expr.first.span.to(operand.span)
        total = s.nodes.map(ARITHMETIC[op], (total, right), where)
    return total


def _check_divisor(s: State, left: NodeId, right: NodeId, operand: ast.Expr) -> None:
    zero = s.nodes[right].op == Const(0) and not s.nodes[right].dtype.is_float
    if zero and not s.nodes[left].dtype.is_float:
        message = "an integer is divided by zero"
        raise fault("HST2013", message, operand.span, "divide by another number")


def _logic(s: State, expr: ast.Logic, scope: Scope) -> NodeId:
    what = f"what `{expr.op}` joins"
    total: NodeId | None = None
    for operand in expr.operands:
        node = need_condition(s, s.value(operand, scope), operand.span, what)
        total = node if total is None else s.nodes.map(expr.op, (total, node), expr.span)
    assert total is not None  # the grammar has two operands at least
    return total


def _compare(s: State, expr: ast.Compare, scope: Scope) -> NodeId:
    left = s.value(expr.first, scope)
    total: NodeId | None = None
    for op, operand in expr.rest:
        right = s.value(operand, scope)
        node = s.nodes.map(COMPARISONS[op], (left, right), expr.span)
        total = node if total is None else s.nodes.map("and", (total, node), expr.span)
        left = right
    assert total is not None  # the grammar has one comparison at least
    return total


def _conditional(s: State, expr: ast.Conditional, scope: Scope) -> NodeId:
    condition = s.value(expr.condition, scope)
    need_condition(s, condition, expr.condition.span, "the condition of `if`")
    then, other = s.value(expr.then, scope), s.value(expr.otherwise, scope)
    kinds = [s.nodes[n].dtype.kind is Kind.BOOL for n in (then, other)]
    if kinds[0] != kinds[1]:
        truth, number = (expr.then, expr.otherwise) if kinds[0] else (expr.otherwise, expr.then)
        note = Note("this is a number", number.span)
        message = "`if` and `else` give a truth value and a number"
        help_ = "make both numbers, or both conditions"
        raise fault("HST2005", message, truth.span, help_, note)
    return s.nodes.map("where", (condition, then, other), expr.span)


def _misplaced(expr: ast.Group | ast.Field) -> Exception:
    if isinstance(expr, ast.Group):
        message = "several values in parentheses may only stand left of `in`"
        return fault("HST1014", message, expr.span, "use one value")
    message = f"`{expr.state.name}.{expr.name.name}` may only stand in the `merge` of a monoid"
    return fault("HST1014", message, expr.span, "use a name without a dot")
