"""The graph interpreter: what a graph means, in NumPy. The oracle of all tests.

Where the language leaves a choice to the plan, or says nothing, the interpreter decides:

- An absent entry is the fill in ordinary arithmetic: beside Inf or NaN the result is what the
  dense program gives, so a zero that is absent makes NaN there, as one that is present does.
- Every float operation is computed in float64 and rounded once to the type it computes in. Sums,
  products, means and log-sum-exps of floats are merged in float64 and rounded once.
- ``max`` and ``min`` keep NaN; ``argmax`` and ``argmin`` give the first NaN if there is one, as in
  torch; ties give the first place.
- A candidate for which ``always`` holds ties with every other such one; its key is not evaluated.
- An integer divided by zero is an error where the result is needed.
- A shift by less than 0 or by the width and more leaves no bit (to the right: the sign).
- An update stores what it writes, except where that is the fill.
- Integers converted to narrower ones wrap; ``e4m3`` and ``e2m1`` stay at their greatest number.
"""

from hastec.ir.interp.run import bind_sizes, run_graph
from hastec.ir.interp.table import Table

__all__ = ["Table", "bind_sizes", "run_graph"]
