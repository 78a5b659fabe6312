"""Programs for hostile input, and what they mean, found by loops over the components given."""

from __future__ import annotations

import itertools
from typing import Any

import torch

import hastec
from hastec.diag import HasteError
from hastec.driver import Program
from hastec.options import Options
from hastec.run.runner import Runner
from tests.robust import malformed as m

PRODUCT = """haste 1
kernel product({W}, x: f32[K]) -> y: f32[M] {{
    y[m] = sum[k] W[m, k] * x[k]
}}
"""
TABLES = {
    "chosen": "W: static sparse f32[M, K]",
    "step": "W: sparse f32[M, K]",
    **{
        name: f"W: static f32[M, K] @ {name}"
        for name in ("csr", "csc", "coo", "ell", "sell(2)", "bsr(2, 2)", "nm(4, 4)", "bitmap")
    },
    "csr u16": "W: static f32[M, K] @ csr index u16",
    "csr delta": "W: static f32[M, K] @ csr index delta(4)",
}
"""A table declared in every ready format, chosen by the compiler, and taken as it is given."""


def product(table: str, options: Options) -> Program:
    """Return the program ``y = W x`` with ``W`` declared in one way."""
    text = PRODUCT.format(W=TABLES.get(table, f"W: static f32[M, K] @ {table}"))
    return hastec.compile(text, backend_name="cpu", options=options)


def answer(program: Program, table: str, given: object, x: m.Tensor | None) -> m.Tensor | None:
    """Return what a program answers, its table bound or, if it is a step table, passed.

    Without an ``x``, the table is bound and nothing is run.
    """
    if x is None:
        program.bind(W=given)
        return None
    result = program.bind()(W=given, x=x) if table == "step" else program.bind(W=given)(x=x)
    assert isinstance(result, torch.Tensor)
    return result


def spelled_out(parts: m.Parts) -> m.Tensor:
    """Return the dense table that sound components mean, entry by entry."""
    made = torch.zeros(parts["shape"], dtype=torch.float32)
    for i, j, value in entries(parts):
        made[i, j] = value
    return made


def entries(parts: m.Parts) -> list[tuple[int, int, float]]:
    """Return the entries of components: of rows, of blocks of rows, or by coordinates."""
    index, values = parts["index"].long().tolist(), parts["values"]
    if "starts" not in parts:
        return list(zip(*index, values.tolist(), strict=True))
    found = []
    starts = parts["starts"].tolist()
    for row, (start, stop) in enumerate(itertools.pairwise(starts)):
        for at in range(start, stop):
            value = values[at].tolist()
            block = value if isinstance(value, list) else [[value]]
            for r, line in enumerate(block):
                for c, v in enumerate(line):
                    found.append((row * len(block) + r, index[at] * len(line) + c, v))
    return found


def refusal(error: HasteError, name: str) -> str:
    """Return the code of an error that names its argument, a rule and what to do."""
    (found,) = error.diagnostics
    assert found.message.startswith(f"{name}: "), found.message
    assert len(found.message) > len(name) + 10, found.message
    assert found.help, found.message
    return found.code


def outcome(run: Any, name: str) -> tuple[str, Any]:
    """Return the code of what ``run`` was refused with and None, or "" and its result."""
    try:
        return m.OK, run()
    except HasteError as error:
        return refusal(error, name), None


def stored(program: Program, dense: m.Tensor) -> dict[str, Any]:
    """Return a table's arrays in the format a program declares, under the names users give them."""
    run = program.bind(W=dense).run
    assert isinstance(run, Runner)
    mine = {n.removeprefix("W."): torch.clone(x) for n, x in run.arrays.items()}
    return {**mine, "shape": tuple(dense.shape)}
