"""Results as a table for people: ``python -m bench.report bench/results/*.jsonl``.

With ``--into FILE`` the table replaces what stands between ``<!-- linear -->`` and
``<!-- /linear -->`` in a page.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.rows import Machine, Row, read


def main() -> None:
    """Print the tables, or write them into a page."""
    args = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    args.add_argument("files", nargs="+", type=Path)
    args.add_argument("--into", type=Path)
    given = args.parse_args()
    text = markdown(read(given.files))
    if given.into is None:
        print(text)
    else:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, text), encoding="utf-8")


def placed(page: str, text: str) -> str:
    """Return a page with a text between its marks. Raises ValueError if it has none."""
    start, end = "<!-- linear -->", "<!-- /linear -->"
    before, _, rest = page.partition(start)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"the page has no place between {start} and {end}")
    return f"{before}{start}\n{text}\n{end}{after}"


def markdown(rows: Sequence[Row]) -> str:
    """Return a table for each machine."""
    found: dict[Machine, list[Row]] = {}
    for row in rows:
        found.setdefault(row.machine, []).append(row)
    return "\n\n".join("\n".join(_machine(m, mine)) for m, mine in found.items())


def _machine(machine: Machine, rows: Iterable[Row]) -> Iterator[str]:
    mine = sorted(rows, key=lambda r: (r.table, r.batch, r.tuned))
    versions = ", ".join(f"{n} {v}" for n, v in machine.versions if v != "none")
    yield f"{machine.device}, {machine.date}: {versions}."
    yield ""
    names = list(dict.fromkeys(name for row in mine for name, _ in row.others))
    heads = ["weight", "density", "columns", "ours, us", *(f"{n}, us" for n in names)]
    heads += ["against the best", "predicted, us", "bytes of dense", "format"]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---' if h in ('weight', 'format') else '--:' for h in heads)}|"
    for row in mine:
        yield f"| {' | '.join(_cells(row, names))} |"


def _cells(row: Row, names: Sequence[str]) -> Iterator[str]:
    others = dict(row.others)
    yield row.table
    yield f"{row.density:.3g}"
    yield str(row.batch)
    yield f"{row.us:.1f}{' (tuned)' if row.tuned else ''}"
    yield from (f"{others[n]:.1f}" if n in others else "" for n in names)
    yield f"{row.best_other / row.us:.2f}x"
    yield f"{row.predicted_us:.1f}"
    yield f"{row.bytes / row.dense_bytes:.0%}"
    yield row.format.split(" = ", 1)[0]


if __name__ == "__main__":
    main()
