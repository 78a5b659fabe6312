"""Tables known again: never by an address that memory was given out under before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import hastec
from hastec.diag import HasteError
from hastec.options import Options
from hastec.run.marks import mark_of

GATHER = """haste 1
kernel gather(x: f32[V], at: {time} i32[N]) -> y: f32[N] {{
    y[n] = x[at[n]]
}}
"""
WEIGHT = """haste 1
kernel weight(W: {time} sparse f32[M, K], x: f32[K]) -> y: f32[M] {{
    y[m] = sum[k] W[m, k] * x[k]
}}
"""
X = torch.arange(8.0)


def program(text: str, time: str, options: Options) -> hastec.Program:
    return hastec.compile(text.format(time=time), backend_name="cpu", options=options)


def changes(x: Any) -> None:
    x.add_(0)


def test_what_a_mark_holds() -> None:
    x = torch.ones(4)
    mark = mark_of(x)
    assert mark is not None and mark.holds(x) and mark.alive()
    assert not mark.holds(x.view(4)) and not mark.holds(torch.ones(4)) and not mark.holds(1.0)
    changes(x)
    assert not mark.holds(x)
    del x
    assert not mark.alive()


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "bsc", "coo"])
def test_sparse_tensors_are_marked_by_all_they_are_made_of(kind: str) -> None:
    dense = torch.eye(4)
    x: Any = {
        "csr": dense.to_sparse_csr,
        "csc": dense.to_sparse_csc,
        "bsr": lambda: dense.to_sparse_bsr((2, 2)),
        "bsc": lambda: dense.to_sparse_bsc((2, 2)),
        "coo": dense.to_sparse,
    }[kind]()
    for name in ("values", "indices") if kind == "coo" else ("values",):
        mark = mark_of(x)
        assert mark is not None and mark.holds(x)
        changes(getattr(x, f"_{name}")() if kind == "coo" else getattr(x, name)())
        assert not mark.holds(x)


def test_mappings_of_tensors_are_marked_and_others_are_not() -> None:
    parts: dict[str, Any] = {"indptr": torch.tensor([0, 1]), "values": torch.ones(1), "shape": (1,)}
    mark = mark_of(parts)
    assert mark is not None and mark.holds(parts) and mark.holds(dict(parts))
    assert not mark.holds({**parts, "shape": (2,)})
    assert not mark.holds({**parts, "values": torch.ones(1)})
    changes(parts["values"])
    assert not mark.holds(parts)
    assert mark_of(np.ones(3)) is None
    assert mark_of({**parts, "values": np.ones(1)}) is None
    assert mark_of({"shape": (1, 2)}) is None
    with torch.inference_mode():
        assert mark_of(torch.ones(3)) is None


def test_index_tables_that_come_and_go_are_each_read(options: Options) -> None:
    plan = program(GATHER, "step", options).bind()
    for last in (2, 3, 10**7, -1) * 6:
        at = torch.tensor([0, 1, last], dtype=torch.int32)
        if 0 <= last < 8:
            assert plan(x=X, at=at).tolist() == [0.0, 1.0, float(last)]
        else:
            with pytest.raises(HasteError, match="HST4019"):
                plan(x=X, at=at)
        del at


@pytest.mark.parametrize("numpy", [False, True])
def test_index_tables_that_change_are_read_again(numpy: bool, options: Options) -> None:
    plan = program(GATHER, "step", options).bind()
    at: Any = np.array([0, 1], np.int32) if numpy else torch.tensor([0, 1], dtype=torch.int32)
    for _ in range(3):
        assert plan(x=X, at=at).tolist() == [0.0, 1.0]
    at[1] = 5
    assert plan(x=X, at=at).tolist() == [0.0, 5.0]
    at[0] = 10**8
    with pytest.raises(HasteError, match=r"HST4019.*at\[0\] is 100000000"):
        plan(x=X, at=at)


def test_an_index_table_is_checked_against_each_size(options: Options) -> None:
    plan = program(GATHER, "step", options).bind()
    at = torch.tensor([0, 5], dtype=torch.int32)
    assert plan(x=X, at=at).tolist() == [0.0, 5.0]
    with pytest.raises(HasteError, match=r"used as an index of 0 \.\. 4"):
        plan(x=X[:4], at=at)
    assert plan(x=X, at=at).tolist() == [0.0, 5.0]


@pytest.mark.parametrize("numpy", [False, True])
def test_a_bound_index_table_is_checked_and_nobody_can_change_it(
    numpy: bool, options: Options
) -> None:
    gather = program(GATHER, "static", options)
    for wrong in (8, -1, 10**8):
        plan = gather.bind(at=torch.tensor([0, wrong], dtype=torch.int32))
        with pytest.raises(HasteError, match="HST4019"):
            plan(x=X)
    at: Any = np.array([0, 3], np.int32) if numpy else torch.tensor([0, 3], dtype=torch.int32)
    plan = gather.bind(at=at)
    at[0] = 10**8
    assert plan(x=X).tolist() == [0.0, 3.0]


def test_always_reads_always(options: Options) -> None:
    always = Options.from_environment({}, cache_dir=options.cache_dir, check="always")
    plan = program(GATHER, "step", always).bind()
    memory = np.array([0, 1], np.int32)
    at = torch.from_numpy(memory)
    assert plan(x=X, at=at).tolist() == [0.0, 1.0]
    memory[0] = 10**8  # torch counts no change here
    with pytest.raises(HasteError, match="HST4019"):
        plan(x=X, at=at)


@pytest.mark.parametrize("kind", ["dense", "csr", "coo", "numpy", "mapping"])
@pytest.mark.parametrize("time", ["static", "step"])
def test_weights_that_come_and_go_are_each_used(time: str, kind: str, options: Options) -> None:
    weight = program(WEIGHT, time, options)
    plan = weight.bind() if time == "step" else weight
    for n in range(12):
        given = weight_of(kind, float(n % 3 + 1))
        assert plan(W=given, x=torch.ones(8)).tolist() == [8.0 * (n % 3 + 1)] * 4
        del given


def weight_of(kind: str, value: float) -> Any:
    dense = torch.full((4, 8), value)
    if kind == "mapping":
        csr: Any = dense.to_sparse_csr()
        names = {"indptr": "crow_indices", "indices": "col_indices", "values": "values"}
        return {**{n: getattr(csr, f)() for n, f in names.items()}, "shape": (4, 8)}
    made: dict[str, Any] = {
        "dense": lambda: dense,
        "csr": dense.to_sparse_csr,
        "coo": dense.to_sparse,
        "numpy": dense.numpy,
    }
    return made[kind]()


@pytest.mark.parametrize("kind", ["dense", "csr", "numpy"])
def test_weights_that_change_in_place_are_used_as_they_are(kind: str, options: Options) -> None:
    weight, given = program(WEIGHT, "static", options), weight_of(kind, 1.0)
    assert weight(W=given, x=torch.ones(8)).tolist() == [8.0] * 4
    values = given.values() if kind == "csr" else given
    values *= 2
    assert weight(W=given, x=torch.ones(8)).tolist() == [16.0] * 4


def test_the_short_way_keeps_plans_of_weights_that_live(options: Options) -> None:
    weight = program(WEIGHT, "static", options)
    kept = [weight_of("dense", float(n)) for n in range(3)]
    for given in kept * 2:
        weight(W=given, x=torch.ones(8))
    assert sum(map(len, weight.plans.values())) == 3
    del kept[1:], given
    weight(W=kept[0], x=torch.ones(8))
    assert sum(map(len, weight.plans.values())) == 1
