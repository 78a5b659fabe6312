"""What a kernel costs: bytes, flops, issue slots and cache lines, counted on it."""

from hastec.cost.count import Count, count
from hastec.cost.facts import Facts, Fibres
from hastec.cost.price import Price, price

__all__ = ["Count", "Facts", "Fibres", "Price", "count", "price"]
