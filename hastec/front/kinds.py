"""What kind of value an operation takes."""

from __future__ import annotations

from hastec.diag import Span
from hastec.front.fault import fault
from hastec.front.state import State
from hastec.ir.graph import NodeId
from hastec.ir.types import Kind


def need_condition(s: State, node: NodeId, span: Span, what: str) -> NodeId:
    """Return ``node`` if it is a truth value, else report that ``what`` needs one."""
    dtype = s.nodes[node].dtype
    if dtype.kind is not Kind.BOOL:
        message = f"{what} must be true or false, and this is {dtype}"
        raise fault("HST2005", message, span, "compare it, for example with `!= 0`")
    return node


def need_integer(s: State, node: NodeId, span: Span, what: str) -> NodeId:
    """Return ``node`` if it is an integer, else report that ``what`` needs one."""
    dtype = s.nodes[node].dtype
    if not dtype.is_integer:
        help_ = "convert it, for example `i32(x)`"
        raise fault("HST2006", f"{what} must be an integer, and this is {dtype}", span, help_)
    return node


def need_number(s: State, node: NodeId, span: Span, what: str) -> NodeId:
    """Return ``node`` if it is a number, not a truth value."""
    dtype = s.nodes[node].dtype
    if dtype.kind is Kind.BOOL:
        help_ = "convert it, for example `f32(x)`"
        raise fault("HST2005", f"{what} must be a number, and this is {dtype}", span, help_)
    return node


def need_word(s: State, node: NodeId, span: Span, what: str) -> NodeId:
    """Return ``node`` if it is an integer or a truth value, not a floating-point number."""
    dtype = s.nodes[node].dtype
    if dtype.is_float:
        help_ = "convert it, for example `i32(x)`"
        raise fault("HST2005", f"{what} takes bits or integers, and this is {dtype}", span, help_)
    return node
