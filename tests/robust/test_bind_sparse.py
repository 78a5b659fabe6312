"""Broken sparse tables on their whole way: bound in every format, multiplied by the CPU backend.

A table is taken and the product is right, or it is refused before any kernel sees it.
"""

from __future__ import annotations

import pytest
import torch

from hastec.options import Options
from tests.robust import hostile as h
from tests.robust import malformed as m
from tests.robust.test_malformed_components import CONTAINERS, also, broken

PACKING = ("HST4015", "HST4016", "HST4017", "HST4018")
"""What packing into a declared format may add: no room, too many positions, no memory, a code."""
WHOLE = ("mapping csr", "mapping csc", "torch bsr", "torch coo", "scipy csr", "mapping indices")
X = torch.tensor([1.0, -2.0, 3.0, 0.0, 5.0, -1.0, 2.0, 4.0])


@pytest.mark.parametrize("table", h.TABLES)
@pytest.mark.parametrize("container", WHOLE)
def test_a_right_product_or_a_refusal(container: str, table: str, options: Options) -> None:
    program, made = h.product(table, options), 0
    for case in m.CASES:
        given = broken(container, case)
        if given is None:
            continue
        made += 1
        huge = "2^40" in case.name
        sound = None if huge else sound_parts(container, case)
        x = None if huge else X if sound is None else fitting(sound, container)
        code, y = h.outcome(lambda g=given, v=x: h.answer(program, table, g, v), "W")
        allowed = (*case.codes, *also(container, case.name), *PACKING)
        assert code in allowed, (case.name, code)
        if code == m.OK and not huge:
            assert sound is not None, f"{case.name} was taken"
            w = h.spelled_out(sound)
            wanted = (w.T if container == "mapping csc" else w) @ x
            assert torch.equal(y.nan_to_num(7e7), wanted.nan_to_num(7e7)), case.name
    assert made >= 30


def sound_parts(container: str, case: m.Case) -> m.Parts | None:
    """Return the components of a table that may be taken, changed as the case says."""
    if m.OK not in (*case.codes, *also(container, case.name)):
        return None
    parts = CONTAINERS[container][0](m.table())
    case.change(parts)
    return parts


def fitting(parts: m.Parts, container: str) -> m.Tensor:
    columns = parts["shape"][0] if container == "mapping csc" else parts["shape"][1]
    return torch.cat((X, X, X, X))[:columns]
