"""The exported function of a module: the entry threads call."""

from __future__ import annotations

from hastec.ir.kernel import Kernel

ENTRY = "haste_run"

COUNTER, FRONT, BACK, CHUNK, TOTAL, FIRST = 0, 1, 2, 3, 4, 5
"""Where a launch's words hold how many ranges of programs are taken, how many of them from the
front and from the back, how many programs a range has, and how many there are; addresses of tables,
sizes and extents of the grid follow from ``FIRST`` on.
"""

EVERYTHING = 2**62
"""More ranges than there are."""

_ENTRY = """define void @{entry}(ptr %launch, i64 %most, i1 zeroext %behind) #0 {{
entry:
{unpack}
  %rounded = add i64 %total, %chunk
  %above = sub i64 %rounded, 1
  %ranges = sdiv i64 %above, %chunk
  %last = sub i64 %ranges, 1
  %front = getelementptr inbounds i64, ptr %launch, i64 {front}
  %back = getelementptr inbounds i64, ptr %launch, i64 {back}
  %mine = select i1 %behind, ptr %back, ptr %front
  br label %take
take:
  %taken = phi i64 [ 0, %entry ], [ %count, %work ]
  %enough = icmp sge i64 %taken, %most
  br i1 %enough, label %done, label %some
some:
  %number = atomicrmw add ptr %launch, i64 1 monotonic
  %none = icmp sge i64 %number, %ranges
  br i1 %none, label %done, label %work
work:
  %before = atomicrmw add ptr %mine, i64 1 monotonic
  %after = sub i64 %last, %before
  %range = select i1 %behind, i64 %after, i64 %before
  %begin = mul i64 %range, %chunk
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

    ``haste_run(launch, most, behind)`` takes up to ``most`` ranges of programs of a launch and runs
    them: the next ones from the front, or, ``behind``, from the back. Whoever launches begins at
    the front and others at the back, so that a thread meets what it left in its cache last time.
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
    text = _ENTRY.format(
        entry=ENTRY,
        unpack="\n".join(lines),
        arguments=", ".join(arguments),
        front=FRONT,
        back=BACK,
    )
    return text.replace("(, ", "(")


def _word(name: str, kind: str, at: int) -> list[str]:
    return [
        f"  %{name}.at = getelementptr inbounds i64, ptr %launch, i64 {at}",
        f"  %{name} = load {kind}, ptr %{name}.at, align 8",
    ]
