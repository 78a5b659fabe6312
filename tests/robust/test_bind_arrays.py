"""Broken arrays of declared formats on their whole way: refused, or multiplied as they now read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from hastec.levels.assemble import to_dense
from hastec.options import Options
from hastec.run.tables import take
from tests.robust import hostile as h
from tests.robust import malformed as m

DECLARED = (
    *(name for name in h.TABLES if name not in ("chosen", "step")),
    *("sell(4)", "bsr(4, 2)", "bsr(2, 4)", "csr index delta(2)", "sell(4) index delta(4)"),
)
"""Formats whose blocks and slices do not divide the table are among them."""


def table() -> m.Tensor:
    """Return a table of 7 rows and 9 columns."""
    made = torch.zeros(7, 9)
    made[:6, :8] = m.table()
    made[2, 8], made[6, 0], made[6, 8] = 3.0, 2.0, 5.0
    return made


X = torch.tensor([1.0, -2.0, 3.0, 7.0, 5.0, -1.0, 2.0, 4.0, -3.0])
REFUSALS = ("HST4002", "HST4009", "HST4010", "HST4011", "HST4012", "HST4014", "HST4016")


def numbers_out_of_place(sound: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the arrays with one number changed: to ends, neighbours, far and negative numbers."""
    for name, x in sound.items():
        if name in ("shape", "val") or not x.numel():
            continue
        limits = torch.iinfo(x.dtype)
        for at in sorted({0, x.numel() // 2, x.numel() - 1}):
            here = int(x[at])
            for value in {-1, 0, here + 1, here - 1, 7, 8, 10**6, limits.max, limits.min}:
                if limits.min <= value <= limits.max and value != here:
                    changed = x.clone()
                    changed[at] = value
                    yield f"{name}[{at}] = {value}", {**sound, name: changed}


@pytest.mark.parametrize("name", DECLARED)
def test_a_number_out_of_place(name: str, options: Options) -> None:
    program, dense = h.product(name, options), table()
    sound = h.stored(program, dense)
    assert torch.equal(program.bind(W=sound)(x=X), dense @ X)
    param = program.graph.param("W")
    refused = 0
    for what, given in numbers_out_of_place(sound):
        code, y = h.outcome(lambda g=given: h.answer(program, name, g, X), "W")
        if code == m.OK:
            read, _ = to_dense(take(param, given).entries())
            assert torch.equal(y, read @ X), what
        else:
            assert code in REFUSALS, (what, code)
            refused += 1
    assert refused >= 3


@pytest.mark.parametrize("name", DECLARED)
def test_arrays_of_wrong_lengths_and_types(name: str, options: Options) -> None:
    program = h.product(name, options)
    sound = h.stored(program, table())
    for array, x in sound.items():
        if array == "shape":
            continue
        changes = {
            "one long": torch.cat((x, x[-1:])),
            "two-dimensional": x.reshape(1, -1),
            "of another kind": x.double(),
            "of another width": x.to(torch.int8) if array != "val" else x.half(),
            "empty": x[:0],
        }
        for what, changed in changes.items():
            if changed.dtype == x.dtype and changed.shape == x.shape:
                continue
            given = {**sound, array: changed}
            code, _ = h.outcome(lambda g=given: h.answer(program, name, g, X), "W")
            assert code in REFUSALS, (array, what, code)


@pytest.mark.parametrize("name", DECLARED)
def test_values_where_nothing_is_stored_reach_no_result(name: str, options: Options) -> None:
    program, dense = h.product(name, options), table()
    sound = h.stored(program, dense)
    count = sound["val"].numel()
    for at in range(0, count, max(1, count // 24)):
        value = float(sound["val"][at])
        changed = sound["val"].clone()
        changed[at] = float("nan") if value == 0 else value
        given = {**sound, "val": changed}
        read, _ = to_dense(take(program.graph.param("W"), given).entries())
        y = h.answer(program, name, given, X)
        assert y is not None
        assert torch.equal(y.nan_to_num(7e7), (read @ X).nan_to_num(7e7)), at
