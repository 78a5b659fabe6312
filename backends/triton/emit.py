"""Kernel to Triton source. Knows digits, roles and nodes; nothing of where they came from."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hastec.backends.triton import ops
from hastec.backends.triton.physical import Lanes, Plan, Shape
from hastec.ir.index import ValueId
from hastec.ir.kernel import (
    POINTER,
    Address,
    Apply,
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
    arguments,
    statements,
)
from hastec.ir.types import BF16, BOOL, F32, DType
from hastec.sym.size import Divided, Name, Size

_REDUCE = {"sum": "tl.sum", "max": "tl.max", "min": "tl.min"}
_ATOMIC = {"sum": "tl.atomic_add", "max": "tl.atomic_max", "min": "tl.atomic_min"}
_RESERVED = frozenset((*keyword.kwlist, *dir(builtins), "tl", "triton"))


@dataclass(slots=True)
class Writer:
    """The text of one kernel under construction."""

    kernel: Kernel
    lines: Mapping[int, str]
    popc: str = ""
    interpreted: bool = False
    plan: Plan = field(init=False)
    names: dict[tuple[ValueId, Lanes], str] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    uses: dict[ValueId, int] = field(default_factory=dict)
    helpers: dict[str, None] = field(default_factory=dict)
    out: list[str] = field(default_factory=list)
    depth: int = 1
    line: int = 0

    def __post_init__(self) -> None:
        self.plan = Plan(self.kernel)
        for table in self.kernel.tables:
            self.taken[identifier(table.name)] = 1
        for size in self.kernel.sizes:
            self.taken[identifier(size)] = 1
        for stmt in statements(self.kernel.body):
            for used in _used(stmt):
                self.uses[used] = self.uses.get(used, 0) + 1

    # -------------------------------------------------------------------------------- naming
    def fresh(self, hint: str) -> str:
        """Return a name not used before."""
        base = identifier(hint.lower()) or "v"
        n = self.taken.get(base, 0)
        self.taken[base] = n + 1
        return base if n == 0 else f"{base}_{n}"

    def write(self, text: str) -> None:
        """Add a line at the present depth."""
        self.out.append("    " * self.depth + text)

    # ---------------------------------------------------------------------------- references
    def lanes(self, value: Value) -> Lanes:
        """Return the lanes a value lives on."""
        return self.plan.on.get(value.id, ())

    def text(self, value: Value, lanes: Lanes | None = None) -> str:
        """Return what names a value, spread over ``lanes`` if it is spread at all."""
        home = self.lanes(value)
        want = home if lanes is None or not home else lanes
        found = self.names.get((value.id, want))
        if found is not None:
            return found
        if want == home:
            return self._define(value, home)
        return self._moved(value, home, want)

    def _moved(self, value: Value, home: Lanes, want: Lanes) -> str:
        """Spread a value over other lanes: computed again if that is cheap, else converted."""
        if isinstance(value.op, Coord | Apply | Address | Load):
            return self._define(value, want)
        source = self.plan.shape_of(value.digits, home)
        return self.plan.convert(self.text(value), source, self.plan.shape_of(value.digits, want))

    def at(self, value: Value, shape: Shape, lanes: Lanes) -> str:
        """Return a value in a shape, up to broadcasting."""
        text = self.text(value, lanes)
        if value.dtype == BOOL and not value.digits and shape and not isinstance(value.op, Const):
            # Triton's interpreter loses the type of a truth value it spreads.
            return f"tl.broadcast_to(tl.cast({text}, tl.int32), {self.plan.sizes(shape)}) != 0"
        mine = self.lanes(value)
        source = self.plan.shape_of(value.digits, lanes if mine else ())
        return self.plan.convert(text, source, shape)

    # --------------------------------------------------------------------------- definitions
    def _define(self, value: Value, lanes: Lanes) -> str:
        expression = self.expression(value, lanes)
        if isinstance(value.op, Const):
            return expression
        if isinstance(value.op, SizeArg):
            name = expression
        else:
            name = self.fresh(value.hint or "v")
            self._comment(value)
            self.write(f"{name} = {expression}")
        self.names[value.id, lanes] = name
        return name

    def _comment(self, value: Value) -> None:
        if value.span is None or value.span.line == self.line:
            return
        self.line = value.span.line
        source = self.lines.get(self.line)
        if source:
            self.write(f"# {self.line}: {source.strip()}")

    def expression(self, value: Value, lanes: Lanes) -> str:
        """Return the text that computes a value on ``lanes``."""
        op, values = value.op, self.plan.values
        shape = self.plan.shape_of(value.digits, lanes)
        match op:
            case Const(number):
                return literal(number, value.dtype)
            case SizeArg(name):
                return identifier(name)
            case Coord(digit):
                return self._coord(digit, lanes)
            case Apply(fn, args):
                operands = [values[a] for a in args]
                texts = [self.operand(v, shape, lanes) for v in operands]
                first = operands[0].op
                if isinstance(first, Const) and all(isinstance(v.op, Const) for v in operands):
                    texts[0] = filled("[]", first.value, operands[0].dtype)
                text, helper = ops.call(fn, texts, operands, value.dtype, self.popc)
                if helper:
                    self.helpers[helper] = None
                return text
            case Address(base, offset):
                start = identifier(base) if isinstance(base, str) else ""
                if isinstance(base, int):
                    start = self.operand(values[base], shape, lanes)
                if offset is None:
                    return start
                return f"{start} + {self.operand(values[offset], shape, lanes)}"
            case Load():
                return self._load(value, op, shape, lanes)
            case Reduce():
                return self._reduce(value, op)
            case Scan(monoid, arg, digit):
                return self._scan(values[arg], monoid, digit, shape, lanes)
            case Dot():
                return self._dot(value, op)
            case Carried() | Final():
                raise KeyError(value.id)

    def operand(self, value: Value, shape: Shape, lanes: Lanes) -> str:
        """Return a value as part of an expression."""
        text = self.at(value, shape, lanes)
        plain = re.fullmatch(r"[\w.]+(\([^()]*\))?(\[[^\]]*\])?", text)
        return text if plain else f"({text})"

    def _coord(self, digit: str, lanes: Lanes) -> str:
        d = self.plan.digits[digit]
        if d.role == "thread":
            below = self.plan.extent(x for x in lanes[lanes.index(digit) + 1 :])
            text = f"tl.arange(0, {self.plan.extent(lanes)})"
            text = f"{text} // {below}" if below > 1 else text
            return text if lanes[0] == digit else f"{text} % {d.extent}"
        return f"tl.arange(0, {d.extent})"

    # -------------------------------------------------------------------------------- memory
    def _load(self, value: Value, op: Load, shape: Shape, lanes: Lanes) -> str:
        pointer = self.plan.values[op.pointer]
        where = self.broadcast(pointer, shape, lanes)
        mask = None if op.mask is None else self.plan.values[op.mask]
        guard = "" if mask is None else self.broadcast(mask, shape, lanes)
        dtype = self.kernel.table(op.table).dtype
        flat = len(shape) > 1 and bool(lanes) and op.unit not in value.digits
        if flat:
            one = self.plan.sizes((tuple(d for dim in shape for d in dim),))
            where = f"tl.reshape({where}, {one})"
            guard = guard and f"tl.reshape({guard}, {one})"
        elif lanes and op.unit and op.align > 1 and shape:
            where = self._hinted(where, op, shape, dtype)
        text = f"tl.load({where})"
        if guard:
            text = f"tl.load({where}, mask={guard}, other={literal(op.other, dtype)})"
        return f"tl.reshape({text}, {self.plan.sizes(shape)})" if flat else text

    def _hinted(self, where: str, op: Load, shape: Shape, dtype: DType) -> str:
        """State how far neighbours run and what divides their start: reshapes forget it."""
        run = [1] * len(shape)
        at = next(n for n, dim in enumerate(shape) if op.unit in dim)
        run[at] = self.plan.extent((op.unit,))
        divisor = [1] * len(shape)
        divisor[at] = min(16, op.align * dtype.bytes)
        return f"tl.multiple_of(tl.max_contiguous({where}, {run}), {divisor})"

    def broadcast(self, value: Value, shape: Shape, lanes: Lanes) -> str:
        """Return a value that fills a shape."""
        if isinstance(value.op, Const):
            return filled(self.plan.sizes(shape), value.op.value, value.dtype)
        text = self.at(value, shape, lanes)
        have = {d for dim in self.plan.shape_of(value.digits, lanes) for d in dim}
        if not self.lanes(value):
            have = set(value.digits)
        if all(set(dim) & have for dim in shape):
            return text
        if not have:
            return f"tl.broadcast_to({text}, {self.plan.sizes(shape)})" if shape else text
        return f"tl.broadcast_to({text}, {self.plan.sizes(shape)})"

    # ------------------------------------------------------------------------- across digits
    def _reduce(self, value: Value, op: Reduce) -> str:
        arg = self.plan.values[op.arg]
        text, shape = self.text(arg), self.plan.shape(arg)
        flat = [d for dim in shape for d in dim]
        if len(flat) > len(shape):
            text = f"tl.reshape({text}, {self.plan.sizes(tuple((d,) for d in flat))})"
        truth = arg.dtype == BOOL
        if truth:
            text = f"({text}).to(tl.int32)"
        for digit in op.digits:
            text = self._fold(op.monoid, text, flat.index(digit))
            flat.remove(digit)
        left = self.plan.shape_of(value.digits, self.lanes(value))
        text = self.plan.convert(text, tuple((d,) for d in flat), left)
        return f"{text} != 0" if truth else text

    def _fold(self, monoid: str, text: str, axis: int) -> str:
        monoid = {"any": "max", "all": "min"}.get(monoid, monoid)
        if monoid == "prod":
            self.helpers["_prod"] = None
            return f"tl.reduce({text}, {axis}, _prod)"
        return f"{_REDUCE[monoid]}({text}, {axis})"

    def _scan(self, arg: Value, monoid: str, digit: str, shape: Shape, lanes: Lanes) -> str:
        text = self.at(arg, shape, lanes)
        flat = tuple((d,) for dim in shape for d in dim)
        if flat != shape:
            text = f"tl.reshape({text}, {self.plan.sizes(flat)})"
        axis = flat.index((digit,))
        scanned = f"tl.cumsum({text}, {axis})" if monoid == "sum" else ""
        if not scanned:
            raise KeyError(monoid)
        return f"tl.reshape({scanned}, {self.plan.sizes(shape)})" if flat != shape else scanned

    def _dot(self, value: Value, op: Dot) -> str:
        left, right = self.plan.values[op.left], self.plan.values[op.right]
        rows = tuple(d for d in left.digits if d not in op.over)
        columns = tuple(d for d in right.digits if d not in op.over)
        a = self._matrix(left, rows, op.over)
        b = self._matrix(right, op.over, columns)
        if self.interpreted and left.dtype == BF16:
            # Triton's interpreter multiplies the bits of bf16; its f32 product is the same.
            a, b = (f"tl.cast({x}, tl.float32)" for x in (a, b))
        precision = ', input_precision="ieee"' if left.dtype.bits >= 32 else ""
        acc = ""
        if op.acc is not None:
            state = self.plan.values[op.acc]
            acc = f", {self.at(state, self.plan.shape(value), ())}"
            acc = self._filled(state, acc, value)
        text = f"tl.dot({a}, {b}{acc}{precision}, out_dtype={ops.TYPES[value.dtype]})"
        natural = ((*rows, *columns),)
        if len(rows) == len(columns) == 1 and value.digits == natural[0]:
            return text
        return self._from_matrix(text, rows, columns, value)

    def _filled(self, state: Value, acc: str, value: Value) -> str:
        if isinstance(state.op, Const):
            sizes = self.plan.sizes(self.plan.shape(value))
            return f", {filled(sizes, state.op.value, value.dtype)}"
        return acc

    def _matrix(self, value: Value, rows: tuple[str, ...], columns: tuple[str, ...]) -> str:
        text = self.text(value)
        if value.digits == (*rows, *columns):
            turned = False
        elif value.digits == (*columns, *rows):
            turned, (rows, columns) = True, (columns, rows)
        else:
            order = [value.digits.index(d) for d in (*rows, *columns)]
            text, turned = f"tl.permute({text}, {order})", False
        if len(rows) != 1 or len(columns) != 1:
            text = f"tl.reshape({text}, {self.plan.sizes((rows, columns))})"
        return f"tl.trans({text})" if turned else text

    def _from_matrix(
        self, text: str, rows: tuple[str, ...], columns: tuple[str, ...], value: Value
    ) -> str:
        natural = (*rows, *columns)
        text = f"tl.reshape({text}, {self.plan.sizes(tuple((d,) for d in natural))})"
        if natural == value.digits:
            return text
        return f"tl.permute({text}, {[natural.index(d) for d in value.digits]})"

    # ---------------------------------------------------------------------------- statements
    def block(self, body: tuple[Stmt, ...]) -> None:
        """Write statements."""
        for stmt in body:
            match stmt:
                case Let(value):
                    if not isinstance(value.op, Const | SizeArg):
                        self.text(value)
                case Store():
                    self._store(stmt)
                case If(condition, inner):
                    self.write(f"if {self.text(self.plan.values[condition])}:")
                    self._inside(inner)
                case For():
                    self._for(stmt)

    def _inside(self, body: tuple[Stmt, ...]) -> None:
        before = dict(self.names)
        self.depth += 1
        start = len(self.out)
        self.block(body)
        if len(self.out) == start:
            self.write("pass")
        self.depth -= 1
        self.names = before

    def _store(self, stmt: Store) -> None:
        values = self.plan.values
        pointer, value = values[stmt.pointer], values[stmt.value]
        mask = None if stmt.mask is None else values[stmt.mask]
        parts = [v for v in (pointer, value, mask) if v is not None]
        digits = tuple(d for d in self.plan.digits if any(d in v.digits for v in parts))
        lanes = self._store_lanes(parts)
        shape = self.plan.shape_of(digits, lanes)
        where = self.broadcast(pointer, shape, lanes)
        what = self.broadcast(value, shape, lanes)
        guard = "" if mask is None else f", mask={self.broadcast(mask, shape, lanes)}"
        fn = "tl.store" if stmt.combine == "set" else _ATOMIC[stmt.combine]
        self.write(f"{fn}({where}, {what}{guard})")

    def _store_lanes(self, parts: list[Value]) -> Lanes:
        used = [self.lanes(v) for v in parts if self.lanes(v)]
        digits = {d for v in parts for d in v.digits if d in self.plan.lanes}
        fits = [u for u in used if digits <= set(u)]
        return min(fits, key=len, default=self.plan.lanes if used else ())

    def _for(self, stmt: For) -> None:
        values = self.plan.values
        for state in stmt.carries:
            inside = values[state.inside]
            name = self.fresh(inside.hint or "state")
            self.write(f"{name} = {self._start(values[state.init], inside)}")
            self.names[state.inside, self.lanes(inside)] = name
        counter = self.fresh(stmt.digit)
        lo, hi = self.text(values[stmt.lo]), self.text(values[stmt.hi])
        options = f", num_stages={stmt.stages}" if stmt.stages > 1 else ""
        options += f", loop_unroll_factor={stmt.unroll}" if stmt.unroll > 1 else ""
        span = f"tl.range({lo}, {hi}{options})" if options else f"range({lo}, {hi})"
        self.write(f"for {counter} in {span}:")
        coord = self._counter_value(stmt)
        before = dict(self.names)
        if coord is not None:
            self.names[coord.id, ()] = counter
        self.depth += 1
        self.block(stmt.body)
        self._advance(stmt)
        self.depth -= 1
        self.names = before
        for state in stmt.carries:
            lanes = self.lanes(values[state.inside])
            self.names[state.after, lanes] = self.names[state.inside, lanes]

    def _counter_value(self, stmt: For) -> Value | None:
        for value in self.plan.values.values():
            if isinstance(value.op, Coord) and value.op.digit == stmt.digit:
                return value
        return None

    def _advance(self, stmt: For) -> None:
        """Give every state its next value; all are read before any is replaced."""
        values, moves = self.plan.values, []
        for state in stmt.carries:
            inside, after = values[state.inside], values[state.next]
            lanes = self.lanes(inside)
            shape = self.plan.shape(inside)
            moves.append((self.names[state.inside, lanes], self.broadcast(after, shape, lanes)))
        mine = {name for name, _ in moves}
        clash = any(text in mine and text != name for name, text in moves)
        if clash:
            names, texts = zip(*moves, strict=True)
            self.write(f"{', '.join(names)} = {', '.join(texts)}")
            return
        for name, text in moves:
            self.write(f"{name} = {text}")

    def _start(self, init: Value, inside: Value) -> str:
        shape, lanes = self.plan.shape(inside), self.lanes(inside)
        if isinstance(init.op, Const) and shape:
            return filled(self.plan.sizes(shape), init.op.value, inside.dtype)
        if isinstance(init.op, Const):
            return filled("[]", init.op.value, inside.dtype)
        return self.broadcast(init, shape, lanes)


# ------------------------------------------------------------------------------------------ whole
def emit_source(
    kernel: Kernel, lines: Mapping[int, str], popc: str = "", interpreted: bool = False
) -> str:
    """Return a stand-alone module that holds the kernel.

    ``lines`` is the program's text by line number, shown beside the code it became. ``popc`` names
    a function that counts bits ("" for one in plain arithmetic); ``interpreted`` avoids what only
    the interpreter gets wrong.
    """
    w = Writer(kernel, lines, ".".join(popc.split(".")[-2:]), interpreted)
    _grid(w)
    w.block(kernel.body)
    names = [identifier(t.name) for t in kernel.tables]
    names += [identifier(s) for s in kernel.sizes]
    head = ["import triton", "import triton.language as tl"]
    if popc and any(popc.split(".")[-1] + "(" in line for line in w.out):
        package, module, _ = popc.rsplit(".", 2)
        head.append(f"from {package} import {module}")
    parts = ["\n".join(head)]
    parts += [ops.HELPERS[h].rstrip() for h in sorted(w.helpers)]
    signature = f"@triton.jit\ndef {identifier(kernel.name)}({', '.join(names)}):"
    parts.append("\n".join((signature, *w.out)))
    return "\n\n\n".join(parts) + "\n"


def _grid(w: Writer) -> None:
    """Split the program id into the grid's digits, the last one running fastest."""
    coords = {v.op.digit: v for v in w.plan.values.values() if isinstance(v.op, Coord)}
    digits = [d for d, _ in w.kernel.grid]
    sizes = dict(w.kernel.grid)
    wide = ".to(tl.int64)" if w.kernel.wide else ""
    if len(digits) > 1:
        w.write("pid = tl.program_id(0)")
    for n, digit in reversed(list(enumerate(digits))):
        if len(digits) == 1:
            text = "tl.program_id(0)"
        else:
            text = "pid" if n == 0 else f"pid % {size_text(sizes[digit])}"
        coord = coords.get(digit)
        if coord is not None:
            name = w.fresh(digit)
            w.write(f"{name} = {f'({text}){wide}' if wide else text}")
            w.names[coord.id, ()] = name
        if n > 0:
            w.write(f"pid = pid // {size_text(sizes[digit])}")


def size_text(size: Size) -> str:
    """Return a size expression as an operand in parentheses, if it needs them."""
    terms = []
    for monomial, c in size.terms:
        factors = [str(c)] if c != 1 or not monomial else []
        for atom in monomial:
            match atom:
                case Name(name):
                    factors.append(identifier(name))
                case Divided(op, left, right):
                    sign = "//" if op == "/" else "%"
                    factors.append(f"({size_text(left)} {sign} {size_text(right)})")
        terms.append(" * ".join(factors))
    text = " + ".join(terms) or "0"
    return text if re.fullmatch(r"\w+", text) else f"({text})"


def identifier(name: str) -> str:
    """Return a Python name for a name of the program."""
    text = re.sub(r"\W", "_", name)
    return f"{text}_" if text in _RESERVED or not text or text[0].isdigit() else text


def filled(sizes: str, number: bool | int | float, dtype: DType) -> str:
    """Return a tensor of one number as text."""
    if dtype == BF16:
        return f"tl.cast(tl.full({sizes}, {literal(number, F32)}, tl.float32), tl.bfloat16)"
    return f"tl.full({sizes}, {literal(number, dtype)}, {ops.TYPES[dtype]})"


def literal(number: bool | int | float, dtype: DType) -> str:
    """Return a constant as text."""
    if dtype == BOOL:
        return str(bool(number))
    if dtype.is_float:
        number = float(number)
        if number != number or number in (float("inf"), float("-inf")):
            return f'float("{number}")'
        return repr(number)
    return str(int(number))


def _used(stmt: Stmt) -> tuple[ValueId, ...]:
    match stmt:
        case Let(value):
            return arguments(value.op)
        case Store(_, pointer, value, mask):
            return (pointer, value) if mask is None else (pointer, value, mask)
        case If(condition, _):
            return (condition,)
        case For():
            return (stmt.lo, stmt.hi, *(x for c in stmt.carries for x in (c.init, c.next)))


__all__ = ["POINTER", "Writer", "emit_source", "identifier"]
