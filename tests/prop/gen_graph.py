"""Random graphs that are valid by construction, each with inputs, for the tests of every pass.

``random_program(seed)`` gives a graph, its tables and its sizes. In exact mode (the default) all
numbers are small integers, so every order of evaluation gives the same bits; otherwise functions
that round take part as well. No term is infinite where something absent could meet it.
"""

from __future__ import annotations

import random

import numpy as np

from hastec.ir.graph import Graph, NodeId, Param
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.interp import Table
from hastec.ir.types import BF16, BOOL, F16, F32, I32, I64
from hastec.sym.size import Size
from tests.prop.gen_parts import LAST, RECUR, Loop, Scope, ranks_of
from tests.prop.gen_tables import Inputs

Program = tuple[Graph, dict[str, Table], dict[str, int]]

FEATURES = frozenset(
    (
        *("gather", "ragged", "guard", "nested", "softmax", "select", "define", "update"),
        *("sparse", "monoid", "several", "present", "like", "indirect"),
    )
)
"""What a generated program may contain; pass fewer to leave some out, or add ``unsafe``: some
index tables are then read without a test, and may be out of range."""


def random_program(seed: int, exact: bool = True, features: frozenset[str] = FEATURES) -> Program:
    """Return a valid graph with tables and sizes to run it on; equal seeds give equal programs."""
    return _Generator(seed, exact, features).program()


EXTENTS = (1, 2, 3, 3, 5, 5, 7)


class _Generator:
    def __init__(self, seed: int, exact: bool, features: frozenset[str]) -> None:
        self.random = random.Random(seed)
        self.inputs_of = Inputs(seed, exact)
        self.exact = exact
        self.features = features
        self.b = GraphBuilder(name=f"random_{seed}")
        self.sizes = {name: self.random.choice(EXTENTS) for name in ("M", "N", "K", "L")}
        if self.random.random() < 0.05:
            self.sizes["M"] = 0
        self.tables: dict[str, Table] = {}
        self.made: list[tuple[NodeId, tuple[str, ...]]] = []
        self.inputs: dict[tuple[str, tuple[str, ...]], list[NodeId]] = {}

    # ------------------------------------------------------------------------------------ programs
    def program(self) -> Program:
        if self.may("monoid"):
            self.b.monoid(RECUR)
            self.b.monoid(LAST)
        for number in range(self.random.randint(0, 2) if self.may("define") else 0):
            self.intermediate(f"t{number}")
        for number in range(self.random.randint(1, 2) if self.may("several") else 1):
            self.output(f"Y{number}")
        if self.may("update") and self.chance(0.2):
            self.update()
        return self.b.build(), self.tables, self.sizes

    def may(self, feature: str) -> bool:
        return feature in self.features

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def loops(self, count: int) -> Scope:
        """Ranks over whole sizes, each size once."""
        names = self.random.sample(sorted(self.sizes), count)
        return tuple(self.loop(name) for name in names)

    def loop(self, size: str) -> Loop:
        return Loop(self.b.loop(self.b.fresh_rank(size.lower()), size), size)

    def intermediate(self, name: str) -> None:
        scope = self.loops(self.random.randint(1, 2))
        body = self.number(scope, 2)
        guards = (self.condition(scope, 1),) if self.chance(0.4) and self.may("guard") else ()
        table = self.b.define(name, ranks_of(scope), body, guards)
        self.made.append((table, tuple(loop.size for loop in scope)))

    def output(self, name: str) -> None:
        scope = self.loops(self.random.randint(0, 2))
        body = self.number(scope, 3)
        if self.b.nodes[body].dtype == BOOL:
            body = self.b.cast(body, I32)
        guards = (self.condition(scope, 1),) if self.chance(0.2) and self.may("guard") else ()
        number = not self.b.nodes[body].dtype.is_float
        dtype = self.random.choice((I32, I64) if number else (F32, F32, F16, BF16))
        sparse = self.may("sparse") and bool(scope) and self.chance(0.3)
        like = ""
        if self.may("like") and scope and self.chance(0.15):
            like = self.name_of(self.table("sparse", tuple(loop.size for loop in scope)))
        shape = tuple(Size.of(loop.size) for loop in scope)
        self.b.param(Param(name, dtype, shape, "out", sparse=sparse, like=like))
        self.b.output(name, self.b.define(name, ranks_of(scope), body, guards))

    def update(self) -> None:
        """A table whose row ``at`` is rewritten."""
        sizes = (self.size(), self.size())
        shape = tuple(Size.of(s) for s in sizes)
        table = self.b.param(Param("state", F16, shape, "inout"))
        at = self.b.param(Param("at", I32, ()))
        assert table is not None and at is not None
        self.tables["state"] = Table(
            self.inputs_of.numbers((self.sizes[sizes[0]], self.sizes[sizes[1]]))
        )
        self.tables["at"] = Table(np.asarray(self.random.randrange(self.sizes[sizes[0]])))
        loop = self.loop(sizes[1])
        row, column = self.b.access(at), self.b.index(loop.rank)
        guards = (self.condition((loop,), 1),) if self.chance(0.5) else ()
        body = self.b.map("sub", self.number((loop,), 1), self.b.access(table, row, column))
        done = self.b.update(table, (loop.rank,), (row, column), body, guards)
        self.b.output("state", done)
        self.made.append((done, sizes))

    # -------------------------------------------------------------------------------------- tables
    def size(self) -> str:
        """A size that is not 0; only ranks in scope run over nothing."""
        return self.random.choice([name for name, value in sorted(self.sizes.items()) if value])

    def table(self, kind: str, sizes: tuple[str, ...], below: str = "") -> NodeId:
        """An input of a kind over ``sizes``, an old one or a new one."""
        key = (kind + below, sizes)
        known = self.inputs.setdefault(key, [])
        if known and self.chance(0.5):
            return self.random.choice(known)
        name = f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[len(self.tables) % 26]}{len(self.tables)}"
        extents = tuple(self.sizes[s] for s in sizes)
        shape = tuple(Size.of(s) for s in sizes)
        bound = self.sizes[below] if below else 0
        param, self.tables[name] = self.inputs_of.draw(kind, name, shape, extents, bound)
        node = self.b.param(param)
        assert node is not None
        known.append(node)
        return node

    def name_of(self, table: NodeId) -> str:
        op = self.b.nodes[table].op
        return str(getattr(op, "name", ""))

    # ------------------------------------------------------------------------------------- numbers
    def number(self, scope: Scope, depth: int) -> NodeId:
        """A numeric value over (some of) ``scope``, small in exact mode."""
        choices = ["leaf"]
        if depth > 0:
            choices += ["binary", "binary", "unary", "where"]
            choices += ["reduce"] * 3
            choices += ["made"] * (2 if self.made else 0)
            choices += ["member"] * self.may("select")
        match self.random.choice(choices):
            case "binary":
                fn = self.random.choice(("add", "sub", "mul", "mul", "min", "max"))
                return self.small(
                    self.b.map(fn, self.number(scope, depth - 1), self.number(scope, depth - 1))
                )
            case "unary":
                return self.unary(scope, depth)
            case "where":
                test = self.condition(scope, depth - 1)
                yes, no = self.number(scope, depth - 1), self.number(scope, depth - 1)
                return self.b.map("where", test, yes, no)
            case "reduce":
                return self.small(self.reduction(scope, depth))
            case "made":
                return self.read_made(scope, depth)
            case "member":
                return self.b.cast(self.member(scope, depth), F32)
            case _:
                return self.leaf(scope)

    def small(self, node: NodeId) -> NodeId:
        """Keep numbers small, so that sums of products stay exact in f32 and finite."""
        if self.b.nodes[node].dtype == BOOL:
            return self.b.cast(node, I32)
        low, high = self.b.const(-12), self.b.const(12)
        return self.b.map("min", self.b.map("max", node, low), high)

    def unary(self, scope: Scope, depth: int) -> NodeId:
        exact = ("neg", "abs", "sign", "relu", "floor")
        rough = ("tanh", "sigmoid", "exp", "silu", "expm1", "sin", "sqrt", "erf", "softplus")
        fn = self.random.choice(exact if self.exact else exact + rough)
        arg = self.number(scope, depth - 1)
        if fn == "sqrt":
            arg = self.b.map("abs", arg)
        return self.b.map(fn, self.small(arg) if fn in rough else arg)

    def leaf(self, scope: Scope) -> NodeId:
        roll = self.random.random()
        if roll < 0.1:
            return self.b.const(self.random.choice((0, 1, 2, -3, 1.0, -0.5, 2.0)))
        if roll < 0.2 and scope:
            return self.b.index(self.random.choice(scope).rank)
        chosen = self.some(scope)
        if self.may("gather") and chosen and self.chance(0.25):
            return self.gather(chosen)
        kind = self.random.choice(("float", "float", "int", "sparse"))
        if kind == "sparse" and not (self.may("sparse") and chosen):
            kind = "float"
        table = self.table(kind, tuple(loop.size for loop in chosen))
        return self.b.access(table, *self.subs(chosen))

    def some(self, scope: Scope, least: int = 0) -> Scope:
        count = self.random.randint(min(least, len(scope)), min(3, len(scope)))
        return tuple(self.random.sample(scope, count))

    def subs(self, scope: Scope) -> tuple[NodeId, ...]:
        return tuple(self.b.index(loop.rank) for loop in scope)

    def gather(self, scope: Scope) -> NodeId:
        """``x[id[i]]`` behind a test for -1, which must not be read through."""
        target = self.size()
        index = self.table("index", tuple(loop.size for loop in scope), target)
        at = self.b.access(index, *self.subs(scope))
        value = self.b.access(self.table("float", (target,)), at)
        if self.may("unsafe") and self.chance(0.5):
            return value
        inside = self.b.map("ge", at, self.b.const(0))
        return self.b.map("where", inside, value, self.b.const(self.random.choice((0, 3))))

    def read_made(self, scope: Scope, depth: int) -> NodeId:
        """An entry of an earlier definition; ranks that are missing are reduced over."""
        table, sizes = self.random.choice(self.made)
        subs, extra = [], []
        for size in sizes:
            fitting = [loop for loop in scope if loop.size == size]
            loop = self.random.choice(fitting) if fitting else self.loop(size)
            extra += [] if fitting else [loop.rank]
            subs.append(self.b.index(loop.rank))
        read = self.b.access(table, *subs)
        if self.b.nodes[read].dtype == BOOL:
            read = self.b.cast(read, I32)
        if not extra:
            return read
        return self.small(self.b.reduce(self.random.choice(("sum", "max")), tuple(extra), read))

    # ---------------------------------------------------------------------------------- reductions
    def reduction(self, scope: Scope, depth: int) -> NodeId:
        bound = [self.bound(scope)]
        if self.chance(0.2):
            bound.append(self.bound((*scope, bound[0])))
        inner = (*scope, *bound)
        ranks = ranks_of(tuple(bound))
        guards = tuple(
            self.condition(inner, 1)
            for _ in range(self.random.choice((0, 0, 1, 2)) if self.may("guard") else 0)
        )
        deeper = depth - 1 if self.may("nested") else 0
        if self.may("softmax") and not self.exact and self.chance(0.3):
            return self.weighted(inner, ranks, guards, deeper)
        return self.merged(inner, ranks, guards, deeper)

    def merged(
        self, inner: Scope, ranks: tuple[str, ...], guards: tuple[NodeId, ...], depth: int
    ) -> NodeId:
        names = ["sum", "sum", "sum", "max", "min", "prod", "any", "all"]
        names += ["argmax", "argmin"] * (len(ranks) == 1)
        names += ["recur", "last"] * self.may("monoid")
        names += ["mean", "lse"] * (not self.exact)
        name = self.random.choice(names)
        if name in ("any", "all"):
            return self.b.reduce(name, ranks, self.condition(inner, depth), guards)
        value = self.number(inner, depth)
        if name == "prod":
            value = self.b.map("sign", value)
        if name == "recur":
            value = self.b.map("min", self.b.map("max", value, self.b.const(-8)), self.b.const(8))
            gate = self.b.map("sign", self.number(inner, 0))
            return self.b.reduce(name, ranks, (gate, value), guards)
        return self.b.reduce(name, ranks, value, guards)

    def weighted(
        self, inner: Scope, ranks: tuple[str, ...], guards: tuple[NodeId, ...], depth: int
    ) -> NodeId:
        rank = ranks[-1]
        score = self.small(self.number(inner, depth))
        own = tuple(g for g in guards if rank in self.b.nodes[g].ranks)
        share = self.b.softmax(rank, score, own)
        product = self.b.map("mul", share, self.number(inner, depth))
        return self.b.reduce("sum", ranks, product, guards)

    def bound(self, scope: Scope) -> Loop:
        """A new rank: over a whole size, a ragged stretch of it, a window or a triangle."""
        size = self.size()
        if not (self.may("ragged") and scope and self.chance(0.5)):
            return self.loop(size)
        outer = self.random.choice(scope)
        at, one = self.b.index(outer.rank), self.b.const(1)
        name = self.b.fresh_rank(size.lower())
        extent = Size.of(size)
        match self.random.choice(("offsets", "length", "window", "triangle")):
            case "offsets":
                cuts = self.table("offsets", (outer.size,), size)
                lo, hi = self.b.access(cuts, at), self.b.access(cuts, self.b.map("add", at, one))
            case "length":
                lo = self.b.const(0)
                hi = self.b.access(self.table("length", (outer.size,), size), at)
            case "window":
                lo = self.b.map("max", self.b.map("sub", at, self.b.const(2)), self.b.const(0))
                end = self.b.map("add", at, self.b.const(2))
                hi = self.b.map("min", end, self.b.size(size))
            case _:
                lo = self.b.const(0)
                hi = self.b.map("min", self.b.map("add", at, one), self.b.size(size))
        return Loop(self.b.rank(name, hi, lo, extent), size)

    # ---------------------------------------------------------------------------------- conditions
    def condition(self, scope: Scope, depth: int) -> NodeId:
        choices = ["compare", "compare"]
        choices += ["affine"] * (2 if scope else 0)
        choices += ["bool", "present"] if scope else []
        choices += ["and", "or", "not"] if depth > 0 else []
        choices += ["member"] * (depth > 0 and self.may("select"))
        choices += ["lookup"] * (self.may("indirect") and bool(scope))
        match self.random.choice(choices):
            case "affine":
                return self.affine(scope)
            case "bool":
                chosen = self.some(scope, 1)
                return self.b.access(
                    self.table("bool", tuple(loop.size for loop in chosen)), *self.subs(chosen)
                )
            case "present" if self.may("present") and self.may("sparse"):
                chosen = self.some(scope, 1)
                table = self.table("sparse", tuple(loop.size for loop in chosen))
                return self.b.present(table, *self.subs(chosen))
            case "and" | "or" as both:
                return self.b.map(both, self.condition(scope, 0), self.condition(scope, depth - 1))
            case "not":
                return self.b.map("not", self.condition(scope, depth - 1))
            case "member":
                return self.member(scope, depth)
            case "lookup":
                return self.lookup(scope)
            case _:
                fn = self.random.choice(("lt", "le", "gt", "ge", "eq", "ne"))
                return self.b.map(fn, self.leaf(scope), self.b.const(self.random.randint(-4, 4)))

    def affine(self, scope: Scope) -> NodeId:
        left = self.b.index(self.random.choice(scope).rank)
        right = self.b.index(self.random.choice(scope).rank)
        if self.chance(0.3):
            left = self.b.map("mod", left, self.b.const(self.random.choice((2, 3))))
        if self.chance(0.3):
            right = self.b.map("div", right, self.b.const(2))
        return self.b.map(self.random.choice(("lt", "le", "eq", "ne")), left, right)

    def lookup(self, scope: Scope) -> NodeId:
        """``id[n] == v``: writing through an index is a reduction under such a condition."""
        loop, other = self.random.choice(scope), self.random.choice(scope)
        table = self.table("index", (loop.size,), other.size)
        found = self.b.access(table, self.b.index(loop.rank))
        return self.b.map("eq", found, self.b.index(other.rank))

    def member(self, scope: Scope, depth: int) -> NodeId:
        """Membership in a selection made over ranks of its own."""
        over = self.loop(self.size())
        outer = tuple(self.loop(loop.size) for loop in self.some(scope)[:1])
        inner = (*outer, over)
        key = self.number(inner, min(depth - 1, 1))
        guards = (self.condition(inner, 0),) if self.chance(0.4) and self.may("guard") else ()
        ranks = ranks_of(inner)
        kind = self.random.choice(("topk", "topk", "top_p", "where"))
        if kind == "where":
            test = self.b.map("gt", key, self.b.const(0))
            table = self.b.select("where", ranks, over.rank, test, guards=guards)
        elif kind == "topk":
            k = self.b.const(self.random.randint(0, 4))
            if outer and self.chance(0.3):
                k = self.b.map("mod", self.b.index(outer[0].rank), self.b.const(3))
            always = (self.affine(inner),) if self.chance(0.3) else ()
            table = self.b.select("topk", ranks, over.rank, key, k, guards, always)
        else:
            mass = self.b.const(self.random.choice((0, 3, 10)))
            key = self.b.map("abs", key)
            table = self.b.select("top_p", ranks, over.rank, key, mass, guards)
        return self.b.access(table, *(self.place(scope, loop) for loop in inner))

    def place(self, scope: Scope, loop: Loop) -> NodeId:
        """A coordinate of ``scope`` that is in range for ``loop``, maybe of a block."""
        fitting = [other for other in scope if other.size == loop.size]
        if not fitting:
            return self.b.const(0)
        at = self.b.index(self.random.choice(fitting).rank)
        return self.b.map("div", at, self.b.const(2)) if self.chance(0.3) else at
