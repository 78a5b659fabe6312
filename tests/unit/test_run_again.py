"""Calls of a bound plan after the first: as right, as careful, and much cheaper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

import hastec
from hastec.levels.faults import TableError
from hastec.options import Options
from hastec.run.again import MOST, Memory
from hastec.run.runner import Runner

PROGRAM = """
kernel scale(X: f32[M, N], b: f32[N]) -> Y: f32[M, N], s: f32[M] {
    Y[i, j] = X[i, j] * b[j]
    s[i] = sum[j] X[i, j]
}
"""


def runner(text: str = PROGRAM, **bound: Any) -> Runner:
    options = replace(Options.from_environment(), skip_cache=True)
    run = hastec.compile(text, backend_name="cpu", options=options).bind(**bound).run
    assert isinstance(run, Runner)
    return run


def tables(m: int, n: int) -> dict[str, torch.Tensor]:
    return {"X": torch.randn(m, n), "b": torch.randn(n)}


def check(run: Runner, given: dict[str, torch.Tensor]) -> None:
    y, s = run(**given)
    assert torch.equal(y, given["X"] * given["b"])
    assert torch.allclose(s, given["X"].sum(1), atol=1e-5)


def test_calls_with_other_tensors_and_shapes() -> None:
    run = runner()
    for m, n in ((3, 4), (3, 4), (5, 7), (3, 4), (1, 1), (0, 4), (5, 7), (0, 4)):
        check(run, tables(m, n))
    assert len(run.memory.calls) == 4


def test_outputs_are_new_in_every_call() -> None:
    run, given = runner(), tables(4, 4)
    first = run(**given)[0]
    before = first.clone()
    given["b"].mul_(2)
    second = run(**given)[0]
    assert torch.equal(first, before) and torch.equal(second, 2 * before)


def test_views_that_start_aligned_are_taken_as_they_are() -> None:
    run, room = runner(), torch.randn(40)
    check(run, {"X": room[4:20].view(4, 4), "b": room[20:24]})
    check(run, {"X": room[20:36].view(4, 4), "b": room[0:4]})


def freed(x: torch.Tensor) -> torch.Tensor:
    x.untyped_storage().resize_(0)
    return x


def shortened(x: torch.Tensor) -> torch.Tensor:
    x.untyped_storage().resize_(4 * x.numel() - 1)
    return x


Wrapped = type("Wrapped", (torch.Tensor,), {})
"""Tensors of a class of their own."""

SPOILED: dict[str, tuple[str, Callable[[torch.Tensor], object]]] = {
    "sparse": ("HST4001", lambda x: x.to_sparse()),
    "type": ("HST4002", lambda x: x.double()),
    "dimensions": ("HST4003", lambda x: x[None]),
    "shape": ("HST4004", lambda x: torch.randn(8, 5)),
    "order": ("HST4006", lambda x: x.t()),
    "address": ("HST4006", lambda x: torch.randn(65)[1:].view(8, 8)),
    "sign": ("HST4006", torch._neg_view),
    "wrapped": ("HST4001", lambda x: x.as_subclass(Wrapped)),
    "nested": ("HST4001", lambda x: torch.nested.nested_tensor([*x])),
    "blocked": ("HST4001", lambda x: x.to_mkldnn()),
    "zeros": ("HST4008", lambda x: torch._efficientzerotensor(x.shape)),
    "short": ("HST4008", shortened),
    "device": ("HST4008", lambda x: x.to("meta")),
    "memory": ("HST4008", freed),
    "missing": ("HST4024", lambda x: None),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_second_call_is_as_careful(case: str) -> None:
    run, given = runner(), tables(8, 8)
    for _ in range(3):  # the first calls of a kind take other ways than later ones
        check(run, given)
    code, spoil = SPOILED[case]
    bad = spoil(given["X"])
    with pytest.raises(TableError) as caught:
        run(b=given["b"], **({} if bad is None else {"X": bad}))
    assert caught.value.diagnostics[0].code == code
    check(run, tables(8, 8))


def test_sizes_passed_by_name_tell_calls_apart() -> None:
    run = runner("kernel ones(x: f32[N]) -> Y: f32[M, N] {\n    Y[i, j] = x[j] + f32(i)\n}\n")
    x = torch.randn(3)
    for m in (2, 5, 2, 5):
        assert torch.equal(run(x=x, M=m), x + torch.arange(m)[:, None])
    with pytest.raises(TableError):
        run(x=x, M=2.5)
    with pytest.raises(TableError):
        run(x=x, M=2, Q=3)


def test_tables_that_must_be_read_are_read() -> None:
    text = "kernel pick(x: f32[N], at: i32[M]) -> y: f32[M] {\n    y[i] = x[at[i]]\n}\n"
    run, x = runner(text), torch.randn(5)
    at = torch.tensor([4, 0, 2], dtype=torch.int32)
    assert torch.equal(run(x=x, at=at), x[at])
    at[1] = 5
    with pytest.raises(TableError):
        run(x=x, at=at)
    assert not run.memory.able


def test_tables_that_need_gradients_or_are_parameters_are_taken() -> None:
    run, given = runner(), tables(3, 4)
    for x in (given["X"], torch.nn.Parameter(given["X"]), given["X"].clone().requires_grad_()):
        for _ in range(3):
            y, s = run(X=x, b=given["b"])
            assert torch.equal(y, x.detach() * given["b"]) and not y.requires_grad
            assert torch.allclose(s, x.detach().sum(1), atol=1e-5)


def test_what_a_call_lacks_or_has_too_much_is_told_every_time() -> None:
    run, given = runner(), tables(3, 4)
    for _ in range(3):
        check(run, given)
        for wrong in ({"X": given["X"]}, {**given, "M": 3.0}, {"X": given["X"], "c": given["b"]}):
            with pytest.raises(TableError):
                run(**wrong)


def test_few_kinds_of_calls_are_kept() -> None:
    run = runner()
    for m in range(1, MOST + 5):
        check(run, tables(m, 2))
    assert 0 < len(run.memory.calls) <= MOST
    assert isinstance(run.memory, Memory)
