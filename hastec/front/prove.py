"""Proofs that an integer expression is never negative: what bounds checks and ranges rest on.

An integer value is a polynomial over sizes, indices (``@rank``) and values nothing is known of
structurally (``%node``), in the normal form of :mod:`hastec.sym.size`. To prove that one is at
least 0, indices are replaced by their bounds, innermost first, until only sizes are left, which
are natural numbers. Proofs are bounded: "no" means "not proven".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hastec.front.nodes import Nodes
from hastec.front.scope import IndexVar
from hastec.front.sizes import combine
from hastec.ir.graph import Access, Const, Define, Index, Map, NodeId, Reduce, SizeOf
from hastec.ir.types import DType, Kind
from hastec.sym.formula import always_le
from hastec.sym.size import Atom, Divided, Monomial, Name, Size

MAX_STEPS = 400
MAX_DEPTH = 12
MAX_TERMS = 64
MAX_FACTS = 4

ZERO = Size()
_SIZED = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}


class Prover:
    """Proofs about the values of one kernel; also while the ranges of indices are open."""

    def __init__(self, nodes: Nodes, indices: Mapping[str, IndexVar]) -> None:
        self.nodes = nodes
        self.indices = indices
        self.steps = 0
        self.positive: frozenset[str] = frozenset()
        """Sizes that are at least 1 for the proof at hand."""

    # ------------------------------------------------------------------------------ questions
    def holds(self, form: Size, facts: tuple[Size, ...] = ()) -> bool:
        """Return whether ``form`` is proven to be at least 0 where every fact is."""
        self.steps = MAX_STEPS
        self.positive = frozenset(
            name for fact in facts for name in fact.names() if fact == Size.of(name) - 1
        )
        return self._holds(form, facts[-MAX_FACTS * 2 :], MAX_FACTS)

    def at_most(self, node: NodeId, limit: Size) -> bool:
        """Return whether ``node`` is proven never to exceed ``limit``."""
        self.steps, self.positive = MAX_STEPS, frozenset()
        return any(self._certain(limit - top) for top in self._alternatives(node, up=True))

    def at_least_zero(self, node: NodeId) -> bool:
        """Return whether ``node`` is proven never to be negative."""
        self.steps, self.positive = MAX_STEPS, frozenset()
        return any(self._certain(low) for low in self._alternatives(node, up=False))

    def top(self, node: NodeId) -> Size | None:
        """Return a size that ``node`` never exceeds, if one is found."""
        self.steps, self.positive = MAX_STEPS, frozenset()
        for form in self._alternatives(node, up=True):
            found = next(self._extremes(form, True, MAX_DEPTH), None)
            if found is not None:
                return found
        return None

    def _holds(self, form: Size, facts: tuple[Size, ...], more: int) -> bool:
        if self._certain(form):
            return True
        branches = self._branches(form)
        if branches and all(self._holds(b, facts, more) for b in branches):
            return True
        if more == 0:
            return False
        for n, fact in enumerate(facts):
            left = (*facts[:n], *facts[n + 1 :])
            if self.steps > 0 and self._holds(form - fact, left, more - 1):
                return True
        return False

    def _branches(self, form: Size) -> tuple[Size, ...]:
        """Return what ``form`` may be if a value in it is one of several: all must hold."""
        for name in form.names():
            if not name.startswith("%") or self.steps <= 0:
                continue
            match self.nodes[int(name[1:])].op:
                case Map("min" | "max", values) | Map("where", (_, *values)):
                    options = [self.form(v) for v in values]
                case Map("abs", (value,)):
                    options = [self.form(value), -self.form(value)]
                case _:
                    continue
            return tuple(form.substitute({name: option}) for option in options)
        return ()

    def _certain(self, form: Size) -> bool:
        for low in self._extremes(form, False, MAX_DEPTH):
            if always_le(ZERO, low, int(self.positive.issuperset(low.names()))):
                return True
        return False

    # ---------------------------------------------------------------------------------- forms
    def form(self, node: NodeId) -> Size:
        """Return an integer value as a polynomial."""
        match self.nodes[node].op:
            case Const(value) if isinstance(value, int):
                return Size.of(int(value))
            case SizeOf(size):
                return size
            case Index(rank):
                return Size.of(f"@{rank}")
            case Map("neg", (arg,)):
                return -self.form(arg)
            case Map(fn, (left, right)) if fn in _SIZED:
                found = combine(_SIZED[fn], self.form(left), self.form(right))
                return self._opaque(node) if found is None else found
            case _:
                return self._opaque(node)

    def _opaque(self, node: NodeId) -> Size:
        return Size.of(f"%{node}")

    def _alternatives(self, node: NodeId, *, up: bool) -> list[Size]:
        """Return forms that bound ``node`` from above (``up``) or below, itself among them."""
        match self.nodes[node].op:
            case Map("min", (left, right)) if up:
                return [*self._alternatives(left, up=up), *self._alternatives(right, up=up)]
            case Map("max", (left, right)) if not up:
                return [*self._alternatives(left, up=up), *self._alternatives(right, up=up)]
            case _:
                return [self.form(node)]

    # ----------------------------------------------------------------------------- elimination
    def _extremes(self, form: Size, up: bool, depth: int) -> Iterator[Size]:
        """Yield bounds of ``form`` in which only sizes are left."""
        self.steps -= 1
        atom = self._innermost(form)
        if atom is None:
            yield form
        if atom is None or depth == 0 or self.steps < 0 or len(form.terms) > MAX_TERMS:
            return
        slope, rest = _split(form, atom)
        if slope is None:
            return
        rises = self._sign(slope, depth - 1)
        if rises is None:
            return
        for bound in self._bounds(atom, up == rises, depth - 1):
            yield from self._extremes(rest + slope * bound, up, depth - 1)

    def _sign(self, form: Size, depth: int) -> bool | None:
        if any(always_le(ZERO, low) for low in self._extremes(form, False, depth)):
            return True
        if any(always_le(high, ZERO) for high in self._extremes(form, True, depth)):
            return False
        return None

    def _innermost(self, form: Size) -> Atom | None:
        """Return the atom to replace next: the one that depends on the latest index."""
        order = {f"@{rank}": n for n, rank in enumerate(self.indices)}
        best: Atom | None = None
        latest = -1
        for monomial, _ in form.terms:
            for atom in monomial:
                at = max((order.get(n, len(order)) for n in _inside(atom)), default=-1)
                if at > latest:
                    best, latest = atom, at
        return best

    def _bounds(self, atom: Atom, up: bool, depth: int) -> Iterator[Size]:
        match atom:
            case Divided("/", left, right):
                yield from self._quotient(left, right, up, depth)
            case Divided(_, _, right):
                if self._sign(right, depth):
                    yield right - 1 if up else ZERO
            case Name(name) if name.startswith("@"):
                yield from self._index(name[1:], up)
            case Name(name):
                yield from self._value(int(name[1:]), up, depth)

    def _quotient(self, left: Size, right: Size, up: bool, depth: int) -> Iterator[Size]:
        if any(_inside(Name(n)) for n in right.names()) or not self._sign(right, depth):
            return
        for end in self._extremes(left, up, depth):
            whole, rest = _multiples(end, right)
            over = rest.constant
            if right.constant is None and over is not None:
                # The divisor is at least 1, so rest / divisor lies between 0 (or -1) and rest.
                nearest = ZERO if over >= 0 else Size.of(-1 if up else over)
                yield whole + (rest if up and over > 0 else nearest)
                continue
            found = combine("/", end, right)
            if found is not None:
                yield found

    def _index(self, rank: str, up: bool) -> Iterator[Size]:
        closed, var = self.nodes.ranks.get(rank), self.indices.get(rank)
        if closed is not None:
            lo, hi = closed.lo, closed.hi
            yield from ([f - 1 for f in self._alternatives(hi, up=True)] if up
                        else self._alternatives(lo, up=False))  # fmt: skip
            return
        if var is None:
            return
        if var.hi is not None and up:
            yield from (f - 1 for f in self._alternatives(var.hi, up=True))
        if var.lo is not None and not up:
            yield from self._alternatives(var.lo, up=False)
        for size, _ in var.uses:
            yield size - 1 if up else ZERO

    def _value(self, node: NodeId, up: bool, depth: int) -> Iterator[Size]:
        op = self.nodes[node].op
        match op:
            case Access(table, _):
                yield from _stored(self.nodes[table].dtype, up)
                inside = self.nodes[table].op
                if isinstance(inside, Define):
                    yield from self._extremes(self.form(inside.body), up, depth)
            case Map("min" | "max", (left, right)):
                if (op.fn == "min") == up:
                    yield from (self.form(left), self.form(right))
                else:
                    yield from self._both(left, right, up, depth)
            case Map("where", (_, left, right)):
                yield from self._both(left, right, up, depth)
            case Reduce("argmax" | "argmin", (rank,), _, _):
                yield from self._index(rank, up) if up else (Size.of(-1),)
            case Reduce("sum", ranks, _, (arg,)):
                yield from self._sum(ranks, arg, up, depth)
            case _ if self.nodes[node].dtype.kind is Kind.BOOL:
                yield Size.of(int(up))

    def _both(self, left: NodeId, right: NodeId, up: bool, depth: int) -> Iterator[Size]:
        """Yield bounds of a value that is one of two."""
        for a in self._extremes(self.form(left), up, depth):
            for b in self._extremes(self.form(right), up, depth):
                lower, higher = (a, b) if always_le(a, b) else (b, a)
                if always_le(lower, higher):
                    yield higher if up else lower

    def _sum(self, ranks: tuple[str, ...], arg: NodeId, up: bool, depth: int) -> Iterator[Size]:
        lows = self._extremes(self._bool_or_form(arg), False, depth)
        if not any(always_le(ZERO, low) for low in lows):
            return
        if not up:
            yield ZERO
            return
        for most in self._extremes(self._bool_or_form(arg), True, depth):
            total: Size | None = most
            for rank in ranks:
                extent = self.nodes.ranks[rank].extent
                total = None if total is None or extent is None else combine("*", total, extent)
            if total is not None:
                yield total

    def _bool_or_form(self, node: NodeId) -> Size:
        return self._opaque(node) if self.nodes[node].dtype.kind is Kind.BOOL else self.form(node)


def _stored(dtype: DType, up: bool) -> Iterator[Size]:
    """Yield what the type of a table says of its entries."""
    match dtype.kind:
        case Kind.BOOL:
            yield Size.of(int(up))
        case Kind.UINT if dtype.bits < 32:
            yield Size.of(2**dtype.bits - 1 if up else 0)
        case Kind.UINT:
            yield from () if up else (ZERO,)
        case Kind.INT if dtype.bits < 32:
            yield Size.of(2 ** (dtype.bits - 1) - 1 if up else -(2 ** (dtype.bits - 1)))
        case _:
            return


def _inside(atom: Atom) -> list[str]:
    """Return the names in ``atom`` that are not sizes."""
    names = [atom.name] if isinstance(atom, Name) else [*atom.left.names(), *atom.right.names()]
    return [n for n in names if n[0] in "@%"]


def _split(form: Size, atom: Atom) -> tuple[Size | None, Size]:
    """Write ``form`` as ``slope * atom + rest``; no slope if it is not linear in ``atom``."""
    slope: list[tuple[Monomial, int]] = []
    rest: list[tuple[Monomial, int]] = []
    for monomial, c in form.terms:
        if monomial.count(atom) > 1:
            return None, form
        if atom in monomial:
            slope.append((tuple(a for a in monomial if a != atom), c))
        else:
            rest.append((monomial, c))
    # Sums put the terms in order again.
    return Size(tuple(slope)) + 0, Size(tuple(rest)) + 0


def _multiples(form: Size, by: Size) -> tuple[Size, Size]:
    """Write ``form`` as ``whole * by + rest`` where ``by`` is one name, or a constant."""
    if len(by.terms) != 1 or len(by.terms[0][0]) != 1 or by.terms[0][1] != 1:
        return ZERO, form
    slope, rest = _split(form, by.terms[0][0][0])
    return (ZERO, form) if slope is None else (slope, rest)
