"""Index tables that are read up to a length: what is read is checked, what lies beyond is not."""

from __future__ import annotations

import pytest
import torch

import hastec
from hastec.levels.faults import TableError

TEXT = """haste 1
kernel gather(X: f32[V, D], at: i32[B, T], len: i32[B]) -> Y: f32[B, D] {
    Y[b, d] = sum[t < len[b]] X[at[b, t], d]
}
"""
X = torch.arange(14.0).reshape(7, 2)
AT = torch.tensor([[1, 2, -1], [-1, 99, 7], [0, 6, 3]], dtype=torch.int32)


def lengths(*given: int) -> torch.Tensor:
    return torch.tensor(given, dtype=torch.int32)


def test_what_lies_beyond_a_length_may_be_anything() -> None:
    plan = hastec.compile(TEXT, backend_name="cpu").bind()
    wanted = torch.stack([X[[1, 2]].sum(0), X[:0].sum(0), X[[0, 6, 3]].sum(0)])
    assert torch.equal(plan(X=X, at=AT, len=lengths(2, 0, 3)), wanted)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((3, 0, 3), "at: holds -1 where b = 0, t = 2, used as an index of 0 .. 7"),
        ((2, 1, 3), "at: holds -1 where b = 1, t = 0, used as an index of 0 .. 7"),
    ],
)
def test_what_is_read_is_refused_by_its_place(given: tuple[int, ...], told: str) -> None:
    """Also in a later call that only changes a length."""
    plan = hastec.compile(TEXT, backend_name="cpu").bind()
    plan(X=X, at=AT, len=lengths(2, 0, 3))
    with pytest.raises(TableError, match="HST4019") as caught:
        plan(X=X, at=AT, len=lengths(*given))
    assert told in str(caught.value)


def test_an_index_past_the_end_is_refused() -> None:
    plan = hastec.compile(TEXT, backend_name="cpu").bind()
    at = AT.clone()
    at[2, 1] = 7
    with pytest.raises(TableError, match="holds 7 where b = 2, t = 1"):
        plan(X=X, at=at, len=lengths(2, 0, 3))
