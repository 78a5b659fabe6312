"""The graph interpreter: what a graph means, in NumPy. The oracle of all tests."""

from hastec.ir.interp.run import bind_sizes, run_graph
from hastec.ir.interp.table import Table

__all__ = ["Table", "bind_sizes", "run_graph"]
