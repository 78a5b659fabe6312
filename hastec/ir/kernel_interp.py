"""Runs kernels on NumPy arrays, one program after the other: what a kernel means.

A value is an array over its digits. Thread, register and block digits differ in nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import NoReturn, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from hastec.diag import InternalError
from hastec.ir import numeric
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    Address,
    Apply,
    Arrive,
    Carried,
    Const,
    Coord,
    Dot,
    Final,
    For,
    If,
    Kernel,
    Let,
    Load,
    Reduce,
    Scan,
    SizeArg,
    Stmt,
    Store,
    Value,
)
from hastec.ir.monoid import MERGE
from hastec.ir.numeric import Array
from hastec.ir.types import F64, I64

Counts: TypeAlias = NDArray[np.int64]
Digits: TypeAlias = tuple[str, ...]


def run_kernel(
    kernel: Kernel,
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
    grid: Mapping[str, int] | None = None,
    written: dict[str, Counts] | None = None,
) -> None:
    """Run every program of ``kernel``, writing into ``arrays`` in place.

    ``arrays`` holds a contiguous array for every table, of the type that carries its elements
    (``bf16`` travels as uint16). ``grid`` gives the extents of grid digits; without it they
    follow from ``sizes``. Into ``written`` goes, for every written table, how often each element
    was stored. A live access outside its array raises ``InternalError``.
    """
    _Machine(kernel, arrays, sizes, written).run(grid or {})


class _Machine:
    def __init__(
        self,
        kernel: Kernel,
        arrays: Mapping[str, Array],
        sizes: Mapping[str, int],
        written: dict[str, Counts] | None,
    ) -> None:
        self.kernel = kernel
        self.sizes = sizes
        self.extent = {d.name: d.extent or 0 for d in kernel.digits}
        self.order = {d.name: i for i, d in enumerate(kernel.digits)}
        self.flat = {t.name: self.array(t.name, arrays) for t in kernel.tables}
        self.written = written
        if written is not None:
            for table in kernel.tables:
                if table.access in ("write", "scratch"):
                    written[table.name] = np.zeros(self.flat[table.name].size, np.int64)
        self.values = kernel.values()
        self.now: dict[ValueId, Array] = {}
        self.place: dict[str, int] = {}
        """Coordinates of grid and loop digits."""

    def fail(self, problem: str) -> NoReturn:
        program = ", ".join(f"{d} = {i}" for d, i in self.place.items())
        raise InternalError(f"kernel {self.kernel.name}: {problem} at {program or 'the start'}")

    def array(self, name: str, arrays: Mapping[str, Array]) -> Array:
        """Return the flat view of a table's array."""
        self.place = {}
        if name not in arrays:
            self.fail(f"no array for {name}")
        found, dtype = arrays[name], self.kernel.table(name).dtype
        if found.dtype != numeric.carrier(dtype):
            self.fail(f"{name} holds {found.dtype}, not {dtype}")
        if not found.flags.c_contiguous:
            self.fail(f"{name} is not contiguous")
        return found.reshape(-1)

    def run(self, grid: Mapping[str, int]) -> None:
        """Run all programs, the last grid digit fastest."""
        for requirement in self.kernel.requires:
            if not requirement.holds(self.sizes):
                self.fail(f"{requirement} does not hold")
        names = [d for d, _ in self.kernel.grid]
        extents = [grid.get(d, -1) for d in names]
        for n, (_, size) in enumerate(self.kernel.grid):
            extents[n] = size.evaluate(self.sizes) if extents[n] < 0 else extents[n]
        for at in product(*(range(e) for e in extents)):
            self.place = dict(zip(names, at, strict=True))
            self.block(self.kernel.body)

    # --------------------------------------------------------------------------- statements
    def block(self, body: tuple[Stmt, ...]) -> None:
        for stmt in body:
            match stmt:
                case Let(value):
                    self.now[value.id] = np.asarray(self.compute(value))
                case For():
                    self.loop(stmt)
                case If(condition, inner):
                    if self.now[condition]:
                        self.block(inner)
                case Store():
                    self.store(stmt)
                case _ as never:
                    assert_never(never)

    def loop(self, loop: For) -> None:
        states = [self.spread(c.init, self.values[c.inside].digits).copy() for c in loop.carries]
        for at in range(int(self.now[loop.lo]), int(self.now[loop.hi])):
            self.place[loop.digit] = at
            for carry, state in zip(loop.carries, states, strict=True):
                self.now[carry.inside] = state
            self.block(loop.body)
            states = [
                self.spread(c.next, self.values[c.inside].digits).copy() for c in loop.carries
            ]
        self.place.pop(loop.digit, None)
        for carry, state in zip(loop.carries, states, strict=True):
            self.now[carry.after] = state

    def store(self, store: Store) -> None:
        used = [store.pointer, store.value] + ([] if store.mask is None else [store.mask])
        digits = self.union(used)
        offsets = self.spread(store.pointer, digits).reshape(-1).astype(np.int64)
        stored = self.spread(store.value, digits).reshape(-1)
        if store.mask is not None:
            live = self.spread(store.mask, digits).reshape(-1).astype(np.bool_)
            offsets, stored = offsets[live], stored[live]
        flat = self.flat[store.table]
        self.inside(offsets, store.table, "store")
        if self.written is not None:
            np.add.at(self.written[store.table], offsets, 1)
        if store.combine == "set":
            flat[offsets] = stored
            return
        dtype = self.kernel.table(store.table).dtype
        for at, one in zip(offsets.tolist(), stored, strict=True):
            pair = [flat[at : at + 1], np.asarray(one).reshape(1)]
            flat[at] = numeric.apply(MERGE[store.combine], pair, dtype, dtype)[0]

    def inside(self, offsets: Counts, table: str, what: str) -> None:
        size = self.flat[table].size
        wrong = (offsets < 0) | (offsets >= size)
        if wrong.any():
            self.fail(f"{what} of {table}[{offsets[wrong][0]}], which has {size} elements,")

    # ------------------------------------------------------------------------------- values
    def union(self, values: Iterable[ValueId]) -> Digits:
        """Return the digits any value varies over, in order."""
        found = {d for v in values for d in self.values[v].digits}
        return tuple(sorted(found, key=self.order.__getitem__))

    def aligned(self, value: ValueId, digits: Digits) -> Array:
        """Return a value with a dimension for each of ``digits``, of extent 1 for those it lacks;
        a scalar as it is.
        """
        mine, found = self.values[value].digits, self.now[value]
        if not mine or mine == digits:
            return found
        return found.reshape(tuple(self.extent[d] if d in mine else 1 for d in digits))

    def spread(self, value: ValueId, digits: Digits) -> Array:
        """Return a value over more digits than its own."""
        found = self.aligned(value, digits)
        if self.values[value].digits == digits:
            return found
        return np.broadcast_to(found, tuple(self.extent[d] for d in digits))

    def compute(self, value: Value) -> Array:
        op, dtype, digits = value.op, value.dtype, value.digits
        match op:
            case Const(number):
                return numeric.full((), number, dtype)
            case SizeArg(name):
                if name not in self.sizes:
                    self.fail(f"no size {name}")
                return numeric.full((), self.sizes[name], dtype)
            case Coord(digit):
                if digits:
                    return numeric.wrapped(np.arange(self.extent[digit]), dtype)
                return numeric.full((), self.place[digit], dtype)
            case Apply(fn, args):
                operands = [self.aligned(a, digits) for a in args]
                return numeric.apply(fn, operands, self.values[args[-1]].dtype, dtype)
            case Address(base, offset):
                return self.address(base, offset, digits)
            case Load():
                return self.load(op, value)
            case Reduce() | Scan() | Dot():
                return self.across(op, value)
            case Arrive():
                return self.arrive(op)
            case Carried() | Final():
                self.fail(f"%{value.id} is defined by its loop alone")
            case _ as never:
                assert_never(never)

    def address(self, base: str | ValueId, offset: ValueId | None, digits: Digits) -> Array:
        at = np.zeros((), np.int64) if isinstance(base, str) else self.aligned(base, digits)
        if offset is None:
            return at
        return np.asarray(np.add(at, self.aligned(offset, digits).astype(np.int64)))

    def load(self, load: Load, value: Value) -> Array:
        shape = tuple(self.extent[d] for d in value.digits)
        offsets = self.spread(load.pointer, value.digits).astype(np.int64)
        self.adjacent(load, offsets, value.digits)
        live = np.ones(shape, np.bool_)
        if load.mask is not None:
            live = self.spread(load.mask, value.digits).astype(np.bool_)
        if live.all():
            self.inside(offsets, load.table, "load")
            return np.asarray(self.flat[load.table][offsets])
        result = np.array(numeric.full(shape, load.other, value.dtype))
        self.inside(offsets[live], load.table, "load")
        result[live] = self.flat[load.table][offsets[live]]
        return result

    def arrive(self, op: Arrive) -> Array:
        """Programs run one after the other: what others stored is there."""
        at = self.now[op.pointer].reshape(1).astype(np.int64)
        self.inside(at, op.table, "arrival")
        count = int(self.flat[op.table][at[0]]) + 1
        self.flat[op.table][at[0]] = count
        return np.asarray(count % op.among == 0)

    def adjacent(self, load: Load, offsets: Counts, digits: Digits) -> None:
        """Check what a load claims of its neighbours: backends read them at once."""
        if not load.unit:
            return
        at = digits.index(load.unit)
        if (np.diff(offsets, axis=at) != 1).any():
            self.fail(f"loads of {load.table} along {load.unit} are not adjacent")
        if (np.take(offsets, 0, axis=at) % load.align).any():
            self.fail(f"loads of {load.table} are not aligned to {load.align} elements")

    def across(self, op: Reduce | Scan | Dot, value: Value) -> Array:
        match op:
            case Reduce(monoid, arg, over):
                return self.reduced(monoid, arg, over)
            case Scan(monoid, arg, digit):
                fn, dtype = MERGE[monoid], value.dtype
                parts = [*np.moveaxis(self.now[arg], value.digits.index(digit), 0)]
                for n in range(1, len(parts)):
                    parts[n] = numeric.apply(fn, [parts[n - 1], parts[n]], dtype, dtype)
                return np.stack(parts, value.digits.index(digit))
            case Dot(left, right, acc, over):
                return self.dot(left, right, acc, over, value)

    def reduced(self, monoid: str, arg: ValueId, over: Digits) -> Array:
        """Merge halves with each other until one element is left."""
        fn, dtype = MERGE[monoid], self.values[arg].dtype
        mine = self.values[arg].digits
        at = [mine.index(d) for d in over]
        front = np.moveaxis(self.now[arg], at, range(len(at)))
        parts = front.reshape(-1, *front.shape[len(at) :])
        while len(parts) > 1:
            half = len(parts) // 2
            merged = numeric.apply(fn, [parts[:half], parts[half : 2 * half]], dtype, dtype)
            parts = np.concatenate([merged, parts[2 * half :]])
        return np.asarray(parts[0])

    def dot(
        self, left: ValueId, right: ValueId, acc: ValueId | None, over: Digits, value: Value
    ) -> Array:
        """Sum products in the widest type, then round once to the result's."""
        letters = {d: chr(97 + n) for n, d in enumerate(self.order)}
        names = [self.values[v].digits for v in (left, right)]
        free = tuple(d for d in self.union((left, right)) if d not in over)
        spec = ",".join("".join(letters[d] for d in n) for n in names)
        spec += "->" + "".join(letters[d] for d in free)
        total = np.einsum(spec, *(self.wide(v, value) for v in (left, right)))
        shape = tuple(self.extent[d] if d in free else 1 for d in value.digits)
        whole = tuple(self.extent[d] for d in value.digits)
        total = np.broadcast_to(total.reshape(shape), whole)
        if acc is not None:
            kept = [self.extent[d] if d in self.values[acc].digits else 1 for d in value.digits]
            total = total + self.wide(acc, value).reshape(kept)
        return numeric.cast(total, F64 if value.dtype.is_float else I64, value.dtype)

    def wide(self, value: ValueId, like: Value) -> NDArray[np.float64 | np.int64]:
        """Return a value as f64 or i64, whichever the result of a dot is made of."""
        target = F64 if like.dtype.is_float else I64
        found = numeric.cast(self.now[value], self.values[value].dtype, target)
        return found.astype(np.float64) if target == F64 else found.astype(np.int64)
