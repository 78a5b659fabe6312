"""What a graph means, one scalar at a time: slow, recursive, truly lazy, and independent.

Written from the contract and the language page with plain Python numbers. The interpreter under
test works on whole arrays with masks; this one looks at single coordinates and evaluates nothing
that is not asked for.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable, Iterator, Mapping

from hastec.ir.graph import (
    Access,
    Const,
    Convert,
    Define,
    Graph,
    Index,
    Input,
    Map,
    Node,
    Present,
    Reduce,
    Select,
    SizeOf,
    Softmax,
    Update,
)
from hastec.ir.interp import Table
from hastec.ir.rewrite import needed
from hastec.ir.types import F64, I64, Kind, compute_type

Number = bool | int | float
Env = dict[str, int]
Place = tuple[int, ...]
Entries = dict[Place, Number]
Known = Mapping[object, Number]


class OutsideError(Exception):
    """An access that is needed is out of range."""


class TwiceError(Exception):
    """A place is written twice."""


def single(x: float) -> float:
    """Round to f32."""
    try:
        return float(struct.unpack("f", struct.pack("f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def wrapped(x: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (x + half) % (2 * half) - half


class Naive:
    """Evaluates one graph."""

    def __init__(self, graph: Graph, tables: Mapping[str, Table], sizes: Mapping[str, int]) -> None:
        self.graph, self.sizes = graph, sizes
        self.nodes = graph.by_id
        self.params = {p.name: p for p in graph.params}
        self.monoids = {m.name: m for m in graph.monoids}
        self.ranks = {r.name: r for r in graph.ranks}
        self.given = tables
        self.entries: dict[int, Entries] = {}
        self.stored: dict[int, set[Place] | None] = {}
        self.memo: dict[tuple[int, tuple[int, ...]], Number] = {}

    def outputs(self) -> dict[str, tuple[Entries, set[Place] | None]]:
        """Return each output's entries, and which are stored."""
        live = needed(self.graph, tuple(n for _, n in self.graph.outputs))
        for node in self.graph.nodes:
            if node.is_table and node.id in live:
                self.entries[node.id] = self.table(node)
        return {n: (self.entries[i], self.storing(i)) for n, i in self.graph.outputs}

    # -------------------------------------------------------------------------------------- tables
    def places(self, node: Node) -> list[Place]:
        dims = (range(s.evaluate(self.sizes)) for s in node.shape or ())
        return list(itertools.product(*dims))

    def table(self, node: Node) -> Entries:
        match node.op:
            case Input(name):
                values = self.given[name].values
                return {p: values[p].item() for p in self.places(node)}
            case Define(name, ranks, guards, body):
                found: Entries = dict.fromkeys(self.places(node), self.zero(node))
                for env in self.coordinates(ranks, guards, {}):
                    found[tuple(env[r] for r in ranks)] = self.rounded(node, self.value(body, env))
                param = self.params.get(name)
                if param and param.like:
                    kept = self.storing(self.input_of(param.like))
                    found = {p: v if kept is None or p in kept else 0 for p, v in found.items()}
                return found
            case Update(table, ranks, subs, guards, body):
                found, written = dict(self.entries[table]), set()
                for env in self.coordinates(ranks, guards, {}):
                    place = tuple(int(self.value(s, env)) for s in subs)
                    if place not in found:
                        raise OutsideError
                    if place in written:
                        raise TwiceError
                    written.add(place)
                    found[place] = self.rounded(node, self.value(body, env))
                return found
            case Select():
                return self.selection(node, node.op)
            case Convert(table, _):
                return self.entries[table]
            case _:
                raise AssertionError(node)

    def input_of(self, name: str) -> int:
        found = [n.id for n in self.graph.nodes if n.op == Input(name)]
        return found[0]

    def zero(self, node: Node) -> Number:
        return False if node.dtype.kind is Kind.BOOL else 0.0 if node.dtype.is_float else 0

    def rounded(self, node: Node, x: Number) -> Number:
        """Tests compare after rounding to the output's type themselves."""
        return x

    def coordinates(
        self, ranks: tuple[str, ...], guards: tuple[int, ...], env: Env
    ) -> Iterator[Env]:
        """Enter ranks one by one; a guard is tested as soon as the ranks it names are entered."""
        ready = [g for g in guards if not set(ranks) & set(self.nodes[g].ranks)]
        first = list(itertools.takewhile(lambda g: g in ready, guards))
        if not all(self.value(g, env) for g in first):
            return
        rest = guards[len(first) :]
        if not ranks:
            yield dict(env)
            return
        rank = self.ranks[ranks[0]]
        for at in range(int(self.value(rank.lo, env)), int(self.value(rank.hi, env))):
            yield from self.coordinates(ranks[1:], rest, {**env, ranks[0]: at})

    def selection(self, node: Node, op: Select) -> Entries:
        found: Entries = dict.fromkeys(self.places(node), False)
        rows: dict[tuple[int, ...], list[Env]] = {}
        for env in self.coordinates(op.ranks, op.guards, {}):
            rows.setdefault(tuple(env[r] for r in op.ranks if r != op.over), []).append(env)
        for envs in rows.values():
            for env in self.members(op, envs):
                found[tuple(env[r] for r in op.ranks)] = True
        return found

    def members(self, op: Select, envs: list[Env]) -> list[Env]:
        if op.amount is None:
            return [env for env in envs if self.value(op.key, env)]
        key = {
            env[op.over]: math.inf
            if any(self.value(a, env) for a in op.always)
            else self.value(op.key, env)
            for env in envs
        }
        best = sorted(envs, key=lambda env: (-key[env[op.over]], env[op.over]))
        amount = self.value(op.amount, envs[0])
        if op.kind == "topk":
            return best[: max(0, int(amount))]
        taken: list[Env] = []
        while best and sum(key[env[op.over]] for env in taken) < amount:
            taken.append(best.pop(0))
        return taken

    # -------------------------------------------------------------------------------------- values
    def value(self, at: int, env: Env) -> Number:
        node = self.nodes[at]
        key = (at, tuple(env[r] for r in node.ranks))
        if key not in self.memo:
            self.memo[key] = self.fresh(node, env)
        return self.memo[key]

    def fresh(self, node: Node, env: Env) -> Number:
        match node.op:
            case Const(value):
                return value
            case SizeOf(size):
                return size.evaluate(self.sizes)
            case Index(rank):
                return env[rank]
            case Access(table, subs):
                return self.entries[table][self.place(table, subs, env)]
            case Present(table, subs):
                stored, place = self.storing(table), self.place(table, subs, env)
                return stored is None or place in stored
            case Map("and", (a, b)):
                return bool(self.value(a, env)) and bool(self.value(b, env))
            case Map("or", (a, b)):
                return bool(self.value(a, env)) or bool(self.value(b, env))
            case Map("where", (test, a, b)):
                return self.typed(node, self.value(a if self.value(test, env) else b, env))
            case Map(fn, args):
                return self.typed(node, self.scalar(node, fn, args, env))
            case Reduce():
                return self.reduce(node, node.op, env)
            case Softmax(rank, guards, arg):
                outer = {r: v for r, v in env.items() if r != rank}
                scores = {
                    e[rank]: float(self.value(arg, e))
                    for e in self.coordinates((rank,), guards, outer)
                }
                top = max(scores.values(), default=-math.inf)
                if env[rank] not in scores or top == -math.inf:
                    return 0.0
                total = sum(math.exp(s - top) for s in scores.values())
                return self.typed(node, math.exp(scores[env[rank]] - top) / total)
            case _:
                raise AssertionError(node)

    def place(self, table: int, subs: tuple[int, ...], env: Env) -> Place:
        found = tuple(int(self.value(s, env)) for s in subs)
        if found not in self.entries[table]:
            raise OutsideError
        return found

    def typed(self, node: Node, x: Number) -> Number:
        if node.dtype.kind is Kind.BOOL:
            return bool(x)
        if node.dtype.is_float:
            return float(x) if node.dtype == F64 else single(float(x))
        return wrapped(int(x), 64 if node.dtype == I64 else 32)

    def scalar(self, node: Node, fn: str, args: tuple[int, ...], env: Env) -> Number:
        floating = compute_type(self.nodes[a].dtype for a in args).is_float
        values = [self.value(a, env) for a in args]
        numbers = [float(v) if floating else int(v) for v in values]
        return SCALAR[fn](*numbers)

    def reduce(self, node: Node, op: Reduce, env: Env) -> Number:
        envs = list(self.coordinates(op.ranks, op.guards, env))
        if op.monoid in self.monoids:
            return self.fold(op, envs)
        terms = [self.value(op.args[0], e) for e in envs]
        if op.monoid in ("argmax", "argmin"):
            if not terms:
                return -1
            best = max(terms) if op.monoid == "argmax" else min(terms)
            return envs[terms.index(best)][op.ranks[0]]
        if op.monoid == "mean":
            return self.typed(node, sum(terms) / len(terms) if terms else 0.0)
        if op.monoid == "lse":
            top = max(terms, default=-math.inf)
            total = sum(math.exp(t - top) for t in terms) if terms else 0.0
            return self.typed(node, top + math.log(total) if total else -math.inf)
        bits = 64 if node.dtype == I64 else 32
        low = -math.inf if node.dtype.is_float else -(2 ** (bits - 1))
        high = math.inf if node.dtype.is_float else 2 ** (bits - 1) - 1
        match op.monoid:
            case "sum":
                return self.typed(node, sum(terms))
            case "prod":
                return self.typed(node, math.prod(terms))
            case "max":
                return self.typed(node, max((low, *terms)))
            case "min":
                return self.typed(node, min((high, *terms)))
            case "any":
                return any(terms)
            case _:
                return all(terms)

    def fold(self, op: Reduce, envs: list[Env]) -> Number:
        monoid = self.monoids[op.monoid]
        state = [term(t, {}) for t in monoid.none]
        for env in envs:
            pairs = zip(monoid.params, op.args, strict=True)
            known: Known = {("param", n): self.value(a, env) for n, a in pairs}
            one = [term(t, known) for t in monoid.one]
            both: dict[object, Number] = {}
            for field, old, new in zip(monoid.fields, state, one, strict=True):
                both |= {("state", "a", field): old, ("state", "b", field): new}
            state = [term(t, both) for t in monoid.merge]
        done: Known = {("field", f): v for f, v in zip(monoid.fields, state, strict=True)}
        return term(monoid.give, done)

    # ------------------------------------------------------------------------------------ presence
    def storing(self, table: int) -> set[Place] | None:
        """Return the stored places of a table, None if all are."""
        if table not in self.stored:
            self.stored[table] = self.find_stored(self.nodes[table])
        return self.stored[table]

    def find_stored(self, node: Node) -> set[Place] | None:
        match node.op:
            case Input(name):
                present = self.given[name].present
                if present is None:
                    return None
                return {p for p in self.places(node) if present[p]}
            case Define(name, ranks, guards, body):
                param = self.params.get(name)
                if param and param.like:
                    return self.storing(self.input_of(param.like))
                envs = self.coordinates(ranks, guards, {})
                return {tuple(e[r] for r in ranks) for e in envs if self.there(body, e)}
            case Select():
                return {p for p, v in self.entries[node.id].items() if v}
            case _:
                return None

    def there(self, at: int, env: Env) -> bool:
        """Return whether a value is structurally present, relative to 0."""
        node = self.nodes[at]
        match node.op:
            case Access(table, subs):
                stored = self.storing(table)
                return stored is None or self.place(table, subs, env) in stored
            case Present():
                return bool(self.value(at, env))
            case Const(value):
                return value != 0
            case Map("where", (test, yes, no)):
                return self.there(yes if self.value(test, env) else no, env)
            case Map(fn, args) if fn in PRODUCTS:
                return all(self.there(a, env) for a in args)
            case Map(fn, args) if fn in QUOTIENTS:
                return self.there(args[0], env)
            case Map(fn, args) if fn in SUMS:
                return any(self.there(a, env) for a in args)
            case Reduce("sum" | "mean" | "any", ranks, guards, args):
                return any(self.there(args[0], e) for e in self.coordinates(ranks, guards, env))
            case Reduce("max" | "min", ranks, guards, args):
                envs = list(self.coordinates(ranks, guards, env))
                return not envs or any(self.there(args[0], e) for e in envs)
            case Softmax(rank, guards, _):
                outer = {r: v for r, v in env.items() if r != rank}
                inside = self.coordinates((rank,), guards, outer)
                return any(e[rank] == env[rank] for e in inside)
            case _:
                return True


PRODUCTS = ("mul", "and", "bitand")
QUOTIENTS = ("div", "mod", "pow", "shl", "shr")
SUMS = (
    *("add", "sub", "neg", "or", "cast", "min", "max", "abs", "sign", "relu", "square"),
    *("sqrt", "sin", "tan", "tanh", "expm1", "log1p", "silu", "gelu", "erf"),
    *("floor", "ceil", "round", "trunc", "bitor", "bitxor", "popc"),
)

SCALAR: dict[str, Callable[..., Number]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a // b if isinstance(a, int) else a / b,
    "mod": lambda a, b: a % b,
    "neg": lambda a: -a,
    "min": min,
    "max": max,
    "abs": abs,
    "sign": lambda a: (a > 0) - (a < 0),
    "relu": lambda a: max(a, 0),
    "floor": math.floor,
    "cast": lambda a: a,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "not": lambda a: not a,
    "tanh": math.tanh,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "exp": math.exp,
    "silu": lambda a: a / (1 + math.exp(-a)),
    "expm1": math.expm1,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "erf": math.erf,
    "softplus": lambda a: math.log1p(math.exp(a)),
}


def term(part: object, known: Known) -> Number:
    """Evaluate an expression of a monoid on small integers."""
    match part:
        case ("const", bool() | int() | float() as value):
            return value
        case ("where", test, a, b):
            return term(a if term(test, known) else b, known)
        case ("param" | "state" | "field", *_):
            return known[part]
        case (str(fn), *operands):
            return SCALAR[fn](*(term(o, known) for o in operands))
        case _:
            raise AssertionError(part)
