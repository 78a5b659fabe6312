"""The exported function of a module: the entry threads call."""

from __future__ import annotations

from hastec.ir.kernel import Kernel

ENTRY = "haste_run"

COUNTER, CHUNK, TOTAL, FIRST = 0, 1, 2, 3
"""Where a launch's words hold the counter of programs taken, how many are taken at a time, and how
many there are; addresses of tables, sizes and extents of the grid follow from ``FIRST`` on.
"""
EVERYTHING = 2**62
"""More ranges than there are."""

_ENTRY = """define void @{entry}(ptr %launch, i64 %most) #0 {{
entry:
{unpack}
  br label %take
take:
  %taken = phi i64 [ 0, %entry ], [ %count, %work ]
  %enough = icmp sge i64 %taken, %most
  br i1 %enough, label %done, label %some
some:
  %begin = atomicrmw add ptr %launch, i64 %chunk monotonic
  %none = icmp sge i64 %begin, %total
  br i1 %none, label %done, label %work
work:
  %whole = add i64 %begin, %chunk
  %end = call i64 @llvm.smin.i64(i64 %whole, i64 %total)
  call void @programs({arguments}, i64 %begin, i64 %end)
  %count = add i64 %taken, 1
  br label %take
done:
  ret void
}}
"""


def entry(kernel: Kernel) -> str:
    """Return the exported function of a kernel.

    ``haste_run(launch, most)`` takes up to ``most`` ranges of programs from the counter of a launch
    and runs them.
    """
    lines = [*_word("chunk", "i64", CHUNK), *_word("total", "i64", TOTAL)]
    arguments: list[str] = []
    words = [
        *(("ptr", f"table{n}") for n in range(len(kernel.tables))),
        *(("i64", f"size{n}") for n in range(len(kernel.sizes))),
        *(("i64", f"grid{n}") for n in range(len(kernel.grid))),
    ]
    for at, (kind, name) in enumerate(words, start=FIRST):
        lines += _word(name, kind, at)
        arguments.append(f"{kind} %{name}")
    text = _ENTRY.format(entry=ENTRY, unpack="\n".join(lines), arguments=", ".join(arguments))
    return text.replace("(, ", "(")


def _word(name: str, kind: str, at: int) -> list[str]:
    return [
        f"  %{name}.at = getelementptr inbounds i64, ptr %launch, i64 {at}",
        f"  %{name} = load {kind}, ptr %{name}.at, align 8",
    ]
