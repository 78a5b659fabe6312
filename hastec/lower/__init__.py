"""Region and schedule to kernel. Knows levels only by their capabilities."""

from hastec.lower.lowering import lower
from hastec.lower.work import Refused, Work

__all__ = ["Refused", "Work", "lower"]
