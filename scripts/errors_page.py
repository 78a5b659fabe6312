"""Write ``docs/errors.md`` from the registry of codes: ``python scripts/errors_page.py``."""

from __future__ import annotations

import textwrap
from itertools import groupby
from pathlib import Path

from hastec.diag import HasteError, Source
from hastec.diag.codes import CODES, Code
from hastec.front.build import check

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"
AREAS = {
    "HST0": "Text and syntax",
    "HST1": "Names and indices",
    "HST2": "Types and shapes",
    "HST3": "Formats and adjectives",
    "HST4": "Tables",
    "HST5": "Lowering and backends",
    "HST6": "Environment, cache, tuning and commands",
    "HST7": "Printed stages",
    "HST8": "Kernels",
    "HST9": "Internal",
}
WRONG = """haste 1
kernel linear(W: static sparse f16[M, K], X: f16[K, N]) -> Y: f16[M, N] {
    Y[m, n] = sum[k] W[m, k] * X[k, m]
}
"""
HEAD = """# Errors

Every error has a code, the place it is about, a sentence, and one suggestion:

```text
{sample}
```

In Python it is a `hastec.HasteError` whose `diagnostics` hold all of this as values; a table that
is wrong is a `TableError`, which is one. A code keeps its meaning. This page is written by
`scripts/errors_page.py` from the registry in `hastec/diag/codes.py`.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD.format(sample=_sample())]
    for area, codes in groupby(CODES.values(), key=lambda c: c.code[:4]):
        parts.append(f"\n## {AREAS[area]}\n")
        parts += [_entry(code) for code in codes]
    return "".join(parts)


def _sample() -> str:
    """Return what is said about a program that is wrong."""
    try:
        check(Source("linear.haste", WRONG))
    except HasteError as error:
        return str(error)
    raise AssertionError("the sample program has no error")


def _entry(code: Code) -> str:
    text = "\n".join(textwrap.wrap(" ".join(code.text.split()), 118, break_long_words=False))
    return f"\n### {code.code}: {code.title}\n\n{text}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
