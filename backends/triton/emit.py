"""Kernel to a stand-alone Triton module: from digits, roles and nodes, wherever they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import lcm

from hastec.backends.triton import ops
from hastec.backends.triton.names import identifier
from hastec.backends.triton.text import PRODUCT, Expr, size_expr
from hastec.backends.triton.writer import Writer
from hastec.ir.kernel import ANY_SIZE, Coord, Kernel, Requirement, Table, TableAccess


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
    head = ["import triton", "import triton.language as tl"]
    if popc and any(popc.split(".")[-1] + "(" in line for line in w.out):
        package, module, _ = popc.rsplit(".", 2)
        head.append(f"from {package} import {module}")
    first = "\n".join(_about(w)) + "\n\n" + "\n".join(head)
    helpers = [ops.HELPERS[h].rstrip() for h in sorted(w.helpers)]
    names = ", ".join(w.names.arguments.values())
    signature = f"@triton.jit\ndef {identifier(kernel.name)}({names}):"
    return "\n\n\n".join((first, *helpers, "\n".join((signature, *w.out)))) + "\n"


# ------------------------------------------------------------------------------------ description
_ACCESS: Mapping[TableAccess, str] = {
    "read": "read",
    "write": "written",
    "scratch": "what programs hand to the last of them",
    "count": "multiples of what arrives, before and after",
}


def _about(w: Writer) -> Iterator[str]:
    """Yield the module's docstring."""
    kernel, names = w.kernel, w.names.arguments
    yield f'"""Kernel {kernel.name}, generated: what is changed here is lost.'
    yield ""
    grid = ", ".join(f"{digit} < {size}" for digit, size in kernel.grid)
    programs = f"one for each {grid}" if grid else "one"
    yield f"Programs: {programs}; {kernel.threads} threads each."
    yield "Arrays:"
    width = max(len(names[t.name]) for t in kernel.tables)
    yield from (f"    {names[t.name]:<{width}}  {_table(t)}" for t in kernel.tables)
    if kernel.sizes:
        yield "Numbers: " + ", ".join(_number(s, names[s]) for s in kernel.sizes)
    if kernel.requires:
        yield "Right only where " + ", ".join(_requirements(kernel.requires)) + "."
    yield '"""'


def _table(table: Table) -> str:
    name, _, component = table.name.rpartition(".")
    name, _, level = name.partition(".")
    of = {"val": f"values of {name}"}.get(component, f"{component} of {name}")
    of += f", level {level}" if level else ""
    count = "" if table.numel is None else f", {table.numel} elements"
    return f"{of}: {table.dtype}{count}, {_ACCESS[table.access]}"


def _number(name: str, argument: str) -> str:
    return name if name == argument else f"{argument} ({name})"


def _requirements(needs: tuple[Requirement, ...]) -> Iterator[str]:
    """Yield what must hold of each size, all of it at once."""
    for size in dict.fromkeys(n.size for n in needs):
        mine = [n for n in needs if n.size == size]
        low, high = max(n.at_least for n in mine), min(n.at_most for n in mine)
        step = lcm(*(n.step for n in mine))
        if low == high:
            yield f"{size} = {low}"
            continue
        if step > 1:
            yield f"{step} divides {size}"
        if high < ANY_SIZE:
            yield f"{size} <= {high}"
        if low > step:
            yield f"{size} >= {low}"


# ------------------------------------------------------------------------------------------- grid
def _grid(w: Writer) -> None:
    """Split the program id into the grid's digits, the last one running fastest."""
    coords = {v.op.digit: v for v in w.plan.values.values() if isinstance(v.op, Coord)}
    left = Expr("tl.program_id(0)")
    if len(w.kernel.grid) > 1:
        w.write(f"pid = {left}")
        left = Expr("pid")
    for n, (digit, size) in reversed(list(enumerate(w.kernel.grid))):
        mine = left
        if n > 0:
            count = _count(w, digit, size_expr(size, w.names.arguments))
            mine = Expr(f"{left} % {count}", PRODUCT)
        coord = coords.get(digit)
        if coord is not None:
            name = w.names.fresh(digit)
            w.write(f"{name} = {mine.atom + '.to(tl.int64)' if w.kernel.wide else mine}")
            w.held[coord.id, ()] = Expr(name)
        if n > 0:
            w.write(f"pid = pid // {count}")


def _count(w: Writer, digit: str, count: Expr) -> str:
    """Return the number of values of a grid digit as an operand, named if it is no name."""
    if count.text.isalnum():
        return count.text
    name = w.names.fresh(f"{digit}s")
    w.write(f"{name} = {count}")
    return name
