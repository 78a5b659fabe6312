"""Stores that merge with what lies there, as one atomic step."""

from __future__ import annotations

from hastec.backends.cpu import arith
from hastec.backends.cpu.code import Code, Module, Part
from hastec.ir.types import BOOL, DType, Kind

_WHOLE = {"sum": "add", "min": "min", "max": "max"}


def merge(code: Code, monoid: str, dtype: DType, address: Part, part: Part) -> None:
    """Merge a scalar into memory."""
    if dtype == BOOL:
        code.emit("old", f"atomicrmw or {address}, {part} monotonic")
    elif dtype.is_integer:
        unsigned = monoid != "sum" and dtype.kind is Kind.UINT
        opcode = f"{'u' if unsigned else ''}{_WHOLE[monoid]}"
        code.emit("old", f"atomicrmw {opcode} {address}, {part} monotonic")
    else:
        name = f"merge.{monoid}.{dtype}"
        code.helper(name, lambda _, n: _retry(code.module, n, monoid, dtype, part.element))
        code.line(f"call void @{name}({address}, {part})")


def _retry(module: Module, name: str, monoid: str, dtype: DType, element: str) -> str:
    """A loop that merges two floats and writes the result if nobody wrote in between."""
    code = Code(module)
    code.used.update(at=1, x=1, seen=1, swapped=1, now=1, done=1)
    word = f"i{dtype.bits}"
    old = code.convert("old", "bitcast", Part("%seen", word), element)
    new = arith.apply(arith.Site(code, dtype, (None, None), "new"), monoid,
                      [old, Part("%x", element)])  # fmt: skip
    new = code.convert("new", "bitcast", new, word)
    body = "\n".join(code.lines)
    size = dtype.bytes
    return f"""define internal void @{name}(ptr %at, {element} %x) #1 {{
entry:
  %first = load atomic {word}, ptr %at monotonic, align {size}
  br label %again
again:
  %seen = phi {word} [ %first, %entry ], [ %now, %again ]
{body}
  %swapped = cmpxchg ptr %at, {word} %seen, {new} monotonic monotonic
  %now = extractvalue {{ {word}, i1 }} %swapped, 0
  %done = extractvalue {{ {word}, i1 }} %swapped, 1
  br i1 %done, label %end, label %again
end:
  ret void
}}
"""
