"""The exported function of a module: the entry threads call."""

from __future__ import annotations

from hastec.ir.kernel import Kernel

ENTRY = "haste_run"

_ENTRY = """define void @{entry}(ptr %tables, ptr %sizes, ptr %grid, ptr %state,
                        i64 %chunk, i64 %most) #0 {{
entry:
{unpack}
  br label %take
take:
  %taken = phi i64 [ 0, %entry ], [ %count, %work ]
  %enough = icmp sge i64 %taken, %most
  br i1 %enough, label %done, label %some
some:
  %begin = atomicrmw add ptr %state, i64 %chunk monotonic
  %none = icmp sge i64 %begin, {total}
  br i1 %none, label %done, label %work
work:
  %whole = add i64 %begin, %chunk
  %end = call i64 @llvm.smin.i64(i64 %whole, i64 {total})
  call void @programs({arguments}, i64 %begin, i64 %end)
  %count = add i64 %taken, 1
  br label %take
done:
  ret void
}}
"""


def entry(kernel: Kernel) -> str:
    """Return the exported function of a kernel.

    ``haste_run(tables, sizes, grid, state, chunk, most)`` takes up to ``most`` ranges of ``chunk``
    programs from the counter at ``state`` and runs them.
    """
    lines: list[str] = []
    arguments: list[str] = []
    for n in range(len(kernel.tables)):
        lines += _slot(f"table{n}", "ptr", "tables", n)
        arguments.append(f"ptr %table{n}")
    for n in range(len(kernel.sizes)):
        lines += _slot(f"size{n}", "i64", "sizes", n)
        arguments.append(f"i64 %size{n}")
    total = "1"
    for n in range(len(kernel.grid)):
        lines += _slot(f"grid{n}", "i64", "grid", n)
        arguments.append(f"i64 %grid{n}")
        lines.append(f"  %total{n} = mul i64 {total}, %grid{n}")
        total = f"%total{n}"
    return _ENTRY.format(
        entry=ENTRY,
        unpack="\n".join(lines),
        total=total,
        arguments=", ".join(arguments),
    ).replace("(, ", "(")


def _slot(name: str, kind: str, base: str, n: int) -> list[str]:
    return [
        f"  %{name}.at = getelementptr inbounds i64, ptr %{base}, i64 {n}",
        f"  %{name} = load {kind}, ptr %{name}.at, align 8",
    ]
