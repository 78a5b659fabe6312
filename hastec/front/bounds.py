"""Subscripts fit: by proof, by a condition around them, or by a check of index tables on entry.

A subscript that depends on nothing but indices and sizes must be proven to fit, perhaps from the
conditions it stands behind. One that depends on integers a caller gives (index tables, offsets,
lengths, scalars) is left to the check on entry, unless it cannot fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hastec.diag import Diagnostic, Note, Span
from hastec.front.facts import Facts, parts
from hastec.front.nodes import Nodes
from hastec.front.prove import Prover
from hastec.front.scope import IndexVar
from hastec.ir.graph import Access, Define, Input, NodeId, Present, Select, Update
from hastec.ir.infer import needs
from hastec.sym.size import Size

MAX_VISITS = 20_000
Reader = Access | Present | Update
Pair = tuple[NodeId, Size]
"""A subscript and the size it must stay below."""


def check_bounds(
    nodes: Nodes, indices: dict[str, IndexVar], order: Sequence[NodeId]
) -> tuple[Diagnostic, ...]:
    """Return the subscripts that do not fit; ``order`` are the nodes that outputs need."""
    return _Bounds(nodes, indices, order).check()


class _Bounds:
    def __init__(self, nodes: Nodes, indices: dict[str, IndexVar], order: Sequence[NodeId]) -> None:
        self.nodes = nodes
        self.order = order
        self.prover = Prover(nodes, indices)
        self.doubtful: dict[NodeId, list[Pair]] = {}
        """Subscripts that do not fit without looking at conditions."""
        self.found: dict[Span | None, Diagnostic] = {}

    def check(self) -> tuple[Diagnostic, ...]:
        for at in self.order:
            for sub, size in self._pairs(at):
                form = self.prover.form(sub)
                if self._fits(form, size, self._running(at)):
                    continue
                if self._misses(form, size):
                    self._report("HST2009", at, sub, size)
                elif not self._given(sub):
                    self.doubtful.setdefault(at, []).append((sub, size))
        if self.doubtful:
            self._look_around()
        return tuple(self.found.values())

    def _pairs(self, at: NodeId) -> Iterator[Pair]:
        op = self.nodes[at].op
        if isinstance(op, Reader):
            shape = self.nodes[op.table].shape or ()
            table = self.nodes[op.table].op
            if not isinstance(table, Select) or shape:
                yield from zip(op.subs, shape, strict=True)

    def _running(self, at: NodeId) -> Facts:
        """Where a value is evaluated, the sizes its indices run over are at least 1."""
        extents = [self.nodes.ranks[r].extent for r in self.nodes[at].ranks]
        return tuple({e - 1: None for e in extents if e is not None and e.constant is None})

    def _fits(self, form: Size, size: Size, facts: Facts) -> bool:
        return self.prover.holds(form, facts) and self.prover.holds(size - 1 - form, facts)

    def _misses(self, form: Size, size: Size) -> bool:
        return self.prover.holds(form - size) or self.prover.holds(-form - 1)

    def _given(self, sub: NodeId) -> bool:
        """Return whether a subscript depends on integers that the caller gives."""
        todo, seen = [sub], {sub}
        while todo:
            node = self.nodes[todo.pop()]
            if isinstance(node.op, Input) and node.dtype.is_integer:
                return True
            fresh = [n for n in needs(node.op, self.nodes.ranks) if n not in seen]
            seen.update(fresh)
            todo += fresh
        return False

    # ----------------------------------------------------------------------- under conditions
    def _look_around(self) -> None:
        """Check doubtful subscripts again under the conditions of each place they stand at."""
        leads = self._leading()
        tables = [n for n in self.order if isinstance(self.nodes[n].op, Define | Select | Update)]
        stack: list[tuple[NodeId, Facts]] = [(n, ()) for n in tables]
        seen = set(stack)
        while stack:
            at, facts = stack.pop()
            for sub, size in self.doubtful.get(at, ()):
                if not self._fits(self.prover.form(sub), size, (*facts, *self._running(at))):
                    self._report("HST2010", at, sub, size)
            if len(seen) > MAX_VISITS:
                facts = ()
            for part in parts(self.nodes, self.prover, self.nodes[at].op, facts):
                if part not in seen and part[0] in leads:
                    seen.add(part)
                    stack.append(part)

    def _leading(self) -> frozenset[NodeId]:
        """Return the nodes from which a doubtful subscript is reached."""
        found: set[NodeId] = set()
        for at in self.order:
            below = parts(self.nodes, self.prover, self.nodes[at].op, ())
            if at in self.doubtful or any(n in found for n, _ in below):
                found.add(at)
        return frozenset(found)

    def _report(self, code: str, at: NodeId, sub: NodeId, size: Size) -> None:
        span = self.nodes[sub].span or self.nodes[at].span
        op = self.nodes[at].op
        assert isinstance(op, Reader)
        form = self.prover.form(sub)
        text = re.sub(r"@(\w+)#\d+", r"\1", str(form))
        shown = "this subscript" if "%" in text else f"`{text}`"
        low = not self.prover.holds(form) and self.prover.holds(size - 1 - form)
        if code == "HST2009":
            message = f"{shown} never lies in 0 .. {size}"
            help_ = f"use a subscript below {size}"
        else:
            message = f"{shown} may {'be negative' if low else f'reach {size}'}"
            condition = "… >= 0" if "%" in text else f"{text} >= 0"
            if not low:
                condition = f"… < {size}" if "%" in text else f"{text} < {size}"
            help_ = f"add the condition `{condition}`"
        where = self.nodes[op.table].span
        notes = (Note(f"the table has the size {size} there", where),) if where else ()
        self.found.setdefault(span, Diagnostic(code, message, span, help_, notes))
